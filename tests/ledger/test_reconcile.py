"""Each kind of damage is planted by the owner of the database, and named."""

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from ledger_books import ACCOUNT, move, open_database, open_ledger, open_wallet

from tikiwallet.ledger.reconcile import DIFFERENCES_PER_RULE_MAX, Difference, Reconciliation, Rule, reconcile
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.platform.db import Database

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
LUNCH = UUID(int=1000)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Books with a bank, three people, two currencies, four transfers, and no mistake."""
    async with open_ledger(database_url) as ledger:
        await keep_books(ledger)
    async with open_database(database_url) as opened:
        yield opened


async def keep_books(ledger: PostgresLedger) -> None:
    """Alice has 30 after lunch, Bob 20, Carol 7 euros."""
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    await open_wallet(ledger, CAROL, holds=7, currency="EUR")
    await ledger.post(move(ALICE, BOB, 20, transfer_id=LUNCH))
    await ledger.post(move(BANK, BOB, 5))


def broken(found: Reconciliation) -> dict[Rule, list[str]]:
    """The subjects for each broken rule."""
    rules = {difference.rule: [] for difference in found.differences}
    for difference in found.differences:
        rules[difference.rule].append(difference.subject)
    return rules


async def test_right_books_have_no_difference(database: Database) -> None:
    found = await reconcile(database)
    assert found == Reconciliation(account_count=5, posting_count=8, differences=(), is_cut=False)
    assert found.is_right


async def test_empty_books_are_right(database_url: str) -> None:
    async with open_database(database_url) as database:
        found = await reconcile(database)
    assert found == Reconciliation(account_count=0, posting_count=0, differences=(), is_cut=False)


async def test_a_changed_balance_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE ledger.account SET balance_minor = balance_minor + 1 WHERE account_id = $1", ALICE)
    found = await reconcile(database)
    assert found.differences == (
        Difference(rule=Rule.CURRENCY_SUMS_TO_ZERO, subject="SGD", found="the balances sum to 1"),
        Difference(
            rule=Rule.BALANCE_IS_SUM_OF_POSTINGS, subject=str(ALICE), found="balance 31, the postings sum to 30"
        ),
    )
    assert not found.is_right


async def test_a_deleted_posting_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("DELETE FROM ledger.posting WHERE account_id = $1 AND posting_no = 1", BOB)
    assert broken(await reconcile(database)) == {
        Rule.BALANCE_IS_SUM_OF_POSTINGS: [str(BOB)],
        Rule.POSTINGS_HAVE_NO_GAP: [str(BOB)],
        Rule.RUNNING_BALANCE_FOLLOWS: [f"{BOB}/2"],
        Rule.TRANSFER_HAS_TWO_POSTINGS: [str(LUNCH)],
        Rule.POSTINGS_MIRROR_EACH_OTHER: [str(LUNCH)],
    }


async def test_a_lost_transfer_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("DELETE FROM ledger.posting WHERE transfer_id = $1", LUNCH)
    found = broken(await reconcile(database))
    assert found[Rule.BALANCE_IS_SUM_OF_POSTINGS] == [str(ALICE), str(BOB)]
    assert found[Rule.POSTINGS_HAVE_NO_GAP] == [str(ALICE), str(BOB)]


async def test_a_changed_amount_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute(
        "UPDATE ledger.posting SET amount_minor = 21 WHERE transfer_id = $1 AND amount_minor > 0", LUNCH
    )
    found = await reconcile(database)
    assert broken(found) == {
        Rule.BALANCE_IS_SUM_OF_POSTINGS: [str(BOB)],
        Rule.RUNNING_BALANCE_FOLLOWS: [f"{BOB}/1"],
        Rule.POSTINGS_MIRROR_EACH_OTHER: [str(LUNCH)] * 2,
    }
    assert "balance 20 after 0, then 21" in {difference.found for difference in found.differences}


async def test_a_wrong_running_balance_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE ledger.posting SET balance_minor = 19 WHERE account_id = $1 AND posting_no = 1", BOB)
    assert broken(await reconcile(database)) == {Rule.RUNNING_BALANCE_FOLLOWS: [f"{BOB}/1", f"{BOB}/2"]}


@pytest.mark.parametrize(
    "change", ["note = 'dinner'", "kind = 'correction'", "posted_at = posted_at + interval '1 second'"]
)
async def test_a_changed_word_on_one_side_is_named(database: Database, owner: asyncpg.Connection, change: str) -> None:
    await owner.execute(f"UPDATE ledger.posting SET {change} WHERE transfer_id = $1 AND amount_minor > 0", LUNCH)
    assert broken(await reconcile(database)) == {Rule.POSTINGS_MIRROR_EACH_OTHER: [str(LUNCH)] * 2}


async def test_a_renumbered_posting_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE ledger.posting SET posting_no = 9 WHERE account_id = $1 AND posting_no = 2", BOB)
    assert broken(await reconcile(database)) == {Rule.POSTINGS_HAVE_NO_GAP: [str(BOB)]}


async def test_a_third_side_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute(
        """INSERT INTO ledger.posting SELECT account_id, 3, transfer_id, other_account_id, amount_minor, 45, posted_at,
        kind, note FROM ledger.posting WHERE transfer_id = $1 AND amount_minor > 0""",
        LUNCH,
    )
    await owner.execute("UPDATE ledger.account SET balance_minor = 45, posting_count = 3 WHERE account_id = $1", BOB)
    assert broken(await reconcile(database)) == {
        Rule.CURRENCY_SUMS_TO_ZERO: ["SGD"],
        Rule.TRANSFER_HAS_TWO_POSTINGS: [str(LUNCH)],
    }


async def test_a_changed_currency_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE ledger.account SET currency = 'EUR' WHERE account_id = $1", BOB)
    found = broken(await reconcile(database))
    assert found[Rule.CURRENCY_SUMS_TO_ZERO] == ["EUR", "SGD"]
    assert str(LUNCH) in found[Rule.TRANSFER_KEEPS_ITS_CURRENCY]


async def test_a_lost_account_is_named(database: Database, owner: asyncpg.Connection) -> None:
    await owner.execute("DELETE FROM ledger.account WHERE account_id = $1", BOB)
    assert broken(await reconcile(database)) == {
        Rule.CURRENCY_SUMS_TO_ZERO: ["SGD"],
        Rule.POSTING_HAS_AN_ACCOUNT: [f"{BOB}/1", f"{BOB}/2"],
    }


async def test_a_long_list_is_cut(database: Database, postgres: PostgresLedger, owner: asyncpg.Connection) -> None:
    await postgres.post_many([move(BANK, ALICE, 1) for _ in range(DIFFERENCES_PER_RULE_MAX + 1)])
    await owner.execute("UPDATE ledger.posting SET balance_minor = -balance_minor WHERE account_id = $1", ALICE)
    found = await reconcile(database)
    assert found.is_cut
    assert len(found.differences) == DIFFERENCES_PER_RULE_MAX
