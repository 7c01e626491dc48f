"""Statements as CSV: for programs, so in one form for all languages; only the words of a movement are translated."""

from typing import Final

from tikiwallet.payments.statement_words import Language, what
from tikiwallet.payments.statements import Statement
from tikiwallet.platform.csv_cells import cell, decimal_cell, table
from tikiwallet.platform.money import format_decimal

HEAD: Final = ("at", "kind", "what", "amount", "currency", "balance", "memo", "transfer_id")


def statement_csv(statement: Statement, language: Language) -> str:
    """Return the movements, between a line with the opening and one with the closing balance."""
    currency = statement.opening.currency

    def decimal(minor: int) -> str:
        return decimal_cell(format_decimal(minor, currency))

    def edge(at: str, kind: str, minor: int) -> tuple[str, ...]:
        return (at, kind, "", "", currency, decimal(minor), "", "")

    rows = [edge(statement.since.isoformat(), "opening", statement.opening.amount_minor)]
    rows += [
        (
            item.at.isoformat(),
            item.kind.value,
            cell(what(item, language)),
            decimal(item.amount.amount_minor if item.direction.value == "in" else -item.amount.amount_minor),
            currency,
            decimal(item.balance.amount_minor),
            cell(item.memo),
            str(item.transfer_id),
        )
        for item in statement.items
    ]
    rows.append(edge(statement.until.isoformat(), "closing", statement.closing.amount_minor))
    return table(HEAD, rows)
