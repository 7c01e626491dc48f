"""A wallet whose bank is Stripe: the real client and the stand-in, joined without a network, for one process or many.

`Process` is the funding of one server process that can be made to die at a named point (`points.py`). Everything else,
the next process included, is as in production.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec

from crashes import open_database
from funding.points import Points, WatchedDatabase, WatchedLedger, WatchedTransport
from funding.proven import NeverAsks
from sound_books import require_sound_books
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
FEE_MINOR = 25
STRIPE_SETTINGS: dict[str, Any] = {
    "bank": "stripe",
    "stripe_api_key": API_KEY,
    "stripe_webhook_secrets": (SECRET,),
    "stripe_api_url": BASE,
    "withdrawal_fee_minor": FEE_MINOR,
}
ROUNDS_MAX = 40
BEGINNING = datetime(2026, 6, 1, tzinfo=UTC)
AT_THEIR_TIME = ("poll_events", "reconcile_bank")  # promises that a story keeps when it says that it is time
EMPTIED = "; ".join(
    f"DELETE FROM {table}"
    for table in (
        "funding.dispute_taking", "funding.dispute", "funding.provider_object", "funding.operation",
        "funding.provider_event", "funding.customer", "funding.payout_account", "funding_jobs.pgqueuer",
        "funding_jobs.pgqueuer_log", "ledger.posting", "ledger.account",
    )
)  # fmt: skip


def sgd(amount_minor: int) -> Amount:
    return Amount(amount_minor=amount_minor, currency="SGD")


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
        order = WithdrawalOrder(amount=sgd(amount_minor), fee_minor=self._wallet.fee_minor)
        return await self.funding.operations.start(order, caller=self._wallet.caller, key=key, now=self._now())

    async def hear(self) -> int:
        """Let Stripe's webhooks come."""

        async def take(payload: bytes, headers: dict[str, str]) -> int:
            await self.funding.stripe.events.receive(payload, headers["stripe-signature"], now=self._now())
            return 204

        return await self._wallet.standin.deliver(take)

    async def work(self) -> int:
        """Keep every promise that is due or not, once, as the job worker does; returns how many were kept."""
        rows = await self._wallet.promises()
        return sum([await self._keep(row) for row in rows if row["entrypoint"] not in AT_THEIR_TIME])

    async def work_at_its_time(self, name: str) -> int:
        """Keep the promises of this name, whose time has come; returns how many were kept."""
        return sum([await self._keep(row) for row in await self._wallet.promises() if row["entrypoint"] == name])

    async def _keep(self, row: asyncpg.Record) -> int:
        try:
            await self.funding.handlers(self._now)[row["entrypoint"]](row["payload"])
        except NotYet:
            return 0
        except Exception as error:  # tried again, as the job worker does
            self.failures.append(error)
            return 0
        await self._wallet.owner.execute("DELETE FROM funding_jobs.pgqueuer WHERE id = $1", row["id"])
        return 1

    def _now(self) -> datetime:
        return self._wallet.now


class StripeWallet:
    """A database, a stand-in, and one person after the other."""

    def __init__(self, database_url: str, owner: asyncpg.Connection, database: Database, books: Database) -> None:
        self.database_url = database_url
        self.owner = owner
        self._database = database
        self._books = books
        self.ledger = PostgresLedger(books)
        self.is_checked = True  # whether every request and answer is compared with Stripe's description
        self.fee_minor = FEE_MINOR
        self.silence = timedelta(0)  # how long nobody is there when an answer doesn't come
        self.person_id = PersonId(uuid4())
        self._open_stripe()

    def _open_stripe(self) -> None:
        self.now = BEGINNING
        self.standin = StandIn(run="test", clock=lambda: self.now, base_url=BASE, secrets=[SECRET])
        self.transport = Transport(App(self.standin))
        self.transport.is_checked = self.is_checked

    async def begin_anew(self) -> None:
        """Forget everything, here and at Stripe: what happens next costs the same however much was before."""
        await self.owner.execute(EMPTIED)
        self._open_stripe()

    @contextlib.asynccontextmanager
    async def process(self, points: Points | None = None) -> AsyncIterator[Process]:
        """The funding of one process, until it stops or dies."""
        points = points or Points()
        database = WatchedDatabase(self._database, points)
        ledger = WatchedLedger(self.ledger, points)

        async def prepare_wallet(_: PersonId) -> None:
            await self._open_wallet(ledger)

        settings = msgspec.structs.replace(Settings(), **STRIPE_SETTINGS | {"withdrawal_fee_minor": self.fee_minor})
        transport = WatchedTransport(self.transport, points, notice_silence=self._wait)
        with patched_client(transport):
            funding = Funding(
                database, settings, ledger=ledger, prepare_wallet=prepare_wallet, owed=self._owed,
                step_up=NeverAsks(), outgoing=OutgoingCaps(self._database, max_minor={}),
            )  # type: ignore[arg-type]  # fmt: skip
        await funding.start()
        yield Process(self, funding, points)

    async def _owed(self) -> list[Balance]:
        return owed_to_people(await totals(self._books))

    async def new_person(self) -> None:
        """The next story is about somebody else."""
        self.person_id = PersonId(uuid4())
        await self._open_wallet(self.ledger)

    async def _open_wallet(self, ledger: Any) -> None:
        await ledger.open_account(self.wallet_id, kind=AccountKind.WALLET, currency="SGD", limits=Limits())

    def _wait(self) -> None:
        self.now += self.silence

    @property
    def caller(self) -> Caller:
        """Who orders: the person, in a session that may take money out."""
        return Caller(
            person_id=self.person_id, session_id=self.person_id, username="alice", phone="+6591234567", tier="phone"
        )

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

    async def promises(self) -> list[asyncpg.Record]:
        """The jobs that are queued, due or not."""
        return await self.owner.fetch("SELECT * FROM funding_jobs.pgqueuer WHERE status = 'queued' ORDER BY id")

    async def heal(self, points: Points | None = None, *, hears: bool = True) -> None:
        """A new process does all that was promised, until nothing is left that can be done now."""
        async with self.process(points) as healthy:
            for _ in range(ROUNDS_MAX):
                healthy.failures.clear()
                self.move(seconds=121)  # the leases of who died or failed have run out
                heard = await healthy.hear() if hears else await self._poll(healthy)
                before = await self._state()
                await healthy.work()
                if not heard and not healthy.failures and before == await self._state():
                    return
            if healthy.failures:
                raise healthy.failures[0]
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
        await require_sound_books(self.owner)
        for kind in ("customer", "account"):
            people = [item["metadata"]["person_id"] for item in self.all(kind)]
            assert len(people) == len(set(people)), (kind, people)
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
