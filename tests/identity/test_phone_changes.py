"""Another phone number: with codes on both phones at once, with the new one alone after a day."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import Response

from world import PASSWORD, Someone, World, body_of, open_world, refusal

TO = "+6581110001"


async def sign_in(world: World, phone: str) -> Response:
    return await world.http.post("/v1/sessions", json={"phone": phone, "password": PASSWORD})


async def begin(someone: Someone, phone: str = TO) -> str:
    """Begin a change and return its path."""
    started = body_of(await someone.post("/v1/me/phone-changes", {"phone": phone}), 202)
    return f"/v1/me/phone-changes/{started['change_id']}"


async def prove(someone: Someone, change: str, **codes: str) -> Response:
    return await someone.post(f"{change}/verification", codes)


async def protection(someone: Someone) -> Any:
    return body_of(await someone.get("/v1/me/protection"), 200)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_with_both_codes_it_moves_at_once(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    other = await world.sign_in_again(alice)
    change = await begin(alice, "+65 8111 0001")
    codes = {"new_code": world.code_sent_to(TO), "old_code": world.code_sent_to(alice.phone)}
    assert codes["new_code"] not in world.texts_to(alice.phone)[-1]
    assert refusal(await prove(bob, change, **codes)) == (404, "phone_change_unknown")
    assert refusal(await prove(alice, change, **{**codes, "old_code": wrong(codes["old_code"])})) == (422, "code_wrong")
    assert refusal(await prove(alice, change, **{**codes, "new_code": wrong(codes["new_code"])})) == (422, "code_wrong")
    answers = await asyncio.gather(*(prove(alice, change, **codes) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert {answer.status_code for answer in answers[1:]} | {200, 404, 409} == {200, 404, 409}
    assert len([answer for answer in answers if answer.status_code == 200]) == 1
    assert body_of(await alice.get("/v1/me"), 200)["phone"] == TO
    assert refusal(await other.get("/v1/me")) == (401, "session_invalid")
    assert (await protection(alice))["outgoing_capped_until"] is not None
    assert "has moved to +65 ... 0001" in world.texts_to(alice.phone)[-1]
    assert (await sign_in(world, TO)).status_code == 201
    assert refusal(await sign_in(world, alice.phone)) == (401, "credentials_wrong")
    assert body_of(await bob.get("/v1/people", phone=TO), 200)["username"] == "alice"


async def test_with_the_new_code_alone_it_waits_a_day(world: World) -> None:
    (alice,) = await world.people("alice")
    change = await begin(alice)
    body_of(await prove(alice, change, new_code=world.code_sent_to(TO)), 200)
    waits = (await protection(alice))["phone"]
    assert waits["phone_masked"] == "+65 •••• 0001"
    assert "cancel it" in world.texts_to(alice.phone)[-1]
    assert body_of(await alice.get("/v1/me"), 200)["phone"] == alice.phone
    world.clock.move(hours=23, minutes=59)
    assert refusal(await sign_in(world, TO)) == (401, "credentials_wrong")
    old = Someone(world.http, body_of(await sign_in(world, alice.phone), 201))
    world.clock.move(minutes=1)
    moved = Someone(world.http, body_of(await sign_in(world, TO), 201))
    assert moved.person_id == alice.person_id
    assert refusal(await old.get("/v1/me")) == (401, "session_invalid")
    assert (await protection(moved))["outgoing_capped_until"] is not None


async def test_every_session_can_keep_the_old_phone(world: World) -> None:
    (alice,) = await world.people("alice")
    thief = await world.sign_in_again(alice)
    change = await begin(thief)
    body_of(await prove(thief, change, new_code=world.code_sent_to(TO)), 200)
    assert (await alice.delete("/v1/me/waiting-phone")).status_code == 204
    assert "stays with this phone" in world.texts_to(alice.phone)[-1]
    assert refusal(await alice.delete("/v1/me/waiting-phone")) == (404, "nothing_waits")
    world.clock.move(hours=25)
    assert refusal(await sign_in(world, TO)) == (401, "credentials_wrong")
    assert (await sign_in(world, alice.phone)).status_code == 201


async def test_it_needs_a_fresh_proof_of_who_is_there(world: World) -> None:
    (alice,) = await world.people("alice")
    world.clock.move(minutes=6)
    order = {"phone": TO}
    assert refusal(await alice.post("/v1/me/phone-changes", order)) == (403, "step_up_required")
    assert world.texts_to(TO) == []
    again = await world.sign_in_again(alice)
    assert (await again.post("/v1/me/phone-changes", order)).status_code == 202


async def test_nobody_learns_by_moving_that_a_number_has_a_wallet(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    to_free = await alice.post("/v1/me/phone-changes", {"phone": TO})
    to_taken = await alice.post("/v1/me/phone-changes", {"phone": bob.phone})
    assert (to_free.status_code, to_free.json().keys()) == (to_taken.status_code, to_taken.json().keys())
    assert "has one already" in world.texts_to(bob.phone)[-1]
    assert len(world.texts_to(alice.phone)) == 3  # each time the old phone is told
    change = f"/v1/me/phone-changes/{to_taken.json()['change_id']}"
    assert refusal(await prove(alice, change, new_code="123456")) == (422, "code_wrong")


async def test_a_number_that_somebody_signed_up_with_meanwhile_stays_theirs(world: World) -> None:
    alice, carol = await world.people("alice", "carol")
    change = await begin(alice)
    code, old_code = world.code_sent_to(TO), world.code_sent_to(alice.phone)
    await world.sign_up("dave", phone=TO)
    assert refusal(await prove(alice, change, new_code=code, old_code=old_code)) == (409, "phone_taken")
    assert body_of(await alice.get("/v1/me"), 200)["phone"] == alice.phone
    other = "+6581110002"
    waiting = await begin(carol, other)
    body_of(await prove(carol, waiting, new_code=world.code_sent_to(other)), 200)
    await world.sign_up("erin", phone=other)
    world.clock.move(hours=24)
    erin = Someone(world.http, body_of(await sign_in(world, other), 201))
    assert erin.username == "erin"
    carol = Someone(world.http, body_of(await sign_in(world, carol.phone), 201))
    assert await protection(carol) == {"password": None, "phone": None, "outgoing_capped_until": None}


async def test_what_cannot_be_moved_to_is_refused(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, phone_countries=("SG",), sign_ups_per_phone_max=1) as world:
        (alice,) = await world.people("alice")
        refused = {alice.phone: "phone_unchanged", "+6512": "phone_invalid", "+60123456789": "phone_country_refused"}
        for phone, code in refused.items():
            assert refusal(await alice.post("/v1/me/phone-changes", {"phone": phone})) == (422, code)
        change = await begin(alice)
        answers = [await alice.post("/v1/me/phone-changes", {"phone": TO}) for _ in range(2)]
        assert refusal(answers[-1]) == (429, "too_many_requests")
        assert refusal(await prove(alice, change, new_code="12345")) == (400, "request_invalid")
        assert refusal(await prove(alice, f"/v1/me/phone-changes/{uuid4()}", new_code="123456")) == (
            404, "phone_change_unknown",
        )  # fmt: skip
