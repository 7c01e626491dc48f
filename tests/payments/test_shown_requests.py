"""A request code on the payee's screen, paid online: once, to the one whose phone shows it, and only while it does."""

import asyncio
import base64
from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from httpx import Response

from crashes import Crash
from offline.phone import Phone
from payments.test_request_payments import another_process
from tikiwallet.payments import request_payments, shown_requests
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")
SHOWN = "/v1/shown-requests"


class Till:
    """Somebody whose phone is registered and shows codes."""

    def __init__(self, owner: Someone, phone: Phone) -> None:
        self.owner = owner
        self.phone = phone

    def code(self, number: int = 1) -> str:
        """The reference of this phone's n-th code."""
        return base64.urlsafe_b64encode(self.phone.id + number.to_bytes(8, "big")).decode()

    async def show(self, text: str = "7.00", number: int = 1) -> Response:
        return await self.owner.post(SHOWN, {"reference": self.code(number), "amount": money(text)})


async def till_of(owner: Someone, world: World) -> Till:
    return Till(owner, await Phone(owner, world, "till").register())


async def pay(payer: Someone, code: str, *, key: str | None = None, memo: str = "") -> Response:
    return await payer.post(f"{SHOWN}/{code}/payment", {"memo": memo}, key=key)


async def state(someone: Someone, code: str) -> str:
    return str(body_of(await someone.get(f"{SHOWN}/{code}"), 200)["state"])


async def test_a_shown_code_is_paid_online_and_both_are_told(world: World) -> None:
    alice, bob, mallory = await world.people(alice="50.00", bob="0.00", mallory="0.00")
    till = await till_of(bob, world)
    shown = body_of(await till.show(), 200)
    assert (shown["state"], shown["payee"]["username"], shown["payer"], shown["receipt"]) == ("open", "bob", None, None)
    address = f"{SHOWN}/{till.code()}"
    assert body_of(await alice.get(address), 200) == shown
    paid = body_of(await pay(alice, till.code(), key="k", memo="two mangoes"), 201)
    assert (paid["state"], paid["payer"]["username"], paid["payee_told_at"]) == ("paid", "alice", None)
    assert (paid["receipt"]["amount"], paid["receipt"]["memo"]) == (money("7.00"), "two mangoes")
    assert await world.balances() == {"alice": "43.00", "bob": "7.00", "mallory": "0.00"}
    other = body_of(await mallory.get(address), 200)  # who photographed the code learns nothing of who paid
    assert (other["state"], other["payer"], other["receipt"]) == ("paid", None, None)
    assert body_of(await alice.get(address), 200)["payee_told_at"] is None
    told = body_of(await till.show(), 200)
    assert (told["state"], told["receipt"]) == ("paid", paid["receipt"])
    assert body_of(await alice.get(address), 200)["payee_told_at"] == told["payee_told_at"] is not None
    receipt = await bob.get(f"/v1/transfers/{paid['receipt']['transfer_id']}")
    assert body_of(receipt, 200) == paid["receipt"]


