"""Whoever guesses, floods or reaches for what isn't theirs leaves a line in the log, and no secret in it."""

import json
from pathlib import Path
from typing import Any

import pytest
import structlog

from tikiwallet.platform.telemetry import configure_logs
from world import PASSWORD, World, open_world, refusal


def lines(logs: list[Any]) -> list[tuple[str, str, str]]:
    return [(line["refusal"], line["path"], line["person_id"]) for line in logs if line["event"] == "refused"]


async def test_what_was_tried_by_whom_and_from_where_is_written_down(world: World) -> None:
    alice, mallory = await world.people(alice="50.00", mallory="0.00")
    paid = (await alice.pay(mallory, "1.00")).json()
    asked = (await alice.post("/v1/top-ups", {"amount": {"amount_minor": 100, "currency": "SGD"}})).json()
    operation = f"/v1/top-ups/{asked['operation_id']}"
    with structlog.testing.capture_logs() as logs:
        assert refusal(await mallory.get(operation)) == (404, "operation_unknown")
        assert refusal(await world.http.get("/v1/me")) == (401, "session_missing")
        assert refusal(await world.http.get("/v1/balance", headers={"authorization": "Bearer x.y.z"}))[0] == 401
        order = {"phone": alice.phone, "password": "not the password"}
        assert refusal(await world.http.post("/v1/sessions", json=order)) == (401, "credentials_wrong")
        foreign = {"sec-fetch-site": "cross-site"}
        assert refusal(await world.http.delete("/v1/sessions/current", headers=foreign))[0] == 403
        assert (await mallory.get(f"/v1/transfers/{paid['transfer_id']}")).status_code == 200  # no line of this
    who = str(mallory.person_id)
    assert lines(logs) == [
        ("operation_unknown", operation, who), ("session_missing", "/v1/me", ""),
        ("session_invalid", "/v1/balance", ""), ("credentials_wrong", "/v1/sessions", ""),
        ("cross_site_refused", "/v1/sessions/current", ""),
    ]  # fmt: skip
    assert all(line["peer"] == "127.0.0.1" for line in logs)
    for secret in (alice.phone, alice.token, mallory.token, PASSWORD, "not the password"):
        assert secret not in str(logs)


async def test_who_is_slowed_down_is_written_down_and_a_long_header_is_cut(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_address_max=1) as world:
        order = {"phone": "+6591239999", "password": "a guess"}
        forwarded = {"x-forwarded-for": '198.51.100.7\\n{"event":"forged"}' + "x" * 5000}
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                await world.http.post("/v1/sessions", json=order, headers=forwarded)
    assert [code for code, _, _ in lines(logs)] == ["credentials_wrong", "too_many_requests"]
    assert all(len(line["forwarded_for"]) <= 200 for line in logs)


async def test_a_header_cannot_forge_a_line(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    forged = 'x"}\n{"event":"signed in","person_id":"admin"}'
    scope_headers = [(b"x-forwarded-for", forged.encode()), (b"authorization", b"Bearer x")]
    scope = {"type": "http", "method": "GET", "path": "/v1/balance", "headers": scope_headers, "query_string": b"",
             "client": ("127.0.0.1", 1)}  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await world.app(scope, receive, send)  # type: ignore[arg-type]  # no client sends such a header; a server might
    structlog.reset_defaults()
    assert sent[0]["status"] == 401
    (line,) = [json.loads(text) for text in capfd.readouterr().err.splitlines() if text.startswith("{")]
    assert (line["event"], line["forwarded_for"]) == ("refused", forged)
