"""Whatever dies in the middle of a top-up or withdrawal, the money ends in one place, and the books say where."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from crashes import Crash, FailingLedger, make_jobs_due, open_database, open_ledger
from funding.proven import NeverAsks
from tikiwallet.funding import operations
from tikiwallet.funding.books import Books
from tikiwallet.funding.demo_bank import PENDING_SECONDS, DemoBank
from tikiwallet.funding.operations import LeaseLost, Operations
from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, OperationKind, TopUpOrder, WithdrawalOrder
from tikiwallet.identity.outgoing import OutgoingCaps
from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import Limits
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.http import Overloaded
from tikiwallet.platform.jobs import Jobs, NotYet
from tikiwallet.platform.money import Amount
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")

TOP_UP, WITHDRAWAL = OperationKind.TOP_UP, OperationKind.WITHDRAWAL


class WatchedBank(DemoBank):
    """The demo bank, with what it was asked for and a moment to interfere."""

    def __init__(self, *, error: type[Exception] | None = None) -> None:
        self.asked: list[str] = []
        self._error = error

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        await self._ask("collect")
        return await super().collect(order, now=now)

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        await self._ask("pay_out")
        return await super().pay_out(order, now=now)

    async def give_back(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        await self._ask("give_back")
        return await super().give_back(order, now=now)

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self._error is not None:
            raise self._error


@contextlib.asynccontextmanager
async def another_process(
    database_url: str,
    *,
    point: str = "never",
    nth: int = 1,
    error: type[Exception] = Crash,
    bank: DemoBank | None = None,
) -> AsyncIterator[Operations]:
    """The funding of a second process; its ledger fails `before` or `after` its n-th post, or `never`."""

    async def prepare_wallet(_: PersonId) -> None:
        """The wallet is open since sign-up."""

    async with open_database(database_url, "funding") as database, open_ledger(database_url) as ledger:
        failing = FailingLedger(ledger, point, nth=nth, error=error)
        books = Books(failing, prepare_wallet=prepare_wallet)
        yield Operations(
            database,
            jobs=Jobs("funding"),
            books=books,
            bank=bank or DemoBank(),
            currencies=("SGD",),
            step_up=NeverAsks(),
            outgoing=OutgoingCaps(database, max_minor={}),  # whoever isn't capped never asks it
        )


async def start(process: Operations, kind: OperationKind, someone: Someone, text: str, now: datetime):
    order = (TopUpOrder if kind is TOP_UP else WithdrawalOrder)(amount=Amount(**money(text)))
    return await process.start(order, caller=someone.caller(), key="k", now=now)


async def promise_of(database_url: str) -> bytes:
    """The newest promise of funding."""
    async with open_database(database_url, "funding") as database:
        return await database.pool.fetchval("SELECT payload FROM funding_jobs.pgqueuer ORDER BY id DESC LIMIT 1")


@pytest.mark.parametrize(
    ("kind", "point", "nth"),
    [(kind, point, nth) for kind in (TOP_UP, WITHDRAWAL) for nth in (1, 2) for point in ("before", "after")],
)
async def test_a_crash_at_any_ledger_call_is_healed_by_the_job(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch, kind: OperationKind, point: str, nth: int
) -> None:
    """Each has two posts: into the account in flight and out of it."""
    monkeypatch.setattr(operations, "WAIT_STEPS_MAX", 2)
    (alice,) = await world.people(alice="50.00")
    async with another_process(database_url, point=point, nth=nth) as dying:
        with pytest.raises(Crash):
            await start(dying, kind, alice, "20.00", world.clock.now)
    path = "/v1/top-ups" if kind is TOP_UP else "/v1/withdrawals"
    underway = await alice.post(path, {"amount": money("20.00")}, key="k")
    assert refusal(underway) == (503, "operation_underway")
    assert underway.headers["retry-after"] == "1"
    promise = await promise_of(database_url)
    async with another_process(database_url) as healthy:
        with pytest.raises(NotYet):
            await healthy.keep_promise(promise, world.clock.now)
        world.clock.move(seconds=operations.LEASE_SECONDS)
        await healthy.keep_promise(promise, world.clock.now)
        await healthy.keep_promise(promise, world.clock.now)  # again changes nothing
    assert body_of(await alice.post(path, {"amount": money("20.00")}, key="k"), 201)["state"] == "settled"
    assert await world.balances() == {"alice": "70.00" if kind is TOP_UP else "30.00"}


async def test_a_bank_that_does_not_answer_is_asked_again(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    silent = WatchedBank(error=TimeoutError)
    async with another_process(database_url, bank=silent) as process:
        with pytest.raises(TimeoutError):
            await start(process, WITHDRAWAL, alice, "20.00", world.clock.now)
    assert silent.asked == ["pay_out"]
    assert await world.balances() == {"alice": "30.00"}  # set aside: the bank may have paid
    world.clock.move(seconds=operations.LEASE_SECONDS)
    withdrawal = await alice.post("/v1/withdrawals", {"amount": money("20.00")}, key="k")
    assert body_of(withdrawal, 201)["state"] == "settled"
    assert await world.balances() == {"alice": "30.00"}


async def test_a_wallet_that_filled_up_gives_a_top_up_back(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    bank = WatchedBank()
    async with another_process(database_url, bank=bank) as process:
        pending = await start(process, TOP_UP, alice, "20.37", world.clock.now)
        async with open_ledger(database_url) as ledger:
            await ledger.set_limits(wallet_account_id(alice.person_id, "SGD"), Limits(balance_max_minor=60_00))
        world.clock.move(seconds=PENDING_SECONDS)
        returned = await start(process, TOP_UP, alice, "20.37", world.clock.now)
        assert await start(process, TOP_UP, alice, "20.37", world.clock.now) == returned
    assert (pending.state, returned.state) == ("pending", "returned")
    assert bank.asked == ["collect", "collect", "give_back"]
    assert await world.balances() == {"alice": "50.00"}


async def test_a_crash_while_giving_back_does_not_credit_as_well(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    wallet = wallet_account_id(alice.person_id, "SGD")
    async with another_process(database_url) as process:
        await start(process, TOP_UP, alice, "20.37", world.clock.now)
    world.clock.move(seconds=PENDING_SECONDS)
    async with open_ledger(database_url) as ledger:
        await ledger.set_limits(wallet, Limits(balance_max_minor=60_00))
        async with another_process(database_url, point="after", nth=3) as dying:  # in, refused, back
            with pytest.raises(Crash):
                await start(dying, TOP_UP, alice, "20.37", world.clock.now)
        await ledger.set_limits(wallet, Limits())  # by now there would be room again, but the money has gone
    world.clock.move(seconds=operations.LEASE_SECONDS)
    async with another_process(database_url) as healthy:
        assert (await start(healthy, TOP_UP, alice, "20.37", world.clock.now)).state == "returned"
    assert await world.balances() == {"alice": "50.00"}


async def test_a_declined_withdrawal_waits_for_room_in_the_wallet(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    wallet = wallet_account_id(alice.person_id, "SGD")
    async with open_ledger(database_url) as ledger, another_process(database_url, point="before", nth=2) as dying:
        with pytest.raises(Crash):
            await start(dying, WITHDRAWAL, alice, "20.13", world.clock.now)
        await ledger.set_limits(wallet, Limits(balance_max_minor=40_00))
        world.clock.move(seconds=operations.LEASE_SECONDS)
        promise = await promise_of(database_url)
        async with another_process(database_url) as healthy:
            with pytest.raises(NotYet, match="returning"):
                await healthy.keep_promise(promise, world.clock.now)
            operation_id = UUID(promise.decode().partition(":")[0])
            shown = body_of(await alice.get(f"/v1/withdrawals/{operation_id}"), 200)
            assert shown["sentence"] == "Your bank said no; the money is on its way back to your wallet."
            await ledger.set_limits(wallet, Limits())
            await healthy.keep_promise(promise, world.clock.now)
    assert await world.balances() == {"alice": "50.00"}


async def test_a_busy_ledger_lets_the_next_try_at_once(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    async with another_process(database_url, point="before", error=Overloaded) as busy:
        with pytest.raises(Overloaded):
            await start(busy, WITHDRAWAL, alice, "20.00", world.clock.now)
    answer = await alice.post("/v1/withdrawals", {"amount": money("20.00")}, key="k")
    assert body_of(answer, 201)["state"] == "settled"


async def test_who_lost_the_lease_writes_nothing(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")

    class SlowBank(DemoBank):
        """While it thinks, the lease runs out and another process carries the operation through."""

        async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
            world.clock.move(seconds=operations.LEASE_SECONDS)
            answer = await alice.post("/v1/withdrawals", {"amount": money("20.00")}, key="k")
            assert body_of(answer, 201)["state"] == "settled"
            return BankAnswer(decision=Decision.DECLINED)

    async with another_process(database_url, bank=SlowBank()) as slow:
        with pytest.raises(LeaseLost):
            await start(slow, WITHDRAWAL, alice, "20.00", world.clock.now)
    assert await world.balances() == {"alice": "30.00"}


async def test_who_lost_the_lease_writes_nothing_even_when_nothing_changed(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    silent = WatchedBank(error=TimeoutError)

    class SlowBank(DemoBank):
        """While it thinks, the lease runs out and another process asks the bank too, so far without an answer."""

        async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
            world.clock.move(seconds=operations.LEASE_SECONDS)
            async with another_process(database_url, bank=silent) as other:
                with pytest.raises(TimeoutError):
                    await start(other, WITHDRAWAL, alice, "20.00", world.clock.now)
            return BankAnswer(decision=Decision.DECLINED)

    async with another_process(database_url, bank=SlowBank()) as slow:
        with pytest.raises(LeaseLost):
            await start(slow, WITHDRAWAL, alice, "20.00", world.clock.now)
    assert silent.asked == ["pay_out"]
    assert await world.balances() == {"alice": "30.00"}


async def test_the_worker_of_the_application_settles_what_was_pending(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    operation = body_of(await alice.top_up("20.37"), 201)
    world.clock.move(seconds=PENDING_SECONDS)
    await make_jobs_due(database_url, "funding")
    async with asyncio.timeout(20):
        while body_of(await alice.get(f"/v1/top-ups/{operation['operation_id']}"), 200)["state"] != "settled":
            pass
    assert await world.balances() == {"alice": "20.37"}


async def test_the_database_refuses_a_state_that_cannot_follow(world: World, database_url: str) -> None:
    await world.people(alice="50.00")
    async with open_database(database_url, "funding") as database:
        for state in ("requested", "returning", "declined"):
            with pytest.raises(asyncpg.CheckViolationError, match=f"cannot go from settled to {state}"):
                await database.pool.execute("UPDATE funding.operation SET state = $1", state)
        for forbidden in (
            "UPDATE funding.operation SET amount_minor = 1", "DELETE FROM funding.operation",
            "UPDATE funding.operation SET person_id = gen_random_uuid()", "SELECT * FROM ledger.account",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await database.pool.execute(forbidden)
