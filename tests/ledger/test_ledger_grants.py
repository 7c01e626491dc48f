"""What the database itself refuses, whatever our code would like."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from ledger_books import ACCOUNT, move, open_database, open_wallet

from tikiwallet.app import CONTEXTS
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import AccountId, AccountKind, Limits, PostOutcome, TransferKind
from tikiwallet.platform.db import Database

BANK, ALICE, BOB, CAROL = ACCOUNT.values()

FORBIDDEN = [
    "UPDATE ledger.posting SET note = 'changed'",
    "UPDATE ledger.posting SET amount_minor = 1 WHERE false",
    "DELETE FROM ledger.posting",
    "TRUNCATE ledger.posting",
    "ALTER TABLE ledger.posting ADD COLUMN more text",
    "DROP TABLE ledger.posting",
    "CREATE TRIGGER t BEFORE INSERT ON ledger.posting FOR EACH ROW EXECUTE FUNCTION ledger.refuse_past_limit()",
    "DELETE FROM ledger.account",
    "TRUNCATE ledger.account",
    "UPDATE ledger.account SET currency = 'EUR'",
    "UPDATE ledger.account SET kind = 'bank'",
    "UPDATE ledger.account SET account_id = other_account_id FROM ledger.posting",
    "UPDATE ledger.account SET opened_at = now()",
    "INSERT INTO ledger.account (account_id, kind, currency, balance_minor) SELECT gen_random_uuid(), 'bank', 'SGD', 5",
    "ALTER TABLE ledger.account DROP CONSTRAINT balance_not_below_min",
    "ALTER TABLE ledger.account DISABLE TRIGGER balance_not_above_max",
    "CREATE TABLE ledger.more (id int)",
]


@pytest.fixture
async def database(postgres: PostgresLedger, database_url: str) -> AsyncIterator[Database]:
    """The ledger's own role, on books where Alice has 30 of 50 left and Bob got 20."""
    await open_wallet(
        postgres, ALICE, holds=50, balance_max_minor=60, out_per_day_max_minor=20, out_per_month_max_minor=20
    )
    await open_wallet(postgres, BOB)
    await postgres.post(move(ALICE, BOB, 20))
    async with open_database(database_url) as opened:
        yield opened


async def is_forbidden(database: Database, statement: str) -> bool:
    """Whether the role lacks the privilege; any other error fails the test."""
    try:
        await database.pool.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def test_the_role_of_the_ledger_may_only_add(database: Database) -> None:
    assert [statement for statement in FORBIDDEN if not await is_forbidden(database, statement)] == []


OUTSIDE = [
    "SELECT FROM ledger.account",
    "SELECT FROM ledger.posting",
    "SELECT ledger.post_one(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'SGD', 'payment', '')",
    "SELECT ledger.posting_no_at(gen_random_uuid(), now())",
]


async def test_no_other_context_reaches_the_ledger_below_its_types(database_url: str) -> None:
    for context in CONTEXTS:
        if context != "ledger":
            other = Database(database_url, context=context, size_max=1)
            await other.open()
            assert [statement for statement in OUTSIDE if not await is_forbidden(other, statement)] == [], context
            await other.close()


BROKEN_ACCOUNTS = {
    "balance_not_below_min": "SET balance_minor = -1",
    "balance_not_above_max": "SET balance_minor = 61",
    "balance_in_range": "SET balance_max_minor = NULL, balance_minor = 1000000000000000001",
    "people_never_overdrawn": "SET balance_min_minor = NULL",
    "closed_account_is_empty": "SET closed_at = now()",
    "posting_count_not_negative": "SET posting_count = -1",
    "out_per_day_not_above_max": "SET out_day_minor = 21",
    "out_day_minor_in_range": "SET out_day_minor = -1",
    "out_per_month_not_above_max": "SET out_month_minor = 21",
    "out_month_minor_in_range": "SET out_month_minor = -1",
    "month_limit_in_range": "SET out_per_month_max_minor = -1",
    "limits_in_range": "SET balance_max_minor = -1",
}


