"""A lost password: the code begins a new one, a day makes it true, and whoever is signed in can say no."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from tikiwallet.platform.config import ConfigError, read_settings
from world import PASSWORD, Someone, World, body_of, open_world, refusal

FRESH = "nine blue kettles"
STRANGER = "+6591239999"


async def sign_in(world: World, phone: str, password: str) -> Response:
    return await world.http.post("/v1/sessions", json={"phone": phone, "password": password})


async def begin(world: World, phone: str) -> str:
    """Begin a reset and return its path."""
    started = body_of(await world.http.post("/v1/password-resets", json={"phone": phone}), 202)
    return f"/v1/password-resets/{started['reset_id']}"


async def prove(world: World, reset: str, code: str, password: str = FRESH) -> Response:
    return await world.http.post(f"{reset}/verification", json={"code": code, "password": password})


async def reset(world: World, someone: Someone, password: str = FRESH) -> None:
    path = await begin(world, someone.phone)
    body_of(await prove(world, path, world.code_sent_to(someone.phone), password), 200)


async def protection(someone: Someone) -> Any:
    return body_of(await someone.get("/v1/me/protection"), 200)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_a_new_password_works_after_a_day_and_ends_every_session(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    path = await begin(world, "+65 " + alice.phone[3:])
    code = world.code_sent_to(alice.phone)
    assert refusal(await prove(world, path, wrong(code))) == (422, "code_wrong")
    proven = body_of(await prove(world, path, code), 200)
    waits = (await protection(alice))["password"]
    assert waits["effective_at"] == proven["effective_at"]
    assert "cancel it" in world.texts_to(alice.phone)[-1]
    assert refusal(await prove(world, path, code)) == (409, "code_used")
    world.clock.move(hours=23, minutes=59)
    assert refusal(await sign_in(world, alice.phone, FRESH)) == (401, "credentials_wrong")
    old = Someone(world.http, body_of(await sign_in(world, alice.phone, PASSWORD), 201))
    bob = await world.sign_in_again(bob)
    world.clock.move(minutes=1)
    assert refusal(await sign_in(world, alice.phone, PASSWORD)) == (401, "credentials_wrong")
    assert refusal(await old.get("/v1/me")) == (401, "session_invalid")
    alice = Someone(world.http, body_of(await sign_in(world, alice.phone, FRESH), 201))
    found = await protection(alice)
    assert found["password"] is None
    assert found["outgoing_capped_until"] is not None
    assert await protection(bob) == {"password": None, "phone": None, "outgoing_capped_until": None}
    world.clock.move(hours=5)
    assert (await protection(await sign_in_with(world, alice, FRESH)))["outgoing_capped_until"] is not None
    world.clock.move(hours=19)
    assert (await protection(await sign_in_with(world, alice, FRESH)))["outgoing_capped_until"] is None


async def sign_in_with(world: World, someone: Someone, password: str) -> Someone:
    return Someone(world.http, body_of(await sign_in(world, someone.phone, password), 201))


async def test_whoever_is_signed_in_takes_a_new_password_back(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    await reset(world, alice)
    assert refusal(await bob.delete("/v1/me/waiting-password")) == (404, "nothing_waits")
    assert (await alice.delete("/v1/me/waiting-password")).status_code == 204
    assert "was cancelled" in world.texts_to(alice.phone)[-1]
    assert refusal(await alice.delete("/v1/me/waiting-password")) == (404, "nothing_waits")
    world.clock.move(hours=25)
    assert refusal(await sign_in(world, alice.phone, FRESH)) == (401, "credentials_wrong")
    again = await sign_in_with(world, alice, PASSWORD)
    assert await protection(again) == {"password": None, "phone": None, "outgoing_capped_until": None}


async def test_a_second_new_password_waits_anew_in_place_of_the_first(world: World) -> None:
    (alice,) = await world.people("alice")
    await reset(world, alice)
    world.clock.move(hours=23)
    await reset(world, alice, "ten red teapots")
    world.clock.move(hours=2)
    assert refusal(await sign_in(world, alice.phone, FRESH)) == (401, "credentials_wrong")
    assert refusal(await sign_in(world, alice.phone, "ten red teapots")) == (401, "credentials_wrong")
    world.clock.move(hours=22)
    await sign_in_with(world, alice, "ten red teapots")


async def test_many_proofs_and_many_sign_ins_at_once_make_one_new_password(world: World) -> None:
    (alice,) = await world.people("alice")
    path = await begin(world, alice.phone)
    code = world.code_sent_to(alice.phone)
    answers = await asyncio.gather(*(prove(world, path, code, f"{FRESH} {number}") for number in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    (kept,) = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    world.clock.move(hours=24)
    signed_in = await asyncio.gather(*(sign_in(world, alice.phone, f"{FRESH} {kept}") for _ in range(4)))
    assert [answer.status_code for answer in signed_in] == [201] * 4


async def test_a_number_without_a_wallet_is_answered_alike_and_gets_no_password(world: World) -> None:
    await world.people("alice")
    path = await begin(world, STRANGER)
    assert "has none" in world.texts_to(STRANGER)[-1]
    assert not any(word.isdigit() for word in world.texts_to(STRANGER)[-1].split())
    for _ in range(5):
        assert refusal(await prove(world, path, "123456")) == (422, "code_wrong")
    assert refusal(await prove(world, path, "123456")) == (409, "code_attempts_used_up")
    assert refusal(await world.http.post(f"{path}/code")) == (409, "code_attempts_used_up")


async def test_what_is_wrong_with_a_new_password_is_said(world: World) -> None:
    (alice,) = await world.people("alice")
    path = await begin(world, alice.phone)
    code = world.code_sent_to(alice.phone)
    for password in ("short", "password1"):
        assert refusal(await prove(world, path, code, password)) == (422, "password_refused")
    assert refusal(await prove(world, path, code, "it is alice again")) == (422, "password_refused")
    body_of(await prove(world, path, code), 200)  # the code is still good


async def test_fresh_codes_and_ends_of_a_reset(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ups_per_phone_max=2) as world:
        (alice,) = await world.people("alice")
        path = await begin(world, alice.phone)
        old_code = world.code_sent_to(alice.phone)
        assert (await world.http.post(f"{path}/code")).status_code == 202
        if world.code_sent_to(alice.phone) != old_code:
            assert refusal(await prove(world, path, old_code)) == (422, "code_wrong")
        world.clock.move(minutes=10)
        assert refusal(await prove(world, path, world.code_sent_to(alice.phone))) == (422, "code_expired")
        await begin(world, alice.phone)
        answer = await world.http.post("/v1/password-resets", json={"phone": alice.phone})
        assert answer.status_code in {202, 429}  # a window of the clock may have begun between
        world.clock.move(minutes=50)
        assert refusal(await prove(world, path, "123456")) == (404, "reset_unknown")
        assert refusal(await world.http.post(f"/v1/password-resets/{uuid4()}/code")) == (404, "reset_unknown")
        for phone, code in {"+6512": "phone_invalid", "+18005551234": "phone_invalid"}.items():
            answer = await world.http.post("/v1/password-resets", json={"phone": phone})
            assert refusal(answer) == (422, code)


async def test_a_password_is_changed_with_the_old_one_and_ends_the_other_sessions(world: World) -> None:
    (alice,) = await world.people("alice")
    other = await world.sign_in_again(alice)
    await reset(world, alice, "ten red teapots")
    order = {"old_password": "a guess of mine", "new_password": FRESH}
    assert refusal(await alice.post("/v1/me/password", order)) == (422, "proof_wrong")
    assert refusal(await alice.post("/v1/me/password", {**order, "old_password": ""})) == (422, "proof_wrong")
    order["old_password"] = PASSWORD
    assert refusal(await alice.post("/v1/me/password", {**order, "new_password": "alice alice"})) == (
        422, "password_refused",
    )  # fmt: skip
    assert (await alice.post("/v1/me/password", order)).status_code == 204
    assert "was changed" in world.texts_to(alice.phone)[-1]
    assert refusal(await other.get("/v1/me")) == (401, "session_invalid")
    assert await protection(alice) == {"password": None, "phone": None, "outgoing_capped_until": None}
    assert refusal(await sign_in(world, alice.phone, PASSWORD)) == (401, "credentials_wrong")
    world.clock.move(hours=25)  # and the one that waited is gone
    assert refusal(await sign_in(world, alice.phone, "ten red teapots")) == (401, "credentials_wrong")
    await sign_in_with(world, alice, FRESH)


async def test_a_stolen_session_guesses_the_old_password_a_few_times_only(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_phone_max=2) as world:
        (alice,) = await world.people("alice")
        order = {"old_password": "a guess of mine", "new_password": FRESH}
        answers = [(await alice.post("/v1/me/password", order)).status_code for _ in range(5)]
        assert answers[-1] == 429  # perhaps over two windows of the clock
        assert set(answers) == {422, 429}


@pytest.mark.parametrize("name", ["RECOVERY_WAIT_SECONDS", "OUTGOING_CAP_SECONDS"])
def test_production_waits(name: str) -> None:
    production = {"TIKIWALLET_MODE": "production", "TIKIWALLET_SMS_SENDER": "file"}
    assert read_settings(production | {f"TIKIWALLET_{name}": "3600"}).is_production
    for value in ("3599", "2592001"):
        with pytest.raises(ConfigError, match=f"TIKIWALLET_{name}"):
            read_settings(production | {f"TIKIWALLET_{name}": value})
