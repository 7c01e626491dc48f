"""A close that dies anywhere is finished by the next one, and ends as if nothing had happened."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from crashes import Crash
from offline.closes import assert_books_are_right, guarantee, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end
from offline.phone import Phone, double_spend
from tikiwallet.ledger.types import Ledger
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection, Database

READING = {"accounts", "posted", "statement"}


class CountedSteps:
    """Counts everything that a close makes durable, and dies before or after the n-th."""

    def __init__(self, die_at: int = 0, when: str = "after") -> None:
        self.done: list[str] = []
        self._die_at, self._when = die_at, when

    async def take(self, name: str, step: Callable[[], Awaitable[Any]]) -> Any:
        is_last = len(self.done) + 1 == self._die_at
        if is_last and self._when == "before":
            raise Crash
        result = await step()
        self.done.append(name)
        if is_last:
            raise Crash
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
        try:
            await self._steps.take("transaction", transaction.commit)
        except Crash:
            if self._connection.is_in_transaction():
                await transaction.rollback()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class CountedDatabase:
    """The real database; see `CountedConnection`."""

    def __init__(self, database: Database, steps: CountedSteps) -> None:
        self._database, self._steps = database, steps
        self.pool = self

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[CountedConnection]:
        async with self._database.pool.acquire() as connection:
            yield CountedConnection(connection, self._steps)

    async def executemany(self, query: str, arguments: Any) -> None:
        await self._steps.take(_name_of(query), lambda: self._database.pool.executemany(query, arguments))

    async def fetch(self, query: str, *arguments: object) -> Any:
        return await self._database.pool.fetch(query, *arguments)


def _name_of(query: str) -> str:
    return next(name for name in SQL.names() if SQL[name] == query)


@contextlib.contextmanager
def counting(parts: OfflineParts, steps: CountedSteps) -> Iterator[None]:
    """Let the close and its payouts take counted steps."""
    working = (parts.offline.closes, parts.offline.payouts)
    before = [(part._db, part._ledger) for part in working]
    for part in working:
        part._db = CountedDatabase(part._db, steps)  # type: ignore[assignment]
        part._ledger = CountedLedger(part._ledger, steps)  # type: ignore[assignment]
    try:
        yield
    finally:
        for part, (database, ledger) in zip(working, before, strict=True):
            part._db, part._ledger = database, ledger


async def a_double_spend(phone_of: PhoneOf) -> list[Phone]:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    double_spend(mallory, ben, chi, 2000)
    rest = ben.request(2000)
    ben.accept(mallory.sign_payment(rest, (mallory.voucher_piece(2000, 2000),)), rest)
    for phone in (ben, chi):
        await phone.sync()
    return [mallory, ben, chi]


STEPS = [
    "transaction", "begin_closing", "transaction", "open_account", "set_limits", "post_linked", "transaction",
    "post_many", "mark_payout_posted",
]  # fmt: skip


async def test_the_steps_of_a_close_are_all_counted(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    await a_double_spend(phone_of)
    await let_claims_end(database_url)
    steps = CountedSteps()
    with counting(offline_parts, steps):
        assert await offline_parts.offline.keep_up() == 1
    # A new step belongs into this list, and so gets crashes of its own below.
    assert steps.done == STEPS
    await assert_books_are_right(database_url)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(STEPS) + 1), ids=lambda at: f"{at}-{STEPS[at - 1]}")
async def test_a_close_that_dies_at_a_step_is_finished_by_the_next(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, number: int, when: str
) -> None:
    phones = await a_double_spend(phone_of)
    await let_claims_end(database_url)
    with counting(offline_parts, CountedSteps(number, when)), pytest.raises(Crash):
        await offline_parts.offline.keep_up()
    await offline_parts.offline.keep_up()
    assert await states(database_url) == ["closed"]
    # 20.00 were spent twice: 10.00 that he never spent, and the 10.00 in his wallet.
    assert await online_of(*phones) == (0, 4000, 2000)
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)
