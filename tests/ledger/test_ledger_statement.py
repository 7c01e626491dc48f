"""The history of one account, a page at a time."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import asyncpg
import pytest
from ledger_books import ACCOUNT, move, open_database, open_wallet

from tikiwallet.ledger.service import POSTING_NO_MAX, SQL, PostgresLedger
from tikiwallet.ledger.types import (
    STATEMENT_PAGE_MAX,
    AccountId,
    Direction,
    Ledger,
    Posting,
    TransferKind,
)

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


async def test_a_statement_tells_the_whole_story_newest_first(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    lunch = move(ALICE, BOB, 20, note="lunch")
    posted_at = (await ledger.post(lunch)).posted_at
    page = await ledger.statement(ALICE)
    assert page[0] == Posting(
        posting_no=2, transfer_id=lunch.transfer_id, other_account_id=BOB, amount_minor=-20, balance_minor=30,
        kind=TransferKind.PAYMENT, note="lunch", posted_at=posted_at,
    )  # fmt: skip
    assert [(p.posting_no, p.amount_minor, p.balance_minor) for p in page] == [(2, -20, 30), (1, 50, 50)]
    assert (await ledger.statement(BOB))[0].other_account_id == ALICE


async def test_pages_follow_each_other_while_new_postings_arrive(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE)
    await ledger.post_many([move(BANK, ALICE, 1) for _ in range(5)])
    first = await ledger.statement(ALICE, limit=2)
    await ledger.post(move(BANK, ALICE, 1))
    second = await ledger.statement(ALICE, limit=2, before_posting_no=first[-1].posting_no)
    last = await ledger.statement(ALICE, limit=2, before_posting_no=second[-1].posting_no)
    end = await ledger.statement(ALICE, limit=2, before_posting_no=last[-1].posting_no)
    assert [[p.posting_no for p in page] for page in (first, second, last, end)] == [[5, 4], [3, 2], [1], []]


async def test_filters_thin_the_statement(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB, holds=50)
    for kind in (TransferKind.PAYMENT, TransferKind.LOAD):
        await ledger.post_many([move(ALICE, BOB, 1, kind=kind), move(BOB, ALICE, 1, kind=kind)])

    async def numbers(**filters: object) -> list[int]:
        return [p.posting_no for p in await ledger.statement(ALICE, **filters)]  # type: ignore[arg-type]

    assert await numbers() == [5, 4, 3, 2, 1]
    assert await numbers(direction=Direction.OUT) == [4, 2]
    assert await numbers(direction=Direction.IN) == [5, 3, 1]
    assert await numbers(kinds=[TransferKind.PAYMENT]) == [3, 2]
    assert await numbers(kinds={TransferKind.PAYMENT, TransferKind.TOP_UP}) == [3, 2, 1]
    assert await numbers(kinds=[TransferKind.LOAD], direction=Direction.IN, limit=1) == [5]
    assert await numbers(kinds=[TransferKind.SETTLEMENT]) == []
    assert await numbers(since=datetime.now(UTC) - timedelta(hours=1)) == [5, 4, 3, 2, 1]
    assert await numbers(since=datetime.now(UTC) + timedelta(hours=1)) == []
    assert await numbers(until=datetime.now(UTC) - timedelta(hours=1)) == []
    assert await numbers(until=datetime.now(UTC) + timedelta(hours=1), before_posting_no=3) == [2, 1]


async def test_an_unknown_account_has_an_empty_statement(ledger: Ledger) -> None:
    assert await ledger.statement(ALICE) == []
    assert await ledger.statement(ALICE, since=NOON, until=NOON) == []


IMPOSSIBLE: list[dict[str, object]] = [
    {"limit": 0},
    {"limit": STATEMENT_PAGE_MAX + 1},
    {"before_posting_no": 0},
    {"before_posting_no": 2**63},
    {"since": datetime(2026, 1, 5)},  # noqa: DTZ001
    {"until": datetime(2026, 1, 5)},  # noqa: DTZ001
]


async def test_an_impossible_page_is_a_bug_of_the_caller(ledger: Ledger) -> None:
    for page in IMPOSSIBLE:
        with pytest.raises(AssertionError):
            await ledger.statement(ALICE, **page)  # type: ignore[arg-type]


async def test_since_is_included_and_until_is_not(postgres: PostgresLedger, owner: asyncpg.Connection) -> None:
    """Seven postings, one an hour from one o'clock: every pair of edges, on the hour and between."""
    await open_wallet(postgres, ALICE)
    await postgres.post_many([move(BANK, ALICE, 1) for _ in range(7)])
    await owner.execute("UPDATE ledger.posting SET posted_at = $1::timestamptz + posting_no * interval '1 hour'", NOON)
    edges = [NOON + timedelta(minutes=30 * half) for half in range(18)]
    for since in edges:
        for until in edges:
            page = await postgres.statement(ALICE, since=since.astimezone(timezone(timedelta(hours=8))), until=until)
            expected = [n for n in range(7, 0, -1) if since <= NOON + timedelta(hours=n) < until]
            assert [p.posting_no for p in page] == expected


