"""The payments context put together, once per process: what `app.py` builds and hands to the routes."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from tikiwallet.identity.types import Directory, StepUp
from tikiwallet.ledger.types import Ledger
from tikiwallet.payments.history import History
from tikiwallet.payments.new_payees import NewPayees, read_limits
from tikiwallet.payments.papers import Papers
from tikiwallet.payments.request_payments import JOB_NAME, RequestPayments
from tikiwallet.payments.requests import Requests
from tikiwallet.payments.shown_requests import PhoneOwner, ShownRequests
from tikiwallet.payments.statements import Statements
from tikiwallet.payments.tiers import Tiers
from tikiwallet.payments.transfers import Transfers
from tikiwallet.payments.wallets import Wallets
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Jobs


class Payments:
    """Wallets, transfers, histories and requests for money.

    `tiers` says what each tier may hold and send; `phone_owner` tells whose phone a key is on; `new_payee_limits` are
    settings like "SGD=20000". Raises `ConfigError` if they can't be read.
    """

    def __init__(
        self,
        db: Database,
        *,
        ledger: Ledger,
        directory: Directory,
        currencies: Sequence[str],
        tiers: Tiers,
        phone_owner: PhoneOwner,
        step_up: StepUp,
        new_payee_limits: Sequence[str] = (),
    ) -> None:
        new_payees = NewPayees(
            ledger=ledger, step_up=step_up, limits_minor=read_limits(new_payee_limits, currencies=currencies)
        )
        self._db = db
        self._jobs = Jobs("payments")
        self.wallets = Wallets(db, ledger=ledger, directory=directory, currencies=currencies, tiers=tiers)
        self.transfers = Transfers(ledger=ledger, directory=directory, wallets=self.wallets, new_payees=new_payees)
        self.history = History(ledger=ledger, directory=directory, wallets=self.wallets)
        self.statements = Statements(ledger=ledger, directory=directory, history=self.history, wallets=self.wallets)
        self.papers = Papers()
        self.requests = Requests(db, directory=directory, wallets=self.wallets)
        self.request_payments = RequestPayments(
            db, jobs=self._jobs, requests=self.requests, wallets=self.wallets, new_payees=new_payees
        )
        self.shown_requests = ShownRequests(
            db, directory=directory, wallets=self.wallets, payments=self.request_payments, phone_owner=phone_owner
        )

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of payments for as long as the context lasts."""

        async def pay_request(key: bytes) -> None:
            await self.request_payments.keep_promise(key, clock())

        async with self._jobs.worker(self._db.driver_pool, {JOB_NAME: pay_request}):
            yield
