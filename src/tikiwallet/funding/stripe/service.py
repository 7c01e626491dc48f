"""Everything that talks to Stripe, put together once per process."""

from collections.abc import Callable
from datetime import datetime

from tikiwallet.funding.disputes import COLLECT_JOB_NAME, DISPUTE_JOB_NAME, DisputeKeeper
from tikiwallet.funding.operations import Operations
from tikiwallet.funding.stripe.balance import StripeBalance
from tikiwallet.funding.stripe.bank import StripeBank
from tikiwallet.funding.stripe.client import open_client
from tikiwallet.funding.stripe.disputes import StripeDisputes
from tikiwallet.funding.stripe.events import EVENT_JOB_NAME, POLL_JOB_NAME, Events
from tikiwallet.funding.stripe.payments import Payments
from tikiwallet.funding.stripe.payouts import Payouts
from tikiwallet.funding.stripe.people import Customers, PayoutAccounts
from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import Ledger
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Handler, Jobs


class Stripe:
    """The bank, people at Stripe, what Stripe tells, and Stripe's own client."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._settings = settings
        self._db = db
        self.sdk = open_client(settings)
        self.balance = StripeBalance(self.sdk)
        self.customers = Customers(db, self.sdk, public_url=settings.public_url)
        self.accounts = PayoutAccounts(
            db, self.sdk, public_url=settings.public_url, country=settings.stripe_country
        )  # fmt: skip
        self.bank = StripeBank(
            settings,
            payments=Payments(self.sdk, customers=self.customers, public_url=settings.public_url),
            payouts=Payouts(self.sdk, accounts=self.accounts),
            accounts=self.accounts,
        )

    def listen(self, operations: Operations, *, jobs: Jobs, ledger: Ledger) -> None:
        """Give what Stripe tells to those whom it concerns."""
        self.disputes = DisputeKeeper(
            self._db,
            jobs=jobs,
            ledger=ledger,
            ask=StripeDisputes(self._db, self.sdk).ask,
            look_at_operation=operations.look_at,
        )
        self.events = Events(
            self._db,
            self.sdk,
            jobs=jobs,
            secrets=self._settings.stripe_webhook_secrets,
            accounts=self.accounts,
            look_at_operation=operations.look_at,
            heard_of_dispute=self.disputes.heard,
        )

    def handlers(self, clock: Callable[[], datetime]) -> dict[str, Handler]:
        """Return what keeps the promises about Stripe; each is repeatable."""

        async def process_event(key: bytes) -> None:
            await self.events.process(key, clock())

        async def look_at_dispute(key: bytes) -> None:
            await self.disputes.keep_promise(key, clock())

        async def collect_owed(key: bytes) -> None:
            await self.disputes.collect_promised(key, clock())

        async def poll_events(key: bytes) -> None:
            # The next poll first: one that failed too often and parked would leave nobody polling.
            await self.events.poll_again(clock(), after=int(key))
            await self.events.poll(clock())

        return {
            EVENT_JOB_NAME: process_event,
            DISPUTE_JOB_NAME: look_at_dispute,
            COLLECT_JOB_NAME: collect_owed,
            POLL_JOB_NAME: poll_events,
        }

    async def require_nothing_owed(self, person_id: PersonId, now: datetime) -> None:
        """Refuse (`DisputeOwed`) a withdrawal to who owes something."""
        await self.disputes.require_nothing_owed(person_id, now)