async def test_several_postings_of_one_instant_stay_together(postgres: PostgresLedger) -> None:
    await open_wallet(postgres, ALICE)
    batches = [await postgres.post_many([move(BANK, ALICE, 1) for _ in range(4)]) for _ in range(3)]
    instants = [batch[0].posted_at for batch in batches]
    assert instants == sorted(set(instants))
    middle = await postgres.statement(ALICE, since=instants[1], until=instants[2])
    assert [p.posting_no for p in middle] == [8, 7, 6, 5]


@pytest.mark.parametrize("instants", [(None, None), (NOON, datetime(2100, 1, 1, tzinfo=UTC))], ids=["all", "by time"])
async def test_a_page_is_one_range_of_the_primary_key(
    postgres: PostgresLedger, owner: asyncpg.Connection, database_url: str, instants: tuple[datetime | None, ...]
) -> None:
    await open_wallet(postgres, ALICE)
    await postgres.post_many([move(BANK, ALICE, 1) for _ in range(1000)])
    await owner.execute("ANALYZE ledger.account, ledger.posting")
    async with open_database(database_url) as database:
        rows = await database.pool.fetch(
            "EXPLAIN " + SQL["statement"], ALICE, POSTING_NO_MAX, *instants, [], 0, STATEMENT_PAGE_MAX
        )
    plan = "\n".join(row[0] for row in rows)
    assert "Index Scan Backward using posting_numbered_once" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan, plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert condition.count("posting_no ") == 3, plan


async def test_a_session_that_saw_empty_tables_never_scans_them(database_url: str, owner: asyncpg.Connection) -> None:
    """Its plans were made when a scan was the cheapest way; it keeps them while the tables grow."""

    async def scans_of_postings() -> int:
        await owner.execute("SELECT pg_stat_clear_snapshot()")
        return await owner.fetchval("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'posting'")

    before = await scans_of_postings()
    async with open_database(database_url) as database:
        ledger = PostgresLedger(database)
        people = [AccountId(UUID(int=100 + number)) for number in range(20)]
        for person in people:
            await open_wallet(ledger, person, holds=100)
        await ledger.post_many([move(people[n % 20], people[(n + 1) % 20], 1) for n in range(300)])
        assert await ledger.posted(uuid4()) is None
        assert len(await ledger.statement(people[0])) == 31
        await database.pool.execute("SELECT pg_stat_force_next_flush()")
        assert await scans_of_postings() == before


async def test_a_transfer_reads_back_as_it_was_asked(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50, currency="EUR")
    await open_wallet(ledger, BOB, currency="EUR")
    transfer = move(ALICE, BOB, 7, currency="EUR", kind=TransferKind.SETTLEMENT, note="taxi ✓")
    assert await ledger.posted(transfer.transfer_id) is None
    await ledger.post(transfer)
    assert await ledger.posted(transfer.transfer_id) == transfer
