"""A wallet whose bank is Stripe: the real client and the stand-in, joined without a network, for one process or many.

`Process` is the funding of one server process that can be made to die at a named point: before or after each commit,
each call of the ledger and each request to Stripe. Everything else, the next process included, is as in production.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec

from crashes import Death, open_database
from funding.proven import NeverAsks
from stripe_standin.client import BASE, Transport
from tikiwallet.funding.service import Funding
from tikiwallet.funding.stripe import client as stripe_client
from tikiwallet.funding.types import Operation, Through, TopUpOrder, WithdrawalOrder
from tikiwallet.identity.outgoing import OutgoingCaps
from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.totals import owed_to_people, totals
from tikiwallet.ledger.types import AccountKind, Limits, derive_account_id
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.http import Caller
from tikiwallet.platform.jobs import NotYet
from tikiwallet.platform.money import Amount, Balance
from tikiwallet.stripe_standin.app import App
from tikiwallet.stripe_standin.standin import API_KEY, StandIn

SECRET = "whsec_standin"
STRIPE_SETTINGS: dict[str, Any] = {
    "bank": "stripe",
    "stripe_api_key": API_KEY,
    "stripe_webhook_secrets": (SECRET,),
    "stripe_api_url": BASE,
    "withdrawal_fee_minor": 25,
}
ROUNDS_MAX = 40


def sgd(amount_minor: int) -> Amount:
    return Amount(amount_minor=amount_minor, currency="SGD")


class Points:
    """What a process does to the world, one point after the other; it dies at the one that is wanted."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.dies_at = -1
        self.dies_after = False

    @contextlib.asynccontextmanager
    async def at(self, name: str) -> AsyncIterator[None]:
        number = len(self.seen)
        self.seen.append(name)
        if number == self.dies_at and not self.dies_after:
            raise Death
        yield
        if number == self.dies_at and self.dies_after:
            raise Death


def _whose() -> str:
    """The function of funding that is at work."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if "/tikiwallet/funding/" in path and not path.endswith("/stripe/client.py"):
            return frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name
        frame = frame.f_back
    return "?"


class WatchedPool:
    """The pool, each of whose single statements that write is a commit."""

    def __init__(self, pool: asyncpg.Pool, points: Points) -> None:
        self._pool = pool
        self._points = points

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._pool, name)
        if name not in {"execute", "fetchrow", "fetchval", "fetch", "executemany"}:
            return call

        async def watched(sql: str, *arguments: Any) -> Any:
            if not sql.lstrip().startswith(("INSERT", "UPDATE")):
                return await call(sql, *arguments)
            async with self._points.at(f"commit {_whose()}"):
                return await call(sql, *arguments)

        return watched


class WatchedDatabase(Database):
    """The database, each of whose transactions is a commit."""

    def __init__(self, shared: Database, points: Points) -> None:
        self._shared = shared
        self.points = points

    @property
    def pool(self) -> Any:
        return WatchedPool(self._shared.pool, self.points)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        name = f"commit {_whose()}"
        number = len(self.points.seen)
        self.points.seen.append(name)
        async with self._shared.pool.acquire() as connection, connection.transaction():
            yield connection
            if number == self.points.dies_at and not self.points.dies_after:
                raise Death
        if number == self.points.dies_at and self.points.dies_after:
            raise Death


class WatchedLedger:
    """The ledger, each of whose changes is a point."""

    def __init__(self, ledger: PostgresLedger, points: Points) -> None:
        self._ledger = ledger
        self._points = points

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._ledger, name)
        if name not in {"post", "post_linked"}:
            return call

        async def watched(*arguments: Any, **named: Any) -> Any:
            async with self._points.at(f"ledger {_whose()}"):
                return await call(*arguments, **named)

        return watched


class WatchedTransport(httpx.AsyncBaseTransport):
    """The way to Stripe, each of whose requests that change something is a point."""

    def __init__(self, inner: Transport, points: Points) -> None:
        self._inner = inner
        self._points = points

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._points.at(f"stripe {request.method} {_whose()}"):
            return await self._inner.handle_async_request(request)


class Process:
    """The funding of one process."""

    def __init__(self, wallet: "StripeWallet", funding: Funding, points: Points) -> None:
        self._wallet = wallet
        self.funding = funding
        self.points = points
        self.failures: list[Exception] = []

    async def top_up(
        self, amount_minor: int, *, key: str = "k", through: str = "page", method_id: str = ""
    ) -> Operation:
        order = TopUpOrder(amount=sgd(amount_minor), through=Through(through), method_id=method_id)
        return await self.funding.operations.start(
            order, caller=self._wallet.caller, key=key, now=self._now(), address=str(self._wallet.person_id)
        )

    async def withdraw(self, amount_minor: int, *, key: str = "k") -> Operation:
        order = WithdrawalOrder(amount=sgd(amount_minor), fee_minor=25)
        return await self.funding.operations.start(order, caller=self._wallet.caller, key=key, now=self._now())

    async def hear(self) -> int:
        """Let Stripe's webhooks come."""

        async def take(payload: bytes, headers: dict[str, str]) -> int:
            await self.funding.stripe.events.receive(payload, headers["stripe-signature"], now=self._now())
            return 204

        return await self._wallet.standin.deliver(take)

    async def work(self) -> int:
        """Keep every promise that is due or not, once, as the job worker does; returns how many were kept."""
        handlers = self.funding.handlers(self._now)
        kept = 0
        for row in await self._wallet.owner.fetch("SELECT * FROM funding_jobs.pgqueuer WHERE status = 'queued'"):
            if row["entrypoint"] == "poll_events":
                continue
            try:
                await handlers[row["entrypoint"]](row["payload"])
            except NotYet:
                continue
            except Exception as error:  # tried again, as the job worker does
                self.failures.append(error)
                continue
            await self._wallet.owner.execute("DELETE FROM funding_jobs.pgqueuer WHERE id = $1", row["id"])
            kept += 1
        return kept

    def _now(self) -> datetime:
        return self._wallet.now


