"""The funding context put together, once per process: what `app.py` builds and hands to the routes."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from tikiwallet.funding.books import Books
from tikiwallet.funding.demo_bank import choose_bank
from tikiwallet.funding.operations import JOB_NAME, Operations
from tikiwallet.identity.types import PersonId, StepUp
from tikiwallet.ledger.types import Ledger
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Jobs


class Funding:
    """Top-ups and withdrawals. Raises `ConfigError` if the settings name the demo bank in production."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        *,
        ledger: Ledger,
        prepare_wallet: Callable[[PersonId], Awaitable[None]],
        step_up: StepUp,
    ) -> None:
        self._db = db
        self._jobs = Jobs("funding")
        self._currencies = settings.currencies
        self._books = Books(ledger, prepare_wallet=prepare_wallet)
        self.operations = Operations(
            db,
            jobs=self._jobs,
            books=self._books,
            bank=choose_bank(settings),
            currencies=settings.currencies,
            step_up=step_up,
        )

    async def start(self) -> None:
        """Open the accounts that stand for the world outside. Repeatable."""
        await self._books.open_bank_accounts(self._currencies)

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of funding for as long as the context lasts."""

        async def continue_operation(key: bytes) -> None:
            await self.operations.keep_promise(key, clock())

        async with self._jobs.worker(self._db.driver_pool, {JOB_NAME: continue_operation}):
            yield
