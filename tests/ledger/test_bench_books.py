"""What is measured are books that could be somebody's: the seed breaks no rule, and its ledger posts on."""

import asyncpg
import pytest
from bench.books import Books, bookkeeper, seed
from ledger_books import open_database

from tikiwallet.ledger.reconcile import reconcile


@pytest.mark.parametrize("rounds", [0, 3])
async def test_seeded_books_are_right_and_stay_so(database_url: str, rounds: int) -> None:
    books = Books(account_count=100, rounds=rounds)
    await seed(database_url, books)
    async with bookkeeper(database_url, books) as caller:
        await caller.post(caller.transfers(50))
    async with open_database(database_url) as database:
        found = await reconcile(database)
    assert found.differences == ()
    assert found.account_count == books.account_count + 1
    assert found.posting_count == books.posting_count + 100


async def test_a_seed_changes_nothing_of_the_schema(database_url: str) -> None:
    """It takes indexes away and makes them again: they have to be the same ones."""

    async def indexes() -> list[tuple[str, str]]:
        connection = await asyncpg.connect(database_url)
        try:
            rows = await connection.fetch("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'ledger'")
        finally:
            await connection.close()
        return sorted((row["indexname"], row["indexdef"]) for row in rows)

    before = await indexes()
    await seed(database_url, Books(account_count=10, rounds=1))
    assert await indexes() == before
