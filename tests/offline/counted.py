"""Offline money that takes counted steps: everything that it makes durable, and a death after each."""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from crashes import Death
from offline.conftest import OfflineParts
from tikiwallet.ledger.types import Ledger
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection, Database

WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w|DELETE FROM|append_\w+\()")
READING = {"accounts", "posted", "statement"}


class CountedSteps:
    """Counts everything that is made durable, and dies after the n-th: what is then there is all that ever will be.

    Dying before a step leaves what dying after the step before left.
    """

    def __init__(self, die_after: int = 0) -> None:
        self.done: list[str] = []
        self._die_after = die_after

    async def take(self, name: str, step: Callable[[], Awaitable[Any]]) -> Any:
        result = await step()
        self.done.append(name)
        if len(self.done) == self._die_after:
            raise Death
        return result


class CountedLedger:
    """The real ledger; each call that writes is a step."""

    def __init__(self, ledger: Ledger, steps: CountedSteps) -> None:
        self._ledger, self._steps = ledger, steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if name in READING:
            return method
        return lambda *args, **kwargs: self._steps.take(name, lambda: method(*args, **kwargs))


class CountedConnection:
    """A real connection; each statement or outermost transaction that commits a change is a step."""

    def __init__(self, connection: Connection, steps: CountedSteps) -> None:
        self._connection, self._steps = connection, steps
        self._in_transaction = False

    async def execute(self, query: str, *arguments: object) -> Any:
        if self._in_transaction or query in {SQL["lock_closes"], SQL["unlock_closes"]}:
            return await self._connection.execute(query, *arguments)
        return await self._steps.take(_name_of(query), lambda: self._connection.execute(query, *arguments))

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        transaction = self._connection.transaction()
        await transaction.start()
        self._in_transaction = True
        try:
            yield
        except BaseException:
            await transaction.rollback()
            raise
        finally:
            self._in_transaction = False
        if not await self._connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL"):
            await transaction.commit()
            return
        await self._steps.take("transaction", transaction.commit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class CountedDatabase:
    """The real database; see `CountedConnection`. It is its own pool."""

    def __init__(self, database: Database, steps: CountedSteps) -> None:
        self._database, self._steps = database, steps
        self.pool = self

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[CountedConnection]:
        async with self._database.pool.acquire() as connection:
            yield CountedConnection(connection, self._steps)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[CountedConnection]:
        async with self.acquire() as connection, connection.transaction():
            yield connection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._database.pool, name)

        async def call(query: str, *arguments: object) -> Any:
            if WRITES.search(query) is None:
                return await method(query, *arguments)
            return await self._steps.take(_name_of(query), lambda: method(query, *arguments))

        return call


def _name_of(query: str) -> str:
    return next(name for name in SQL.names() if SQL[name] == query)


@contextlib.contextmanager
def counting(parts: OfflineParts, steps: CountedSteps) -> Iterator[None]:
    """Let every part of offline money take counted steps."""
    working = [part for part in vars(parts.offline).values() if hasattr(part, "_db")]
    before = [dict(vars(part)) for part in working]
    for part in working:
        part._db = CountedDatabase(part._db, steps)
        if hasattr(part, "_ledger"):
            part._ledger = CountedLedger(part._ledger, steps)
    try:
        yield
    finally:
        for part, kept in zip(working, before, strict=True):
            vars(part).update(kept)
