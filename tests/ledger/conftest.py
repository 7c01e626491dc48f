"""Every story of posting is told twice: on PostgreSQL, and in memory where it is easy to believe."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import asyncpg
import pytest
from ledger_books import as_owner, nothing_is_replayed, open_ledger

from tikiwallet.ledger.memory import MemoryLedger
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import Ledger


@pytest.fixture(params=["postgres", "memory"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """Either ledger, empty."""
    if request.param == "memory":
        yield MemoryLedger(lambda: datetime.now(UTC))
        return
    found: Ledger = request.getfixturevalue("postgres")
    with nothing_is_replayed():
        yield found


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[PostgresLedger]:
    """The real ledger, empty."""
    async with open_ledger(database_url) as opened:
        yield opened


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything with the database of `postgres`."""
    async with as_owner(database_url) as connection:
        yield connection
