"""What would hurt if somebody else did it waits for a proof that is minutes old."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from tikiwallet.identity.step_up import ACCEPTED, STRONG
from tikiwallet.identity.types import GuardedAct, Proof, StepUpRequired
from tikiwallet.payments.new_payees import read_limits
from tikiwallet.platform.config import ConfigError
from world import PASSWORD, Someone, World, body_of, money, open_world, refusal

STEP_UP = (403, "step_up_required")


async def prove(someone: Someone, **proof: object) -> Response:
    return await someone.post("/v1/proofs", proof or {"password": PASSWORD})


async def withdraw(someone: Someone, text: str, key: str) -> Response:
    return await someone.post("/v1/withdrawals", {"amount": money(text)}, key=key)


async def test_a_large_payment_to_somebody_new_waits_for_a_fresh_proof(world: World) -> None:
    alice, bob, carol = await world.people(alice="2000.00", bob="0.00", carol="0.00")
    body_of(await alice.pay(carol, "201.00"), 201)  # who has just signed in has proven it
    world.clock.move(minutes=5, seconds=1)
    body_of(await alice.pay(bob, "200.00"), 201)  # at the limit, to anybody
    world.clock.move(seconds=1)
    dave = await world.sign_up("dave")
    refused = await alice.pay(dave, "200.01", key="k")
    assert refusal(refused) == STEP_UP
    assert refused.json()["methods"] == ["password"]
    body_of(await alice.pay(bob, "200.01"), 201)  # he was paid before
    assert await dave.balance() == "0.00"
    proven = body_of(await prove(alice), 201)
    assert proven["proved_by"] == "password"
    first = body_of(await alice.pay(dave, "200.01", key="k"), 201)
    world.clock.move(minutes=5, seconds=1)
    alice.take(await alice.refresh())  # which proves nothing
    assert body_of(await alice.pay(dave, "200.01", key="k"), 201) == first  # a retry finds what was paid
    assert await dave.balance() == "200.01"


async def test_requests_and_other_people_are_no_way_around(world: World) -> None:
    alice, bob = await world.people(alice="1000.00", bob="1000.00")
    order = {"payer": {"username": "alice"}, "amount": money("300.00"), "memo": ""}
    asked = body_of(await bob.post("/v1/requests", order), 201)
    address = f"/v1/requests/{asked['request_id']}"
    world.clock.move(minutes=6)
    elsewhere = await world.sign_in_again(alice)
    assert refusal(await alice.post(f"{address}/payment", key="k")) == STEP_UP  # the other session's proof isn't hers
    assert body_of(await alice.get(address), 200)["state"] == "open"
    body_of(await prove(bob), 201)
    assert refusal(await alice.post(f"{address}/payment", key="k")) == STEP_UP
    body_of(await prove(alice), 201)
    assert body_of(await alice.post(f"{address}/payment", key="k"), 201)["state"] == "paid"
    assert (await elsewhere.delete("/v1/sessions/current")).status_code == 204
    assert refusal(await prove(elsewhere)) == (401, "session_invalid")


async def test_every_withdrawal_waits_for_a_fresh_proof(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    world.clock.move(minutes=5, seconds=1)
    assert refusal(await withdraw(alice, "20.00", "k")) == STEP_UP
    assert await alice.balance() == "50.00"
    body_of(await prove(alice), 201)
    first = body_of(await withdraw(alice, "20.00", "k"), 201)
    world.clock.move(minutes=5, seconds=1)
    alice.take(await alice.refresh())  # which proves nothing
    assert body_of(await withdraw(alice, "20.00", "k"), 201) == first
    assert refusal(await withdraw(alice, "20.00", "another")) == STEP_UP
    assert await alice.balance() == "30.00"


async def test_a_proof_given_to_one_process_counts_in_another(world: World, database_url: str, data_dir: Path) -> None:
    (alice,) = await world.people(alice="50.00")
    world.clock.move(minutes=6)
    async with open_world(database_url, data_dir) as other:
        other.clock.now = world.clock.now
        there = alice.moved_to(other)
        assert refusal(await withdraw(there, "1.00", "k")) == STEP_UP
        body_of(await prove(alice), 201)
        body_of(await withdraw(there, "1.00", "k"), 201)


async def test_a_wrong_password_proves_nothing_and_guesses_have_an_end(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_phone_max=3) as world:
        (alice,) = await world.people(alice="50.00")
        world.clock.move(minutes=6)
        for _ in range(3):
            assert refusal(await prove(alice, password="seven red umbrellas")) == (422, "proof_wrong")
        assert refusal(await prove(alice)) == (429, "too_many_requests")  # the right one, too late
        assert refusal(await withdraw(alice, "1.00", "k")) == STEP_UP


async def test_what_an_act_accepts_is_asked_act_by_act(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    step_up, caller = world.identity.step_up, alice.caller()
    for proof in Proof:
        async with world.identity.step_up._db.transaction() as tx:
            await step_up.record(tx, caller, proof, now=world.clock.now)
        for act in GuardedAct:
            if proof in ACCEPTED[act]:
                await step_up.require(caller, act, now=world.clock.now)
            else:
                with pytest.raises(StepUpRequired):
                    await step_up.require(caller, act, now=world.clock.now)
    # Money, and whatever could prove a payment later, is never moved by a text message.
    assert {act for act in GuardedAct if Proof.TEXT_MESSAGE in ACCEPTED[act]} == {GuardedAct.EXPORT}
    assert {
        ACCEPTED[act]
        for act in (GuardedAct.PAYMENT, GuardedAct.WITHDRAWAL, GuardedAct.PASSKEYS, GuardedAct.RECOVERY_CODES)
    } == {STRONG}


async def test_small_payments_ask_for_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await world.people(alice="500.00", bob="0.00")
    world.clock.move(minutes=6)

    async def looked(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is looked up below the limit")

    monkeypatch.setattr(type(world.identity.step_up), "require", looked)
    monkeypatch.setattr(type(world.app.state.payments.transfers._ledger), "statement", looked)
    answers = await asyncio.gather(*(alice.pay(bob, "1.00", key=str(uuid4())) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201] * 3


def test_the_limits_are_whole_minor_units_of_offered_currencies() -> None:
    assert read_limits((), currencies=("SGD", "JPY")) == {"SGD": 20000, "JPY": 200}
    assert read_limits(("JPY=0",), currencies=("SGD", "JPY")) == {"SGD": 20000, "JPY": 0}
    for wrong in ("SGD", "SGD=", "SGD=1.5", "SGD=-1", "EUR=1", f"SGD={10**16}"):
        with pytest.raises(ConfigError, match="TIKIWALLET_NEW_PAYEE_LIMITS"):
            read_limits((wrong,), currencies=("SGD", "JPY"))
