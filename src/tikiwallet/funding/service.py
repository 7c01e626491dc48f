"""The funding context put together, once per process: what `app.py` builds and hands to the routes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from tikiwallet.funding.banks import choose_demo_bank, choose_stripe
from tikiwallet.funding.books import Books
from tikiwallet.funding.card_testing import CardTesting
from tikiwallet.funding.held import Held
from tikiwallet.funding.operations import JOB_NAME, LOOK_JOB_NAME, Operations
from tikiwallet.funding.queries import SQL
from tikiwallet.funding.reconciliation import BankReconciliation, Entry, Provider, reconcile_bank
from tikiwallet.funding.types import Bank, FundingAbout
from tikiwallet.identity.types import OutgoingCap, PersonId, StepUp
from tikiwallet.ledger.types import Ledger
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Handler, Jobs
from tikiwallet.platform.money import Balance

RECONCILE_JOB_NAME = "reconcile_bank"
RECONCILE_HOUR = 5
RECONCILED = timedelta(days=35)
WRONG_LOGGED_MAX = 20
log = structlog.get_logger()


class Funding:
    """Top-ups and withdrawals, and Stripe. Raises `ConfigError` if the settings name the demo bank in production."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        ledger: Ledger,
        prepare_wallet: Callable[[PersonId], Awaitable[None]],
        step_up: StepUp,
        owed: Callable[[], Awaitable[list[Balance]]],
        outgoing: OutgoingCap,
        address_key: bytes = b"",
    ) -> None:
        self._db = db
        self.held = Held(db)
        self._jobs = Jobs("funding")
        self._ledger = ledger
        self._owed = owed  # what people are owed, by the books
        self._currencies = settings.currencies
        self._books = Books(ledger, prepare_wallet=prepare_wallet)
        self.stripe = choose_stripe(settings, db)
        # The demo bank has nothing to tell.
        self.provider: Provider | None = None if self.stripe is None else self.stripe.balance
        bank: Bank | None = choose_demo_bank(settings) if self.stripe is None else self.stripe.bank
        self.operations = Operations(
            db, jobs=self._jobs, books=self._books, bank=bank, currencies=settings.currencies,
            step_up=step_up, outgoing=outgoing, card_testing=CardTesting(db, key=address_key),
            require_nothing_owed=None if self.stripe is None else self.stripe.require_nothing_owed,
        )  # fmt: skip
        if self.stripe is not None:
            self.stripe.listen(self.operations, jobs=self._jobs, ledger=ledger)
        self.about = FundingAbout(
            provider="" if bank is None else bank.name,
            is_demo=bank is not None and bank.is_demo,
            has_cards=bank is not None and bank.takes_cards,
            publishable_key=settings.stripe_publishable_key,
            top_up_min_minor=1 if bank is None else bank.top_up_min_minor(),
        )

    async def reconcile_bank(
        self,
        *,
        bank: Sequence[Entry] = (),
        bank_balances: Sequence[Balance] = (),
        since: datetime,
        now: datetime,
    ) -> BankReconciliation:
        """Compare our books with the provider and with our bank's statement (see `reconciliation.py`)."""
        rows = await self._db.pool.fetch(SQL["subjects_underway"])
        return await reconcile_bank(
            self._ledger, provider=self.provider, bank=bank, bank_balances=bank_balances, owed=await self._owed(),
            underway={row["subject"] for row in rows}, since=since, now=now,
        )  # fmt: skip

    async def _promise_reconciliation(self, now: datetime) -> None:
        """Promise to reconcile tomorrow morning (UTC), once however many processes promise it."""
        due = (now + timedelta(days=1)).replace(hour=RECONCILE_HOUR, minute=0, second=0, microsecond=0)
        seconds = int((due - now).total_seconds())
        async with self._db.transaction() as tx:  # alone: it goes with no other fact
            await self._jobs.enqueue(tx, RECONCILE_JOB_NAME, key=f"{due:%Y-%m-%d}", after_seconds=seconds)

    async def reconcile_daily(self, now: datetime) -> None:
        """Compare the last weeks and say in the log what is wrong; the operator's alerts hang on that line."""
        await self._promise_reconciliation(now)
        found = await self.reconcile_bank(since=now - RECONCILED, now=now)
        tell = log.info if not found.wrong else log.error
        tell(
            "bank_reconciled",
            subjects=len(found.lines),
            wrong=[f"{line.finding.value} {line.subject}" for line in found.wrong[:WRONG_LOGGED_MAX]],
            oldest_days=max((line.age_days for line in found.wrong), default=0),
        )

    async def start(self) -> None:
        """Open the accounts that stand for the world outside. Repeatable."""
        await self._books.open_bank_accounts(self._currencies)

    async def disputes_in_words(self) -> list[str]:
        """Return a line for each dispute that waits for an answer or in which something is owed, for the operator."""
        return [] if self.stripe is None else await self.stripe.disputes.in_words()

    def handlers(self, clock: Callable[[], datetime]) -> dict[str, Handler]:
        """Return what keeps each kind of promise; each is repeatable."""

        async def continue_operation(key: bytes) -> None:
            await self.operations.keep_promise(key, clock())

        async def look_at_operation(key: bytes) -> None:
            await self.operations.look_at(UUID(key.decode()), clock())

        async def reconcile(_: bytes) -> None:
            await self.reconcile_daily(clock())

        found: dict[str, Handler] = {
            JOB_NAME: continue_operation,
            LOOK_JOB_NAME: look_at_operation,
            RECONCILE_JOB_NAME: reconcile,
        }
        return found if self.stripe is None else found | self.stripe.handlers(clock)

    async def promise_what_time_brings(self, now: datetime) -> None:
        """Begin what goes on for ever: each of these promises makes the next one. Repeatable."""
        if self.stripe is not None:
            await self.stripe.events.poll_again(now)
        if self.provider is not None:
            await self._promise_reconciliation(now)

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of funding for as long as the context lasts."""
        await self.promise_what_time_brings(clock())
        async with self._jobs.worker(self._db.driver_pool, self.handlers(clock)):
            yield
