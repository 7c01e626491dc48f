"""Signing in, staying signed in, signing out, being frozen."""

from datetime import timedelta
from pathlib import Path

import pytest
from httpx import Response

from world import PASSWORD, Someone, World, body_of, open_world, refusal


async def sign_in(world: World, phone: str, password: str = PASSWORD) -> Response:
    return await world.http.post("/v1/sessions", json={"phone": phone, "password": password})


async def test_a_person_signs_in_with_phone_and_password(world: World) -> None:
    (alice,) = await world.people("alice")
    session = body_of(await sign_in(world, alice.phone), 201)
    assert session["person"] == body_of(await alice.get("/v1/me"), 200)
    assert session["expires_at"] == (world.clock.now + timedelta(hours=6)).isoformat().replace("+00:00", "Z")
    again = Someone(world.http, session)
    assert again.token != alice.token
    assert (await again.get("/v1/me")).status_code == 200


async def test_a_phone_may_be_typed_in_any_way(world: World) -> None:
    await world.sign_up("alice", phone="+6591110001")
    assert (await sign_in(world, "+65 (9111) 00-01")).status_code == 201


async def test_a_wrong_password_and_an_unknown_phone_answer_alike(world: World) -> None:
    (alice,) = await world.people("alice")
    wrong_password = await sign_in(world, alice.phone, "seven red umbrellas")
    unknown_phone = await sign_in(world, "+6598887777")
    no_phone = await sign_in(world, "not a phone")
    assert refusal(wrong_password) == (401, "credentials_wrong")
    assert wrong_password.content == unknown_phone.content == no_phone.content
    names = [sorted(answer.headers) for answer in (wrong_password, unknown_phone, no_phone)]
    assert names[0] == names[1] == names[2]


async def test_a_sign_up_that_is_not_proven_lets_nobody_in(world: World) -> None:
    order = {"phone": "+6591110001", "username": "asha", "password": PASSWORD}
    body_of(await world.http.post("/v1/registrations", json=order), 202)
    assert refusal(await sign_in(world, "+6591110001")) == (401, "credentials_wrong")


async def test_a_password_typed_on_another_keyboard_is_the_same(world: World) -> None:
    alice = await world.sign_up("alice", password="caf\u00e9 au lait")
    assert (await sign_in(world, alice.phone, "cafe\u0301 au lait")).status_code == 201


async def test_a_session_ends_after_six_hours(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, access_token_seconds=6 * 3600) as world:
        (alice,) = await world.people("alice")
        for _ in range(8):
            world.clock.move(minutes=45, seconds=-1 / 8)
            assert (await alice.get("/v1/me")).status_code == 200
        world.clock.move(seconds=1)
        answer = await alice.get("/v1/me")
        assert refusal(answer) == (401, "session_invalid")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_operator_can_make_sessions_shorter(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, session_ttl_seconds=60) as world:
        (alice,) = await world.people("alice")
        world.clock.move(seconds=59)
        assert (await alice.get("/v1/me")).status_code == 200
        world.clock.move(seconds=1)
        assert refusal(await alice.get("/v1/me")) == (401, "session_invalid")


async def test_signing_out_ends_this_session_at_once_and_no_other(world: World) -> None:
    (alice,) = await world.people("alice")
    other = Someone(world.http, body_of(await sign_in(world, alice.phone), 201))
    signed_out = await alice.delete("/v1/sessions/current")
    assert (signed_out.status_code, signed_out.content) == (204, b"")
    assert refusal(await alice.get("/v1/me")) == (401, "session_invalid")
    assert refusal(await alice.delete("/v1/sessions/current")) == (401, "session_invalid")
    assert (await other.get("/v1/me")).status_code == 200


async def test_signing_out_in_one_process_works_in_another(world: World, database_url: str, data_dir: Path) -> None:
    (alice,) = await world.people("alice")
    async with open_world(database_url, data_dir) as other_process:
        there = {"authorization": f"Bearer {alice.token}"}
        assert (await other_process.http.get("/v1/me", headers=there)).status_code == 200
        await alice.delete("/v1/sessions/current")
        assert refusal(await other_process.http.get("/v1/me", headers=there)) == (401, "session_invalid")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/me"), ("GET", "/v1/people?username=alice"), ("DELETE", "/v1/sessions/current")]
)
async def test_what_needs_a_session_says_so(world: World, method: str, path: str) -> None:
    for header in (None, "", "Bearer", "Bearer ", "Basic YWxpY2U6c2VjcmV0"):
        headers = {} if header is None else {"authorization": header}
        answer = await world.http.request(method, path, headers=headers)
        assert refusal(answer) == (401, "session_missing"), header
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_sign_in_that_is_no_order_is_invalid(world: World) -> None:
    headers = {"content-type": "application/json"}
    for body in (b"", b"[]", b'{"phone": 6591110001, "password": "x"}', b'{"phone": "\\ud800"}'):
        answer = await world.http.post("/v1/sessions", content=body, headers=headers)
        assert refusal(answer) == (400, "request_invalid"), body