class StripeWallet:
    """A database, a stand-in, and one person after the other."""

    def __init__(self, database_url: str, owner: asyncpg.Connection, database: Database, books: Database) -> None:
        self.database_url = database_url
        self.owner = owner
        self._database = database
        self._books = books
        self.now = datetime(2026, 6, 1, tzinfo=UTC)
        self.standin = StandIn(run="test", clock=lambda: self.now, base_url=BASE, secrets=[SECRET])
        self.transport = Transport(App(self.standin))
        self.person_id = PersonId(uuid4())

    @contextlib.asynccontextmanager
    async def process(self, points: Points | None = None) -> AsyncIterator[Process]:
        """The funding of one process, until it stops or dies."""
        points = points or Points()
        database = WatchedDatabase(self._database, points)
        ledger = WatchedLedger(PostgresLedger(self._books), points)

        async def prepare_wallet(person_id: PersonId) -> None:
            """The wallet is open."""

        settings = msgspec.structs.replace(Settings(), **STRIPE_SETTINGS)
        transport = WatchedTransport(self.transport, points)
        with patched_client(transport):
            funding = Funding(
                database, settings, ledger=ledger, prepare_wallet=prepare_wallet, owed=self._owed,
                step_up=NeverAsks(), outgoing=OutgoingCaps(self._database, max_minor={}),
            )  # type: ignore[arg-type]  # fmt: skip
        await funding.start()
        points.seen.clear()
        yield Process(self, funding, points)

    async def _owed(self) -> list[Balance]:
        return owed_to_people(await totals(self._books))

    async def new_person(self) -> None:
        """The next story is about somebody else."""
        self.person_id = PersonId(uuid4())
        await PostgresLedger(self._books).open_account(
            self.wallet_id, kind=AccountKind.WALLET, currency="SGD", limits=Limits()
        )

    @property
    def caller(self) -> Caller:
        """Who orders: the person, in a session that may take money out."""
        return Caller(person_id=self.person_id, session_id=self.person_id)

    @property
    def wallet_id(self) -> UUID:
        return derive_account_id(self.person_id, AccountKind.WALLET, "SGD")

    async def balance(self) -> int:
        """What the person has, in minor units."""
        return await self.owner.fetchval(
            "SELECT balance_minor FROM ledger.account WHERE account_id = $1", self.wallet_id
        )  # fmt: skip

    def control(self, command: str, **said: Any) -> Any:
        """Do at Stripe what only a test can."""
        from tikiwallet.stripe_standin.control import control

        status, answer = control(self.standin, f"/_control/{command}", msgspec.json.encode(said))
        assert status in {200, 402}, answer
        return msgspec.json.decode(answer)

    def faults(self, *faults: dict[str, Any]) -> None:
        """Let the next requests go wrong."""
        from tikiwallet.stripe_standin.control import control

        status, answer = control(self.standin, "/_control/faults", msgspec.json.encode(list(faults)))
        assert status == 200, answer

    def newest(self, kind: str) -> dict[str, Any]:
        """The newest object of this kind at Stripe, of any account."""
        return next(iter(self.standin.store.all(kind, owner=None)))

    def all(self, kind: str) -> list[dict[str, Any]]:
        return list(self.standin.store.all(kind, owner=None))

    def move(self, **distance: float) -> None:
        """Let time pass."""
        self.now += timedelta(**distance)

    async def heal(self, *, hears: bool = True) -> None:
        """A new process does all that was promised, until nothing is left that can be done now."""
        async with self.process() as healthy:
            for _ in range(ROUNDS_MAX):
                self.move(seconds=121)  # the leases of who died or failed have run out
                heard = await healthy.hear() if hears else await self._poll(healthy)
                before = await self._state()
                await healthy.work()
                if not heard and before == await self._state():
                    if healthy.failures:
                        raise healthy.failures[0]
                    return
                healthy.failures.clear()
        raise AssertionError("it never comes to rest")

    async def _poll(self, process: Process) -> int:
        before = await self.owner.fetchval("SELECT count(*) FROM funding.provider_event")
        await process.funding.stripe.events.poll(self.now)
        return (await self.owner.fetchval("SELECT count(*) FROM funding.provider_event")) - before

    async def _state(self) -> list[Any]:
        return [
            *await self.owner.fetch("SELECT operation_id, state FROM funding.operation ORDER BY 1"),
            *await self.owner.fetch("SELECT * FROM funding.dispute ORDER BY dispute_id"),
            *await self.owner.fetch("SELECT account_id, balance_minor FROM ledger.account ORDER BY 1"),
            await self.owner.fetchval("SELECT count(*) FROM funding.provider_object"),
            await self.owner.fetchval("SELECT count(*) FROM funding.provider_event WHERE processed_at IS NULL"),
        ]

    async def require_agreement(self) -> None:
        """The ledger says of the world outside what Stripe's own books say, to the cent, and nothing is there twice."""
        bank = await self.owner.fetchval("SELECT -sum(balance_minor) FROM ledger.account WHERE kind = 'bank'") or 0
        frozen = await self.owner.fetchval("SELECT sum(amount_minor) FROM funding.dispute WHERE state = 'open'") or 0
        entries = self.standin.store.all("balance_transaction")
        at_stripe = sum(entry["amount"] for entry in entries if entry["type"] not in {"topup", "stripe_fee"})
        missing = await self.owner.fetchval(
            "SELECT coalesce(sum(amount_minor - fee_minor), 0) FROM funding.operation "
            "WHERE kind = 'withdrawal' AND state IN ('pending', 'confirmed')"
        )
        assert bank == at_stripe + frozen + missing, (bank, at_stripe, frozen, missing)
        async with self.process() as process:
            compared = await process.funding.reconcile_bank(since=datetime(2026, 1, 1, tzinfo=UTC), now=self.now)
        assert compared.wrong == []
        total = await self.owner.fetchval("SELECT sum(balance_minor) FROM ledger.account")
        assert total == 0
        for kind in ("checkout.session", "payment_intent", "refund", "transfer", "payout"):
            names = [
                item["metadata"]["operation_id"] for item in self.all(kind)
                if item["metadata"].get("operation_id") and item["status" if "status" in item else "id"] != "canceled"
            ]  # fmt: skip
            assert len(names) == len(set(names)), (kind, names)


@contextlib.contextmanager
def patched_client(transport: httpx.AsyncBaseTransport):
    """Let Stripe's client go this way instead of over a network."""
    from unittest.mock import patch

    original: Callable[..., Any] = stripe_client.open_client
    with patch(
        "tikiwallet.funding.stripe.service.open_client", lambda settings: original(settings, transport=transport)
    ):
        yield


@contextlib.asynccontextmanager
async def open_stripe_wallet(database_url: str) -> AsyncIterator[StripeWallet]:
    """A wallet with Stripe on this database; its first person has an empty wallet."""
    async with contextlib.AsyncExitStack() as stack:
        owner = await asyncpg.connect(database_url)
        stack.push_async_callback(owner.close)
        database = await stack.enter_async_context(open_database(database_url, "funding"))
        books = await stack.enter_async_context(open_database(database_url, "ledger"))
        wallet = StripeWallet(database_url, owner, database, books)
        await wallet.new_person()
        yield wallet
