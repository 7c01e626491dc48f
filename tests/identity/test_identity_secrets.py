"""Secrets stay out of the logs, through a whole sign-up, whatever goes wrong on the way."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from tikiwallet.platform.telemetry import configure_logs
from world import PASSWORD, World, body_of, refusal

PHONE = "+6591110001"


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    yield capfd
    structlog.reset_defaults()


async def test_a_sign_up_writes_no_secret_to_the_logs(
    world: World, database_url: str, data_dir: Path, logs: pytest.CaptureFixture[str]
) -> None:
    configure_logs("debug")
    order = {"phone": PHONE, "username": "asha", "password": PASSWORD}
    registration = body_of(await world.http.post("/v1/registrations", json=order), 202)["registration_id"]
    code = world.code_sent_to(PHONE)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    await world.http.post(f"/v1/registrations/{registration}/verification", json={"code": wrong})
    body = {"code": code}
    session = body_of(await world.http.post(f"/v1/registrations/{registration}/verification", json=body), 201)
    headers = {"authorization": f"Bearer {session['token']}"}
    await world.http.get("/v1/people", params={"phone": PHONE}, headers=headers)
    await world.http.post("/v1/sessions", json={"phone": PHONE, "password": PASSWORD + "!"})

    # And a bug in the middle of it, whose message quotes the row: the last table is gone.
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE identity.registration ADD CONSTRAINT nobody_at_all CHECK (false) NOT VALID")
    await connection.close()
    bug = await world.http.post("/v1/registrations", json={**order, "username": "ben"})
    assert refusal(bug) == (500, "internal_error")
    incident_id = bug.json()["incident_id"]

    written = "".join(logs.readouterr())
    assert incident_id in written
    assert "nobody_at_all" in written
    key = (data_dir / "code.key").read_bytes().hex()
    for secret in (PASSWORD, code, PHONE, PHONE[1:], session["token"], "$argon2id$", key, "PRIVATE KEY"):
        assert secret not in written
        assert secret not in bug.text
