"""Ten codes on paper, each good once; and codes by text message for what a text message may prove."""

import asyncio
import re

import asyncpg

from tikiwallet.identity.recovery_codes import CODES
from tikiwallet.identity.types import GuardedAct
from world import PASSWORD, Someone, World, body_of, refusal


async def make(someone: Someone) -> list[str]:
    codes: list[str] = body_of(await someone.post("/v1/recovery-codes"), 201)["codes"]
    return codes


async def left(someone: Someone) -> int:
    found: int = body_of(await someone.get("/v1/recovery-codes"), 200)["left"]
    return found


async def prove(someone: Someone, **given: object) -> tuple[int, str]:
    answer = await someone.post("/v1/proofs", given)
    return (201, answer.json()["proved_by"]) if answer.status_code == 201 else refusal(answer)


WRONG = (422, "proof_wrong")


async def test_ten_codes_are_shown_once_and_each_is_good_once(world: World, database_url: str) -> None:
    alice, bob = await world.people("alice", "bob")
    assert body_of(await alice.get("/v1/recovery-codes"), 200) == {"left": 0, "made_at": None}
    codes = await make(alice)
    assert len({*codes}) == CODES == await left(alice)
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{5}", code) for code in codes)
    assert await prove(alice, recovery_code=codes[0]) == (201, "recovery_code")
    assert await prove(alice, recovery_code=f" {codes[1].lower().replace('-', ' ')} ") == (201, "recovery_code")
    assert await prove(alice, recovery_code=codes[0]) == WRONG
    assert await prove(bob, recovery_code=codes[2]) == WRONG
    assert await prove(alice, recovery_code="") == WRONG
    assert await left(alice) == 8
    connection = await asyncpg.connect(database_url)
    stored = await connection.fetch("SELECT * FROM identity.recovery_code")
    await connection.close()
    assert not any(code.replace("-", "") in str(stored) for code in codes)
    await alice.post("/v1/proofs", {"password": PASSWORD})
    fresh = await make(alice)  # takes the place of the old ones
    assert await prove(alice, recovery_code=codes[3]) == WRONG
    assert await prove(alice, recovery_code=fresh[0]) == (201, "recovery_code")


async def test_of_many_who_use_one_code_at_once_one_gets_in(world: World) -> None:
    (alice,) = await world.people("alice")
    codes = await make(alice)
    found = await asyncio.gather(*(prove(alice, recovery_code=codes[0]) for _ in range(10)))
    assert sorted(found) == [(201, "recovery_code"), *[WRONG] * 9]
    await alice.post("/v1/proofs", {"password": PASSWORD})
    # Two at once make new ones: ten are left, of one of the two.
    both = await asyncio.gather(make(alice), make(alice))
    assert await left(alice) == CODES
    good = [codes for codes in both if (await prove(alice, recovery_code=codes[0]))[0] == 201]
    assert len(good) == 1


async def test_paper_and_text_messages_move_no_money_and_make_no_keys(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    codes = await make(alice)
    world.clock.move(minutes=6)
    assert refusal(await alice.post("/v1/recovery-codes")) == (403, "step_up_required")
    sent = body_of(await alice.post("/v1/proofs/text-message"), 202)
    assert sent["phone_masked"] not in {alice.phone, ""}
    assert "Never tell it to anybody" in world.texts_to(alice.phone)[-1]
    text = {"request_id": sent["request_id"], "code": world.code_sent_to(alice.phone)}
    for given in ({"text_message": text}, {"recovery_code": codes[0]}):
        assert (await prove(alice, **given))[0] == 201
        order = {"amount": {"amount_minor": 100, "currency": "SGD"}}
        assert refusal(await alice.post("/v1/withdrawals", order)) == (403, "step_up_required")
        assert refusal(await alice.post("/v1/recovery-codes")) == (403, "step_up_required")
        assert refusal(await alice.post("/v1/passkeys/challenge")) == (403, "step_up_required")
        await world.identity.step_up.require(alice.caller(), GuardedAct.EXPORT, now=world.clock.now)


async def test_a_code_by_text_message_is_for_who_asked_where_they_asked(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    elsewhere = await world.sign_in_again(alice)
    sent = body_of(await alice.post("/v1/proofs/text-message"), 202)
    code = world.code_sent_to(alice.phone)
    text = {"request_id": sent["request_id"], "code": code}
    wrong = {**text, "code": f"{(int(code) + 1) % 10**6:06d}"}
    for somebody in (elsewhere, bob):
        assert await prove(somebody, text_message=text) == WRONG
    for _ in range(4):
        assert await prove(alice, text_message=wrong) == (422, "code_wrong")
    assert await prove(alice, text_message=text) == (201, "text_message")
    assert await prove(alice, text_message=text) == (409, "code_used")
    again = body_of(await alice.post("/v1/proofs/text-message"), 202)
    late = {"request_id": again["request_id"], "code": world.code_sent_to(alice.phone)}
    world.clock.move(minutes=10)
    alice.take(await alice.refresh())
    assert await prove(alice, text_message=late) == (422, "code_expired")
    asked = [await alice.post("/v1/proofs/text-message") for _ in range(6)]
    assert refusal(asked[-1]) == (429, "too_many_requests")
    for given in ({}, {"password": PASSWORD, "recovery_code": "x"}):
        assert refusal(await alice.post("/v1/proofs", given)) == (400, "request_invalid")
