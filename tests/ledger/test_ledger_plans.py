"""No question of a busy ledger reads a whole table, and a page of history touches a bounded number of pages.

The plans are those of sessions as the program opens them, on books of a size at which a scan would be felt.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from bench.books import Books, seed, wallet_id
from ledger_books import as_owner, move

from databases import database_of, execute
from tikiwallet.ledger.service import POSTING_NO_MAX, SQL, PostgresLedger
from tikiwallet.ledger.types import Limits, PostOutcome, TransferKind
from tikiwallet.platform.db import Database

BOOKS = Books(account_count=3000, rounds=12)
PAGE_SIZE = 20
# Root, branch and leaf of the index twice (a page may lie across two leaves), then at most one page for each posting.
PAGE_BUFFERS_MAX = 2 * 3 + PAGE_SIZE
# An instant is found by halving the account's history: each step looks at one posting.
INSTANT_BUFFERS_MAX = 60
ALICE, BOB, CAROL = (wallet_id(number) for number in range(3))
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def seeded(cluster: str, template: str) -> Iterator[str]:
    """The name of a database with 78 000 postings, written once; each test has a copy."""
    name = f"seeded_{uuid4().hex}"

    async def make() -> None:
        await execute(cluster, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        await seed(database_of(cluster, name), BOOKS)

    asyncio.run(make())
    yield name
    asyncio.run(execute(cluster, f"DROP DATABASE {name}"))


@pytest.fixture
async def database_url(cluster: str, seeded: str) -> AsyncIterator[str]:
    """The URL of a copy of the seeded database, for its owner."""
    name = f"t_{uuid4().hex}"
    await execute(cluster, f"CREATE DATABASE {name} TEMPLATE {seeded} STRATEGY FILE_COPY")
    yield database_of(cluster, name)
    await execute(cluster, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The ledger's own connection."""
    opened = Database(database_url, context="ledger", size_max=1)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def owner(database: Database, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with as_owner(database_url) as connection:
        yield connection


QUERIES: dict[str, list[object]] = {
    "accounts": [[ALICE, BOB]],
    "posted": [UUID(int=7)],
    "set_limits": [ALICE, 0, None, None, None],
    "close_account": [ALICE],
    "statement": [ALICE, POSTING_NO_MAX, None, None, [], 0, PAGE_SIZE],
}


async def explain(database: Database, name: str, arguments: list[object]) -> str:
    options = "ANALYZE, BUFFERS, TIMING off, SUMMARY off" if name == "statement" else "COSTS off"
    rows = await database.pool.fetch(f"EXPLAIN ({options}) {SQL[name]}", *arguments)
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_finds_its_rows_by_an_index(database: Database, name: str) -> None:
    plan = await explain(database, name, QUERIES[name])
    assert "Seq Scan" not in plan, plan
    assert "Index" in plan, plan


@pytest.mark.parametrize("until", [None, NOON], ids=["first page", "until an instant"])
async def test_a_page_of_history_touches_few_pages(database: Database, until: datetime | None) -> None:
    arguments: list[object] = [ALICE, POSTING_NO_MAX, None, until, [], 0, PAGE_SIZE]
    await explain(database, "statement", arguments)  # the first look of a session reads the catalogue
    plan = (await explain(database, "statement", arguments)).splitlines()
    scan = next(index for index, line in enumerate(plan) if "Index Scan Backward" in line)
    buffers = next(line for line in plan[scan:] if "Buffers:" in line)
    touched = sum(int(part.split("=")[1]) for part in buffers.split() if part.startswith(("hit=", "read=")))
    assert 0 < touched <= PAGE_BUFFERS_MAX + (0 if until is None else INSTANT_BUFFERS_MAX), "\n".join(plan)


async def scans(owner: asyncpg.Connection) -> dict[str, int]:
    """How often each table was read from end to end, as PostgreSQL counts it."""
    await owner.execute("SELECT pg_stat_clear_snapshot()")
    rows = await owner.fetch("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'ledger'")
    return {row["relname"]: row["seq_scan"] for row in rows}


@pytest.mark.parametrize("size", [1, 5, 250, 1000])
async def test_posting_scans_no_table(database: Database, owner: asyncpg.Connection, size: int) -> None:
    """What the functions ask inside has no plan to look at: the tables' own counters tell."""
    ledger = PostgresLedger(database)
    before = await scans(owner)
    transfers = [move(wallet_id(n), wallet_id(n + 1), 1) for n in range(size)]
    for _ in range(2):  # posted, then known: each way through the function
        results = [await ledger.post(transfers[0])] if size == 1 else await ledger.post_many(transfers)
        assert all(result.is_posted for result in results)
    assert (await ledger.post_linked([move(ALICE, BOB, 1), move(ALICE, wallet_id(-1), 1)]))[1].outcome is (
        PostOutcome.ACCOUNT_UNKNOWN
    )
    await ledger.set_limits(ALICE, Limits())
    await ledger.accounts([ALICE, BOB])
    assert await ledger.posted(uuid4()) is None
    assert await ledger.statement(CAROL, kinds=[TransferKind.PAYMENT], since=NOON)
    await database.pool.execute("SELECT pg_stat_force_next_flush()")
    assert await scans(owner) == before
