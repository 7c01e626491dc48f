"""A ledger that dies at a named point, for tests of what is left behind."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import Ledger, PostResult, Transfer
from tikiwallet.platform.db import Database


class Crash(Exception):
    """The process died here."""


class Death(BaseException):
    """The process died here, and with it the loops that survive every mistake of ours."""


class FailingLedger:
    """The real ledger, except that its n-th post fails: `before` it happens, or `after`, when nobody hears of it."""

    def __init__(self, ledger: Ledger, point: str, *, nth: int = 1, error: type[Exception] = Crash) -> None:
        self._ledger = ledger
        self._point = point
        self._posts_left = nth
        self._error = error

    async def post(self, transfer: Transfer) -> PostResult:
        self._posts_left -= 1
        if self._posts_left == 0 and self._point == "before":
            raise self._error
        result = await self._ledger.post(transfer)
        if self._posts_left == 0 and self._point == "after":
            raise self._error
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@contextlib.asynccontextmanager
async def open_database(database_url: str, context: str) -> AsyncIterator[Database]:
    """Connect as one context does."""
    database = Database(database_url, context=context, size_max=4)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def open_ledger(database_url: str) -> AsyncIterator[Ledger]:
    """The real ledger, beside the one of the application."""
    async with open_database(database_url, "ledger") as database:
        yield PostgresLedger(database)


async def make_jobs_due(database_url: str, context: str) -> None:
    """Let time pass for the jobs of a context: what was to begin later begins now."""
    queue, word = f"{context}_jobs.pgqueuer", f"{context}_jobs"
    owner = await asyncpg.connect(database_url)
    try:
        assert await owner.execute(f"UPDATE {queue} SET execute_after = now() WHERE status = 'queued'") != "UPDATE 0"
        event = {"channel": word, "operation": "update", "sent_at": "2026-01-01T00:00:00Z", "table": "pgqueuer"}
        await owner.execute("SELECT pg_notify($1, $2)", word, json.dumps({**event, "type": "table_changed_event"}))
    finally:
        await owner.close()
