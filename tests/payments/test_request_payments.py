"""Exactly one payment of a request, whoever crashes and whoever else presses a button."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from crashes import Crash, FailingLedger, make_jobs_due, open_database, open_ledger
from tikiwallet.ledger.types import PostResult, Transfer
from tikiwallet.payments import request_payments
from tikiwallet.payments.service import Payments
from tikiwallet.payments.tiers import read_tiers
from tikiwallet.platform.http import Overloaded
from tikiwallet.platform.jobs import NotYet
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def ask(payee: Someone, payer: Someone, text: str) -> str:
    order = {"payer": {"username": payer.username}, "amount": money(text)}
    asked = body_of(await payee.post("/v1/requests", order), 201)
    return f"/v1/requests/{asked['request_id']}"


def id_of(address: str) -> UUID:
    return UUID(address.rpartition("/")[2])


async def state(someone: Someone, address: str) -> str:
    return str(body_of(await someone.get(address), 200)["state"])


@contextlib.asynccontextmanager
async def another_process(
    world: World,
    database_url: str,
    point: str,
    *,
    error: type[Exception] = Crash,
    kind: type[FailingLedger] = FailingLedger,
) -> AsyncIterator[Payments]:
    """The payments of a second process, whose ledger fails `before` or `after` its first post, or `never`."""
    async with open_database(database_url, "payments") as database, open_ledger(database_url) as ledger:
        yield Payments(
            database,
            ledger=kind(ledger, point, error=error),
            directory=world.identity.people,
            currencies=("SGD",),
            tiers=read_tiers("", currencies=("SGD",), balance_max_minor=10**15),
            phone_owner=nobody,
            step_up=world.identity.step_up,
            outgoing=world.identity.outgoing,
        )


async def nobody(key_id: bytes) -> None:
    """No phone has a key here."""


async def crash(world: World, database_url: str, point: str, payer: Someone, address: str) -> None:
    """Let another process begin to pay a request with the key "k" and die at the ledger call."""
    async with another_process(world, database_url, point) as dying:
        with pytest.raises(Crash):
            await dying.request_payments.pay(id_of(address), caller=payer.caller(), key="k", now=world.clock.now)


async def test_paying_at_once_with_one_key_gives_equal_receipts(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    answers = await asyncio.gather(*(alice.post(f"{address}/payment", key="k") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_paying_at_once_with_many_keys_pays_once(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    answers = await asyncio.gather(*(alice.post(f"{address}/payment") for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    assert {refusal(answer) for answer in answers if answer.status_code != 201} == {(409, "request_not_open")}
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_paying_declining_and_cancelling_at_once_has_one_outcome(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    paid = 0
    for _ in range(6):
        address = await ask(bob, alice, "1.00")
        answers = await asyncio.gather(
            alice.post(f"{address}/decline"), bob.post(f"{address}/cancellation"), alice.post(f"{address}/payment"),
            alice.post(f"{address}/payment"),
        )  # fmt: skip
        won = [answer.json()["state"] for answer in answers if answer.status_code < 400]
        assert won == [await state(bob, address)]
        assert {refusal(answer) for answer in answers if answer.status_code >= 400} == {(409, "request_not_open")}
        paid += won == ["paid"]
    assert await world.balances() == {"alice": f"{50 - paid}.00", "bob": f"{paid}.00"}


async def test_without_enough_money_the_request_is_open_again(world: World) -> None:
    alice, bob = await world.people(alice="5.00", bob="0.00")
    address = await ask(bob, alice, "20.00")
    answers = await asyncio.gather(*(alice.post(f"{address}/payment", key="k") for _ in range(5)))
    assert {refusal(answer) for answer in answers} == {(422, "insufficient_funds")}
    assert await state(bob, address) == "open"
    body_of(await alice.top_up("30.00"), 201)
    body_of(await alice.post(f"{address}/payment", key="k"), 201)
    assert await world.balances() == {"alice": "15.00", "bob": "20.00"}


async def test_a_key_pays_one_request(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    first, second = await ask(bob, alice, "1.00"), await ask(bob, alice, "1.00")
    body_of(await alice.post(f"{first}/payment", key="k"), 201)
    assert refusal(await alice.post(f"{second}/payment", key="k")) == (422, "idempotency_key_reused")
    assert refusal(await alice.post(f"{first}/payment", key="another")) == (409, "request_not_open")
    assert await state(alice, second) == "open"


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_crash_around_the_ledger_call_is_healed_by_the_job(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(request_payments, "WAIT_STEPS_MAX", 2)
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    await crash(world, database_url, point, alice, address)
    # Nobody may touch it while the dead process could still be paying.
    assert await state(bob, address) == "accepted"
    assert refusal(await alice.post(f"{address}/payment", key="k")) == (503, "payment_underway")
    assert refusal(await alice.post(f"{address}/payment", key="other")) == (409, "request_not_open")
    assert refusal(await alice.post(f"{address}/decline")) == (409, "request_not_open")
    assert refusal(await bob.post(f"{address}/cancellation")) == (409, "request_not_open")
    promise = f"{id_of(address)}:1".encode()
    async with another_process(world, database_url, "never") as payments:
        with pytest.raises(NotYet):
            await payments.request_payments.keep_promise(promise, world.clock.now)
        world.clock.move(seconds=request_payments.LEASE_SECONDS)
        await payments.request_payments.keep_promise(promise, world.clock.now)
        assert await state(bob, address) == "paid"
        await payments.request_payments.keep_promise(promise, world.clock.now)  # again changes nothing
    body_of(await alice.post(f"{address}/payment", key="k"), 201)
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_the_payers_own_retry_heals_a_crash_too(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    await crash(world, database_url, "after", alice, address)
    world.clock.move(seconds=request_payments.LEASE_SECONDS)
    assert body_of(await alice.post(f"{address}/payment", key="k"), 201)["state"] == "paid"
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_who_lost_the_lease_still_tells_the_truth(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")

    class SlowLedger(FailingLedger):
        """While it thinks, the lease runs out and the payer's retry carries the payment through."""

        async def post(self, transfer: Transfer) -> PostResult:
            world.clock.move(seconds=request_payments.LEASE_SECONDS)
            assert body_of(await alice.post(f"{address}/payment", key="k"), 201)["state"] == "paid"
            return await super().post(transfer)

    async with another_process(world, database_url, "never", kind=SlowLedger) as slow:
        paid = await slow.request_payments.pay(id_of(address), caller=alice.caller(), key="k", now=world.clock.now)
    assert paid.state == "paid"
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_a_busy_ledger_lets_the_next_try_at_once(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    async with another_process(world, database_url, "before", error=Overloaded) as busy:
        with pytest.raises(Overloaded):
            await busy.request_payments.pay(id_of(address), caller=alice.caller(), key="k", now=world.clock.now)
    assert await state(alice, address) == "accepted"
    assert body_of(await alice.post(f"{address}/payment", key="k"), 201)["state"] == "paid"


async def test_a_healed_request_without_enough_money_is_open_again(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="5.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    await crash(world, database_url, "before", alice, address)
    world.clock.move(seconds=request_payments.LEASE_SECONDS)
    async with another_process(world, database_url, "never") as payments:
        await payments.request_payments.keep_promise(f"{id_of(address)}:1".encode(), world.clock.now)
    assert await state(alice, address) == "open"
    assert await world.balances() == {"alice": "5.00", "bob": "0.00"}


async def test_the_worker_of_the_application_keeps_the_promise(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    await crash(world, database_url, "before", alice, address)
    world.clock.move(seconds=request_payments.LEASE_SECONDS)
    await make_jobs_due(database_url, "payments")
    async with asyncio.timeout(20):
        while await state(alice, address) != "paid":
            pass
    assert await world.balances() == {"alice": "43.00", "bob": "7.00"}


async def test_the_database_refuses_a_state_that_cannot_follow(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = await ask(bob, alice, "7.00")
    body_of(await alice.post(f"{address}/decline"), 200)
    async with open_database(database_url, "payments") as database:
        with pytest.raises(asyncpg.CheckViolationError, match="cannot go from declined to open"):
            await database.pool.execute("UPDATE payments.request SET state = 'open'")
        for forbidden in (
            "UPDATE payments.request SET amount_minor = 1", "DELETE FROM payments.request",
            "UPDATE payments.wallet SET person_id = gen_random_uuid()", "DELETE FROM payments.wallet",
            "SELECT * FROM ledger.account",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await database.pool.execute(forbidden)
