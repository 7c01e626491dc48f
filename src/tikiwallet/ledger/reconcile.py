"""Prove that the books are right, from the postings up.

The functions that post keep every rule below, and constraints and grants keep most of them again. Disks, restores and
people with the owner's password don't: without this proof, damage would show only when somebody can't get their money.
"""

from enum import StrEnum

import msgspec

from tikiwallet.ledger.service import SQL
from tikiwallet.platform.db import Database

DIFFERENCES_PER_RULE_MAX = 100
RULE_TIMEOUT_SECONDS = 3600  # each rule reads everything once


class Rule(StrEnum):
    """What must be true of the books. Each value is the name of the query that looks for what breaks it."""

    CURRENCY_SUMS_TO_ZERO = "currency_sums_to_zero"
    BALANCE_IS_SUM_OF_POSTINGS = "balance_is_sum_of_postings"
    POSTINGS_HAVE_NO_GAP = "postings_have_no_gap"
    RUNNING_BALANCE_FOLLOWS = "running_balance_follows"
    TRANSFER_HAS_TWO_POSTINGS = "transfer_has_two_postings"
    POSTINGS_MIRROR_EACH_OTHER = "postings_mirror_each_other"
    TRANSFER_KEEPS_ITS_CURRENCY = "transfer_keeps_its_currency"
    POSTING_HAS_AN_ACCOUNT = "posting_has_an_account"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the books break a rule."""

    rule: Rule
    subject: str  # a currency, an account id, an account id and posting number, or a transfer id
    found: str


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, and every difference found, up to `DIFFERENCES_PER_RULE_MAX` for each rule."""

    account_count: int
    posting_count: int
    differences: tuple[Difference, ...]
    is_cut: bool  # some rule is broken in more places than are listed

    @property
    def is_right(self) -> bool:
        """Whether the books break no rule."""
        return not self.differences


async def reconcile(database: Database) -> Reconciliation:
    """Read all books of one instant and return what is wrong with them. Posting goes on meanwhile, undisturbed.

    `database` is the open one of the context "ledger". Raises `asyncpg.PostgresError` if it can't be read.
    """
    differences: list[Difference] = []
    is_cut = False
    async with (
        database.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        size = await connection.fetchrow(SQL["size_of_the_books"], timeout=RULE_TIMEOUT_SECONDS)
        for rule in Rule:
            rows = await connection.fetch(SQL[rule], DIFFERENCES_PER_RULE_MAX + 1, timeout=RULE_TIMEOUT_SECONDS)
            is_cut = is_cut or len(rows) > DIFFERENCES_PER_RULE_MAX
            differences += [Difference(rule=rule, **row) for row in rows[:DIFFERENCES_PER_RULE_MAX]]
    return Reconciliation(
        account_count=size["account_count"],
        posting_count=size["posting_count"],
        differences=tuple(differences),
        is_cut=is_cut,
    )
