"""The payments context put together, once per process: what `app.py` builds and hands to the routes."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from tikiwallet.identity.types import Directory, Obstacle, ObstacleKind, OutgoingCap, PersonId, StepUp
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
from tikiwallet.payments.types import HistoryItem, HistoryQuery, MoneyRequest, RequestQuery
from tikiwallet.payments.wallets import SQL, Wallets
from tikiwallet.platform.db import Database
from tikiwallet.platform.http import PAGE_SIZE_MAX
from tikiwallet.platform.jobs import Jobs

EXPORTED_MAX = 100_000  # a person who has more gets the newest of them


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
        outgoing: OutgoingCap,
        new_payee_limits: Sequence[str] = (),
    ) -> None:
        new_payees = NewPayees(
            ledger=ledger, step_up=step_up, limits_minor=read_limits(new_payee_limits, currencies=currencies)
        )
        self._db = db
        self._jobs = Jobs("payments")
        self.wallets = Wallets(db, ledger=ledger, directory=directory, currencies=currencies, tiers=tiers)
        self.transfers = Transfers(
            ledger=ledger, directory=directory, wallets=self.wallets, new_payees=new_payees, outgoing=outgoing
        )
        self.history = History(ledger=ledger, directory=directory, wallets=self.wallets)
        self.statements = Statements(ledger=ledger, directory=directory, history=self.history, wallets=self.wallets)
        self.papers = Papers()
        self.requests = Requests(db, directory=directory, wallets=self.wallets)
        self.request_payments = RequestPayments(
            db, jobs=self._jobs, requests=self.requests, wallets=self.wallets, new_payees=new_payees, outgoing=outgoing
        )
        self.shown_requests = ShownRequests(
            db, directory=directory, wallets=self.wallets, payments=self.request_payments, phone_owner=phone_owner
        )

    async def obstacles(self, person_id: PersonId) -> list[Obstacle]:
        """Return what is in the way of closing this person's wallet."""
        found = [
            Obstacle(kind=ObstacleKind.BALANCE, amount=balance)
            for balance in await self.wallets.balances(person_id)
            if balance.amount_minor
        ]
        if await self._db.pool.fetchval(SQL["is_paying_requests"], person_id):
            found.append(Obstacle(kind=ObstacleKind.PAYMENT))
        return found

    async def export(self, person_id: PersonId, *, now: datetime) -> dict[str, object]:
        """Return what this context holds of a person: balances, movements and requests, as the person sees them."""
        pages = {currency: await self._all_movements(person_id, currency) for currency in self.wallets.currencies}
        requests: list[MoneyRequest] = []
        cursor = ""
        while True:
            query = RequestQuery(cursor=cursor, limit=PAGE_SIZE_MAX)
            page = await self.requests.page(query, reader_id=person_id, now=now)
            requests += page.items
            if page.next_cursor is None or len(requests) >= EXPORTED_MAX:
                break
            cursor = page.next_cursor
        return {
            "limits": await self.wallets.allowances(person_id, now=now),
            "movements": pages,
            "requests": requests,
        }

    async def _all_movements(self, person_id: PersonId, currency: str) -> list[HistoryItem]:
        found: list[HistoryItem] = []
        cursor: int | None = None
        while len(found) < EXPORTED_MAX:
            query = HistoryQuery(currency=currency, cursor=cursor, limit=PAGE_SIZE_MAX)
            page = await self.history.page(person_id, query)
            found += page.items
            if page.next_cursor is None:
                break
            cursor = int(page.next_cursor)
        return found

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of payments for as long as the context lasts."""

        async def pay_request(key: bytes) -> None:
            await self.request_payments.keep_promise(key, clock())

        async with self._jobs.worker(self._db.driver_pool, {JOB_NAME: pay_request}):
            yield