async def broken_rule(database: Database, statement: str, *arguments: object) -> str:
    """The name of the rule that stops the statement."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as error:
        await database.pool.execute(statement, *arguments)
    return str(error.value.constraint_name)


async def test_an_account_breaks_no_rule(database: Database) -> None:
    for rule, change in BROKEN_ACCOUNTS.items():
        assert await broken_rule(database, f"UPDATE ledger.account {change} WHERE account_id = $1", ALICE) == rule


BROKEN_OPENINGS = {
    "account_kind_known": "'piggy_bank', 'SGD', 0",
    "currency_is_a_code": "'bank', 'sgd', 0",
    "limits_in_range": "'bank', 'SGD', -1000000000000000001",
    "people_never_overdrawn": "'escrow', 'SGD', NULL",
    "balance_not_below_min": "'bank', 'SGD', 1",
}


async def test_no_account_opens_against_a_rule(database: Database) -> None:
    for rule, values in BROKEN_OPENINGS.items():
        columns = "account_id, kind, currency, balance_min_minor"
        insert = f"INSERT INTO ledger.account ({columns}) VALUES (gen_random_uuid(), {values})"
        assert await broken_rule(database, insert) == rule


BROKEN_POSTINGS = {
    "posting_numbered_once": {"posting_no": "1"},
    "posting_no_from_one": {"posting_no": "0"},
    "posting_between_two_accounts": {"other_account_id": "account_id"},
    "amount_in_range": {"amount_minor": "1000000000000001"},
    "transfer_kind_known": {"kind": "'gift'"},
    "note_length": {"note": "repeat('x', 141)"},
    "transfer_posted_once": {},
}


COLUMNS = (
    "account_id", "posting_no", "transfer_id", "other_account_id", "amount_minor", "balance_minor", "posted_at", "kind",
    "note",
)  # fmt: skip


async def test_a_posting_breaks_no_rule(database: Database) -> None:
    for rule, change in BROKEN_POSTINGS.items():
        values = {name: name for name in COLUMNS} | {"posting_no": "9"} | change
        insert = f"INSERT INTO ledger.posting ({', '.join(values)}) SELECT {', '.join(values.values())}"
        copied = f"{insert} FROM ledger.posting WHERE account_id = $1 AND amount_minor < 0"
        assert await broken_rule(database, copied, ALICE) == rule


async def test_a_transfer_to_oneself_is_refused_by_the_functions_too(database: Database) -> None:
    one = "SELECT ledger.post_one(gen_random_uuid(), $1, $1, 1, 'SGD', 'payment', '')"
    batch = """SELECT ledger.post_batch(ARRAY[$1::uuid], ARRAY[gen_random_uuid()], ARRAY[1], ARRAY[1], ARRAY[1],
        ARRAY[1::bigint], ARRAY['SGD'], ARRAY['payment'], ARRAY[''], false)"""
    earlier = """SELECT ledger.post_batch(ARRAY[gen_random_uuid()], ARRAY[$1::uuid], ARRAY[$1::uuid], ARRAY[1::bigint],
        ARRAY['SGD'], ARRAY['payment'], ARRAY[''], false)"""
    for call in (one, batch, earlier):
        assert await broken_rule(database, call, BANK) == "posting_between_two_accounts"


async def test_a_lowered_limit_stops_nothing_that_goes_the_right_way(
    database: Database, postgres: PostgresLedger
) -> None:
    """The two rules that are triggers look at the direction: only past the limit is refused."""
    lowered = Limits(balance_max_minor=10, out_per_day_max_minor=10, out_per_month_max_minor=10)
    await postgres.set_limits(ALICE, lowered)
    for change in (
        "balance_minor = 29", "out_day = out_day - 1, out_day_minor = 9", "out_day_minor = 10",
        "out_month_minor = 19", "out_day = out_day + 40, out_month_minor = 10",
    ):  # fmt: skip
        await database.pool.execute(f"UPDATE ledger.account SET {change} WHERE account_id = $1", ALICE)
    for change in (
        "balance_minor = 30", "out_day = out_day + 1, out_day_minor = 11",
        "out_month_minor = 11", "out_day = out_day + 40, out_month_minor = 11",
    ):  # fmt: skip
        with pytest.raises(asyncpg.CheckViolationError):
            await database.pool.execute(f"UPDATE ledger.account SET {change} WHERE account_id = $1", ALICE)


async def test_every_kind_of_account_may_be_opened(postgres: PostgresLedger) -> None:
    for kind in AccountKind:
        opened = await postgres.open_account(AccountId(uuid4()), kind=kind, currency="SGD", limits=Limits())
        assert opened.kind is kind


async def test_every_kind_of_transfer_may_be_posted(postgres: PostgresLedger) -> None:
    await open_wallet(postgres, ALICE, holds=50)
    for kind in TransferKind:
        assert (await postgres.post(move(ALICE, BANK, 1, kind=kind))).outcome is PostOutcome.POSTED
