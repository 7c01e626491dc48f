"""Our bank's statement as a CSV file: what every bank exports in some form, brought into one by the operator.

Columns `date` (2026-11-27), `amount` (12.50; below zero went out), `currency` and `reference`, in any order, others
ignored. A line that can't be read stops everything: half a statement would look like money that is missing.
"""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Final

from tikiwallet.funding.reconciliation import Entry
from tikiwallet.platform.money import parse_decimal

COLUMNS: Final = ("date", "amount", "currency", "reference")
LINES_MAX: Final = 100_000
OPERATION: Final = re.compile(r"\b([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\b", re.I)
PAYOUT: Final = re.compile(r"\bpo_[0-9A-Za-z]+")


class BankStatementInvalid(Exception):
    """The file can't be read as a statement. The message is one sentence for the operator."""


def read_bank_statement(text: str) -> list[Entry]:
    """Return the lines of a statement. Raises `BankStatementInvalid`, which names the line."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if any(names.count(column) != 1 for column in COLUMNS):
        raise BankStatementInvalid("A bank statement has the columns date, amount, currency and reference, each once.")
    reader.fieldnames = names
    found = []
    for number, row in enumerate(reader, 2):
        if number > LINES_MAX:
            raise BankStatementInvalid(f"A statement has at most {LINES_MAX} lines.")
        try:
            found.append(_entry(number, {column: (row[column] or "").strip() for column in COLUMNS}))
        except ValueError as error:
            raise BankStatementInvalid(f"Line {number} can't be read: {error}.") from error
    return found


def _entry(number: int, row: dict[str, str]) -> Entry:
    sign = -1 if row["amount"].startswith("-") else 1
    reference = row["reference"]
    operation, payout = OPERATION.search(reference), PAYOUT.search(reference)
    subject = ""
    if operation:
        subject = f"operation {'-'.join(operation.groups()).lower()}"
    elif payout:
        subject = f"payout {payout[0]}"
    return Entry(
        entry_id=f"bank line {number}",
        subject=subject,
        kind="bank",
        amount_minor=sign * parse_decimal(row["amount"].removeprefix("-").removeprefix("+"), row["currency"]),
        currency=row["currency"],
        at=datetime.strptime(row["date"], "%Y-%m-%d").replace(tzinfo=UTC),
    )
