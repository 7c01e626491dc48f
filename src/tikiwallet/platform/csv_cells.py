"""Tables in CSV whose text no spreadsheet takes for a formula.

A person chooses their name and writes memos; a cell that begins with `=` would be run on the computer of whoever opens
the file. Text that begins like a formula gets an apostrophe before it; numbers stay numbers, also those below zero.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

FORMULA: Final = re.compile(r"[\s\x00]*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Cell: TypeAlias = str | int


def cell(value: Cell) -> str:
    """Return a value as the text of a cell."""
    if isinstance(value, int):
        return str(value)
    return f"'{value}" if FORMULA.match(value) else value


def decimal_cell(text: str) -> str:
    """Return a decimal number ("-12.50") as the text of a cell, with nothing before it."""
    assert NUMBER.fullmatch(text), text
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a CSV file of cells that `cell` and `decimal_cell` gave."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    return written.getvalue()
