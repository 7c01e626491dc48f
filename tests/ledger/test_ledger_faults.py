"""What goes wrong inside the database: only the culprit fails, and linked transfers never stand half."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from ledger_books import ACCOUNT, balance, move, open_wallet, plant_error, until_somebody_waits
from structlog.testing import capture_logs

from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import PostOutcome, PostResult, Transfer

BANK, ALICE, BOB, CAROL = ACCOUNT.values()


@pytest.fixture
async def books(postgres: PostgresLedger) -> PostgresLedger:
    """Alice has 100; Bob and Carol nothing."""
    await open_wallet(postgres, ALICE, holds=100)
    await open_wallet(postgres, BOB)
    await open_wallet(postgres, CAROL)
    return postgres


async def break_account_of_carol(owner: asyncpg.Connection) -> None:
    """Her account forgets its postings, so that the next one has a number that is taken."""
    await owner.execute("UPDATE ledger.account SET posting_count = 0 WHERE account_id = $1", CAROL)


async def test_one_impossible_transfer_fails_alone(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    await books.post(move(ALICE, CAROL, 1))
    await break_account_of_carol(owner)
    batch = [move(ALICE, BOB, 1), move(ALICE, CAROL, 1), move(ALICE, BOB, 2), move(BOB, ALICE, 9)]
    outcomes = await books.attempt_many(batch)
    assert [r.outcome if isinstance(r, PostResult) else r.constraint_name for r in outcomes] == [
        PostOutcome.POSTED,
        "posting_numbered_once",
        PostOutcome.POSTED,
        PostOutcome.INSUFFICIENT_FUNDS,
    ]
    assert await balance(books, BOB) == 3
    assert await balance(books, CAROL) == 1


async def test_post_many_posts_the_others_and_then_tells(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    await books.post(move(ALICE, CAROL, 1))
    await break_account_of_carol(owner)
    with pytest.raises(asyncpg.UniqueViolationError):
        await books.post_many([move(ALICE, CAROL, 1), move(ALICE, BOB, 1)])
    assert await balance(books, BOB) == 1


async def test_an_error_inside_linked_transfers_leaves_nothing(
    books: PostgresLedger, owner: asyncpg.Connection
) -> None:
    await books.post(move(ALICE, CAROL, 1))
    await break_account_of_carol(owner)
    linked = [move(ALICE, BOB, 1), move(BOB, ALICE, 1), move(ALICE, CAROL, 1)]
    with pytest.raises(asyncpg.UniqueViolationError):
        await books.post_linked(linked)
    assert [await books.posted(transfer.transfer_id) for transfer in linked] == [None] * 3
    assert [await balance(books, account) for account in (ALICE, BOB)] == [99, 0]


async def _post_one(ledger: PostgresLedger, transfers: list[Transfer]) -> object:
    return await ledger.post(transfers[0])


@pytest.mark.parametrize(
    "post", [_post_one, PostgresLedger.post_many, PostgresLedger.post_linked], ids=["post", "post_many", "post_linked"]
)
async def test_a_server_that_goes_away_leaves_all_or_nothing(
    books: PostgresLedger, owner: asyncpg.Connection, post: object
) -> None:
    transfers = [move(ALICE, BOB, 1), move(ALICE, CAROL, 1)]
    with capture_logs() as logs:
        async with owner.transaction():
            await owner.execute("SELECT FROM ledger.account WHERE account_id = $1 FOR UPDATE", ALICE)
            waiting = asyncio.create_task(post(books, transfers))  # type: ignore[operator]
            await until_somebody_waits(owner)
            await owner.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'"""
            )
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await waiting
    assert logs == [], "a batch must not be replayed against a server that went away"
    assert [await balance(books, account) for account in (ALICE, BOB, CAROL)] == [100, 0, 0]
    results = await books.post_many(transfers)
    assert [result.outcome for result in results] == [PostOutcome.POSTED] * 2


async def test_a_replay_stops_when_the_server_goes_away(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    await plant_error(owner, note="poison", errcode="22000")
    await plant_error(owner, note="away", errcode="57P01")
    # Rows are written in the order of their ids: the batch meets the poison, and only its replay the server's end.
    poison = move(ALICE, BOB, 1, note="poison", transfer_id=UUID(int=1001))
    away = move(ALICE, BOB, 1, note="away", transfer_id=UUID(int=1002))
    first = move(ALICE, BOB, 1, transfer_id=UUID(int=1003))
    with pytest.raises(asyncpg.AdminShutdownError):
        await books.attempt_many([first, poison, away])
    assert await balance(books, BOB) == 1


async def test_a_client_that_gives_up_may_ask_again(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    """A caller that stops waiting doesn't know the outcome; the id tells."""
    transfer = move(ALICE, BOB, 5)
    async with owner.transaction():
        await owner.execute("SELECT FROM ledger.account WHERE account_id = $1 FOR UPDATE", ALICE)
        waiting = asyncio.create_task(books.post(transfer))
        await until_somebody_waits(owner)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (await books.post(transfer)).is_posted
    assert (await books.post(transfer)).outcome is PostOutcome.ALREADY_POSTED
    assert await balance(books, BOB) == 5
