"""What a transfer, a limit or a page must be before the ledger looks at it.

Without these checks one impossible item (an amount of zero, a NUL character, a number beyond int64) would abort the
SQL call of the whole batch it travels in. Callers judged what people typed, so a failure here is a caller's bug.

The order of judging, the same in `sql/migrations` and `memory.py`; the first that applies is the outcome:

1. the id stands in the books: `already_posted` with the same content, else `differs_from_posted`
2. one of the accounts doesn't exist: `account_unknown`
3. one of the accounts has another currency: `currency_differs`
4. one of the accounts is closed: `account_closed`
5. the paying account would fall below its floor: `insufficient_funds`
6. its day limit, its month limit, the other's ceiling or `BALANCE_MINOR_MAX` would be passed: `limit_exceeded`
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tikiwallet.ledger.types import (
    AMOUNT_MINOR_MAX,
    BALANCE_MINOR_MAX,
    BATCH_SIZE_MAX,
    NOTE_LENGTH_MAX,
    STATEMENT_PAGE_MAX,
    AccountKind,
    Limits,
    Transfer,
    TransferKind,
)

PEOPLES_KINDS = frozenset({AccountKind.WALLET, AccountKind.ESCROW})


def check_transfer(transfer: Transfer) -> None:
    """Raise `AssertionError` unless `transfer` can be stored. Whether it can be paid is judged with the accounts."""
    assert isinstance(transfer.transfer_id, UUID), transfer
    assert isinstance(transfer.debit_account_id, UUID), transfer
    assert isinstance(transfer.credit_account_id, UUID), transfer
    assert transfer.debit_account_id != transfer.credit_account_id, "a transfer is between two accounts"
    assert type(transfer.amount_minor) is int, transfer
    assert 1 <= transfer.amount_minor <= AMOUNT_MINOR_MAX, transfer.amount_minor
    assert isinstance(transfer.kind, TransferKind), transfer
    check_currency(transfer.currency)
    _check_note(transfer.note)


def check_transfers(transfers: Sequence[Transfer]) -> None:
    """Raise `AssertionError` unless every transfer can be stored and there are at most `BATCH_SIZE_MAX`."""
    assert len(transfers) <= BATCH_SIZE_MAX, len(transfers)
    for transfer in transfers:
        check_transfer(transfer)


def check_currency(currency: str) -> None:
    """Raise `AssertionError` unless `currency` looks like an ISO 4217 code."""
    assert len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper(), currency  # noqa: PT018


def check_limits(limits: Limits, kind: AccountKind | None = None) -> None:
    """Raise `AssertionError` unless the numbers are in range and, if `kind` holds people's money, the floor is 0."""
    floor_minor = limits.balance_min_minor
    assert floor_minor is None or -BALANCE_MINOR_MAX <= floor_minor <= 0, limits
    for top_minor in (limits.balance_max_minor, limits.out_per_day_max_minor, limits.out_per_month_max_minor):
        assert top_minor is None or 0 <= top_minor <= BALANCE_MINOR_MAX, limits
    assert kind not in PEOPLES_KINDS or floor_minor == 0, "people's money never goes below zero"


def check_page(
    *, before_posting_no: int | None, limit: int, since: datetime | None = None, until: datetime | None = None
) -> None:
    """Raise `AssertionError` unless a page of a statement can be asked for like this."""
    assert before_posting_no is None or 1 <= before_posting_no < 2**63, before_posting_no
    assert 1 <= limit <= STATEMENT_PAGE_MAX, limit
    for instant in (since, until):
        assert instant is None or instant.tzinfo is not None, "an instant needs a time zone"


def _check_note(note: str) -> None:
    assert len(note) <= NOTE_LENGTH_MAX, len(note)
    assert "\0" not in note, "PostgreSQL stores no NUL"
    assert not any("\ud800" <= character <= "\udfff" for character in note), "a lone surrogate is not text"