async def test_a_code_is_paid_once_whoever_scans_it(world: World) -> None:
    alice, dan, bob = await world.people(alice="50.00", dan="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    answers = await asyncio.gather(*(pay(payer, till.code()) for payer in (alice, dan) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {refusal(answer) for answer in answers if answer.status_code != 201} == {(409, "request_not_open")}
    assert (await world.balances())["bob"] == "7.00"


async def test_a_retry_gives_the_same_receipt_even_after_the_code_is_gone(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    first = body_of(await pay(alice, till.code(), key="k"), 201)
    world.clock.move(minutes=9)
    assert body_of(await pay(alice, till.code(), key="k"), 201) == first
    assert refusal(await pay(alice, till.code(), key="k", memo="other")) == (422, "idempotency_key_reused")
    assert refusal(await pay(alice, till.code(), key="other")) == (409, "request_not_open")
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_a_code_is_payable_only_while_its_phone_is_in_touch(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    world.clock.move(seconds=100)
    body_of(await till.show(), 200)
    world.clock.move(seconds=100)
    assert await state(alice, till.code()) == "open"
    world.clock.move(seconds=21)
    assert await state(alice, till.code()) == "expired"
    assert refusal(await pay(alice, till.code())) == (409, "request_not_open")
    body_of(await till.show(), 200)  # the phone has a network again
    body_of(await pay(alice, till.code()), 201)


async def test_only_the_owner_of_the_key_may_say_that_a_code_is_shown(world: World) -> None:
    alice, bob, mallory = await world.people(alice="50.00", bob="0.00", mallory="0.00")
    till = await till_of(bob, world)
    await till_of(mallory, world)
    order = {"reference": till.code(), "amount": money("7.00")}
    assert refusal(await mallory.post(SHOWN, order)) == (403, "code_not_yours")  # she photographed it, and was faster
    unregistered = base64.urlsafe_b64encode(bytes(24)).decode()
    answer = await bob.post(SHOWN, {**order, "reference": unregistered})
    assert refusal(answer) == (403, "code_not_yours")
    body_of(await till.show(), 200)
    assert refusal(await mallory.post(SHOWN, order)) == (403, "code_not_yours")
    assert refusal(await mallory.post(f"{SHOWN}/{till.code()}/cancellation")) == (403, "request_not_yours")
    body_of(await bob.post(f"/v1/offline/devices/{till.phone.device_id}/retirement"), 200)
    assert refusal(await till.show(number=2)) == (403, "code_not_yours")
    assert (await pay(alice, till.code())).status_code == 201  # it was shown before the phone was lost


async def test_what_is_no_code_is_refused(world: World) -> None:
    alice, bob = await world.people(alice="5.00", bob="20.00")
    till = await till_of(bob, world)
    for path in (f"{SHOWN}/{till.code()}", f"{SHOWN}/nonsense"):
        assert refusal(await alice.get(path)) == (404, "code_unknown")
    assert refusal(await pay(alice, till.code())) == (404, "code_unknown")
    assert refusal(await bob.post(f"{SHOWN}/{till.code()}/cancellation")) == (404, "code_unknown")
    assert refusal(await bob.post(SHOWN, {"reference": "nonsense", "amount": money("1.00")}))[0] == 400
    body_of(await till.show(), 200)
    assert refusal(await till.show("8.00")) == (409, "code_differs")
    assert refusal(await pay(bob, till.code())) == (422, "payee_is_payer")
    assert refusal(await pay(alice, till.code(), memo="a\nb")) == (422, "memo_invalid")
    assert refusal(await bob.post(SHOWN, {"reference": till.code(2), "amount": money("1.00", "EUR")}))[0] == 422


async def test_without_enough_money_the_code_stays_payable(world: World) -> None:
    alice, dan, bob = await world.people(alice="5.00", dan="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    assert refusal(await pay(alice, till.code(), key="k")) == (422, "insufficient_funds")
    assert await state(bob, till.code()) == "open"
    page = body_of(await alice.get("/v1/requests"), 200)
    assert page["items"] == []  # a try at a counter is nothing that waits for an answer
    body_of(await alice.top_up("10.00"), 201)
    body_of(await pay(alice, till.code(), key="k"), 201)
    assert refusal(await pay(dan, till.code())) == (409, "request_not_open")


async def test_a_code_taken_back_is_never_paid(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="5.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    assert refusal(await pay(alice, till.code(), key="k")) == (422, "insufficient_funds")
    for _ in range(2):
        assert body_of(await bob.post(f"{SHOWN}/{till.code()}/cancellation"), 200)["state"] == "cancelled"
    body_of(await alice.top_up("10.00"), 201)
    assert refusal(await pay(alice, till.code(), key="k")) == (409, "request_not_open")
    assert refusal(await pay(alice, till.code())) == (409, "request_not_open")
    assert body_of(await till.show(), 200)["state"] == "cancelled"  # and showing it again doesn't revive it
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO payments.request (request_id, payee_id, payer_id, amount_minor, currency, memo, created_at, "
            "expires_at, changed_at, reference) VALUES (gen_random_uuid(), $1, $2, 700, 'SGD', '', now(), "
            "now() + interval '1 day', now(), $3)",
            bob.person_id, alice.person_id, till.code(),
        )  # fmt: skip
        with pytest.raises(asyncpg.CheckViolationError) as caught:  # nor does the database let anybody
            await connection.execute(
                "UPDATE payments.request SET state = 'accepted', payment_key = 'x' WHERE state = 'open'"
            )
        assert caught.value.constraint_name == "a_cancelled_code_is_never_paid"
    finally:
        await connection.close()


async def test_a_paid_code_is_never_taken_back(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    body_of(await pay(alice, till.code()), 201)
    assert refusal(await bob.post(f"{SHOWN}/{till.code()}/cancellation")) == (409, "request_not_open")
    connection = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await connection.execute("UPDATE payments.shown_request SET cancelled_at = now()")
        assert caught.value.constraint_name == "a_paid_code_is_never_cancelled"
    finally:
        await connection.close()


async def test_paying_and_taking_back_at_once_has_one_outcome(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    till = await till_of(bob, world)
    paid = 0
    for number in range(6):
        body_of(await till.show("1.00", number), 200)
        code = till.code(number)
        answers = await asyncio.gather(pay(alice, code), bob.post(f"{SHOWN}/{code}/cancellation"))
        assert sorted(answer.status_code // 100 for answer in answers) == [2, 4]
        assert {refusal(answer) for answer in answers if answer.status_code >= 400} == {(409, "request_not_open")}
        paid += await state(bob, code) == "paid"
    assert await world.balances() == {"alice": f"{50 - paid}.00", "bob": f"{paid}.00"}


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_crash_while_paying_a_code_is_healed_by_the_job(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(request_payments, "WAIT_STEPS_MAX", 2)
    alice, bob = await world.people(alice="50.00", bob="0.00")
    till = await till_of(bob, world)
    body_of(await till.show(), 200)
    async with another_process(world, database_url, point) as dying:
        with pytest.raises(Crash):
            await dying.shown_requests.pay(till.code(), memo="", caller=alice.caller(), key="k", now=world.clock.now)
    # Neither paid nor free: the payee's phone can't take it back while the dead process could still be paying.
    assert await state(bob, till.code()) == "accepted"
    assert refusal(await bob.post(f"{SHOWN}/{till.code()}/cancellation")) == (409, "request_not_open")
    assert refusal(await pay(alice, till.code(), key="k")) == (503, "payment_underway")
    connection = await asyncpg.connect(database_url)
    try:
        request_id = UUID(str(await connection.fetchval("SELECT request_id FROM payments.request")))
    finally:
        await connection.close()
    world.clock.move(seconds=request_payments.LEASE_SECONDS + 1)
    payments: Any = world.app.state.payments
    await payments.request_payments.keep_promise(f"{request_id}:1".encode(), world.clock.now)
    assert await state(bob, till.code()) == "paid"
    body_of(await pay(alice, till.code(), key="k"), 201)
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_a_person_shows_only_so_many_codes_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_requests, "SHOWN_MAX", 2)
    (bob,) = await world.people(bob="0.00")
    till = await till_of(bob, world)
    for number in (1, 2):
        body_of(await till.show(number=number), 200)
    assert refusal(await till.show(number=3)) == (422, "codes_too_many")
    body_of(await bob.post(f"{SHOWN}/{till.code(1)}/cancellation"), 200)
    body_of(await till.show(number=3), 200)
