"""A batch refers to accounts and repeated ids by number. A wrong number is a bug of ours: it must not cost anybody."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from ledger_books import ACCOUNT, balance, move, open_database, open_wallet

from tikiwallet.ledger.batch import arguments_of
from tikiwallet.ledger.reconcile import reconcile
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import PostOutcome

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
IDS = [UUID(int=901), UUID(int=902)]


@pytest.fixture
async def books(postgres: PostgresLedger) -> PostgresLedger:
    """Alice has 100; Bob and Carol nothing."""
    await open_wallet(postgres, ALICE, holds=100)
    await open_wallet(postgres, BOB)
    await open_wallet(postgres, CAROL)
    return postgres


async def post(
    owner: asyncpg.Connection, accounts: list[UUID], pairs: list[tuple[int, int]], firsts: list[int] | None = None
) -> list[str]:
    """Two transfers of 60, by hand. The outcomes."""
    return await owner.fetchval(
        """SELECT outcomes FROM ledger.post_batch($1, $2, $3, $4, $5, '{60,60}', '{SGD,SGD}', '{payment,payment}',
        '{one,two}', false)""",
        accounts,
        [IDS[0], IDS[0]] if firsts else IDS,
        firsts or [1, 2],
        [debit for debit, _ in pairs],
        [credit for _, credit in pairs],
    )  # fmt: skip


async def test_accounts_in_any_order_are_matched_by_their_ids(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    assert await post(owner, [CAROL, ALICE, BOB], [(2, 1), (1, 3)]) == ["posted", "posted"]
    assert [await balance(books, account) for account in (ALICE, BOB, CAROL)] == [40, 60, 0]


async def test_an_unknown_account_moves_no_other_number(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    assert await post(owner, [UUID(int=0), ALICE, BOB], [(2, 1), (2, 3)]) == ["account_unknown", "posted"]
    assert [await balance(books, account) for account in (ALICE, BOB)] == [40, 60]


async def test_a_number_that_points_nowhere_is_an_unknown_account(
    books: PostgresLedger, owner: asyncpg.Connection
) -> None:
    assert await post(owner, [ALICE, BOB], [(1, 3), (0, 2)]) == ["account_unknown", "account_unknown"]
    assert await balance(books, ALICE) == 100


async def test_an_account_listed_twice_is_not_spent_twice(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.UniqueViolationError) as error:
        await post(owner, [ALICE, ALICE, BOB, CAROL], [(1, 3), (2, 4)])
    assert error.value.constraint_name == "posting_numbered_once"
    assert [await balance(books, account) for account in (ALICE, BOB, CAROL)] == [100, 0, 0]


async def test_a_repeated_id_that_is_not_said_to_be_one_posts_nothing(
    books: PostgresLedger, owner: asyncpg.Connection
) -> None:
    with pytest.raises(asyncpg.SerializationError):
        await post(owner, [BANK, ALICE, BOB], [(1, 2), (1, 3)], firsts=[1, 2])
    assert [await balance(books, account) for account in (ALICE, BOB)] == [100, 0]


async def test_postings_never_stand_without_their_accounts(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    await owner.execute(
        """CREATE FUNCTION public.keep_old() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER planted BEFORE UPDATE ON ledger.account FOR EACH ROW WHEN (OLD.balance_minor = 0)
        EXECUTE FUNCTION public.keep_old();"""
    )
    with pytest.raises(asyncpg.AssertError):
        await books.post_linked([move(ALICE, BOB, 1), move(ALICE, CAROL, 1)])
    assert await balance(books, ALICE) == 100


async def test_text_that_looks_like_an_array_stays_text(books: PostgresLedger) -> None:
    notes = ['{"a",b}', "\\", '"', "NULL", "", "{}", "tab\tline\nreturn\r", "\u0001", "✓ ü 😀", "',$1"]
    transfers = [move(ALICE, BOB, 1, note=note) for note in notes]
    assert {r.outcome for r in await books.post_many(transfers)} == {PostOutcome.POSTED}
    assert [p.note for p in reversed(await books.statement(BOB))] == notes


async def test_the_driver_may_bring_its_own_kind_of_uuid(books: PostgresLedger, owner: asyncpg.Connection) -> None:
    ids = [await owner.fetchval("SELECT account_id FROM ledger.account WHERE account_id = $1", a) for a in (ALICE, BOB)]
    assert type(ids[0]) is not UUID
    batch = [move(ids[0], ids[1], 1, transfer_id=await owner.fetchval("SELECT gen_random_uuid()")) for _ in range(2)]
    assert [r.outcome for r in await books.post_many(batch)] == [PostOutcome.POSTED] * 2


async def test_the_batches_of_the_release_before_are_posted_too(
    books: PostgresLedger, owner: asyncpg.Connection, database_url: str
) -> None:
    """While servers are replaced one by one, both versions of the function are called."""
    transfers = [move(ALICE, BOB, 60), move(ALICE, BOB, 60), move(BOB, CAROL, 1)]
    columns: list[list[Any]] = [
        [getattr(transfer, name) for transfer in transfers]
        for name in ("transfer_id", "debit_account_id", "credit_account_id", "amount_minor", "currency", "kind", "note")
    ]
    earlier = "SELECT outcomes FROM ledger.post_batch($1, $2, $3, $4, $5, $6, $7, false)"
    assert await owner.fetchval(earlier, *columns) == ["posted", "insufficient_funds", "posted"]
    assert [r.outcome for r in await books.post_many(transfers)] == [
        PostOutcome.ALREADY_POSTED,
        PostOutcome.INSUFFICIENT_FUNDS,
        PostOutcome.ALREADY_POSTED,
    ]
    async with open_database(database_url) as database:
        assert (await reconcile(database)).is_right


async def test_what_stood_before_keeps_its_instant(books: PostgresLedger) -> None:
    old, twice, fresh = move(ALICE, BOB, 1), move(ALICE, BOB, 2), move(ALICE, CAROL, 3)
    first = await books.post(old)
    results = await books.post_many([twice, old, fresh, twice, move(ALICE, BOB, 9, transfer_id=old.transfer_id)])
    assert [r.outcome for r in results] == [
        "posted",
        "already_posted",
        "posted",
        "already_posted",
        "differs_from_posted",
    ]
    assert results[1].posted_at == first.posted_at
    assert results[0].posted_at == results[2].posted_at == results[3].posted_at
    assert results[0].posted_at > first.posted_at
    assert results[4].posted_at is None


def test_a_batch_names_each_account_once_and_in_order() -> None:
    repeated = move(BOB, ALICE, 1, transfer_id=uuid4())
    accounts, ids, firsts, debits, credits_, *_ = arguments_of([repeated, move(CAROL, BOB, 2), repeated], linked=False)
    assert accounts == f'{{"{ALICE}","{BOB}","{CAROL}"}}'
    assert str(ids).count(str(repeated.transfer_id)) == 2
    assert (firsts, debits, credits_) == ("{1,2,1}", "{2,3,2}", "{1,2,1}")
