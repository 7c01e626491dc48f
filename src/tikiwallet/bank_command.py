"""`tikiwallet reconcile-bank`: our books against the provider and the bank, for the operator's morning."""

import sys
from datetime import timedelta
from pathlib import Path

import click

from tikiwallet.app import Parts
from tikiwallet.funding.bank_statement import BankStatementInvalid, read_bank_statement
from tikiwallet.funding.reconciliation import BankReconciliation, Entry
from tikiwallet.funding.reconciliation_report import as_csv, as_svg, as_text
from tikiwallet.operating import with_parts
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.money import Balance, format_decimal, parse_decimal

FILE = click.Path(path_type=Path, dir_okay=False)


class BankBalance(click.ParamType[Balance]):
    """`SGD=1250.00`."""

    name = "currency=amount"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Balance:
        """Read it."""
        currency, _, text = value.partition("=")
        try:
            zero = format_decimal(0, currency)
            sign = -1 if text.startswith("-") else 1
            amount_minor = 0 if text in {"0", zero} else sign * parse_decimal(text.removeprefix("-"), currency)
        except ValueError:
            self.fail(f"{value!r} is no balance such as SGD=1250.00", param, ctx)
        return Balance(amount_minor=amount_minor, currency=currency)


@click.command("reconcile-bank")
@click.option("--days", default=35, show_default=True, type=click.IntRange(1, 3660), help="How far to look back.")
@click.option("--bank", "statement", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Our bank's statement: a CSV file with date, amount, currency, reference.")  # fmt: skip
@click.option("--bank-balance", "balances", multiple=True, type=BankBalance(), help="What stands there, SGD=1250.00.")
@click.option("--csv", "csv_file", type=FILE, help="Write every line there.")
@click.option("--svg", "svg_file", type=FILE, help="Write a picture there.")
def reconcile_bank(
    days: int, statement: Path | None, balances: tuple[Balance, ...], csv_file: Path | None, svg_file: Path | None
) -> None:
    """Compare the books with the provider and the bank, and what people are owed with what is held.

    Exit code 1 if anything is missing or different, or if less is held than is owed.
    """
    bank: list[Entry] = []
    if statement is not None:
        try:
            bank = read_bank_statement(statement.read_text(encoding="utf-8", errors="replace"))
        except BankStatementInvalid as error:
            raise click.ClickException(str(error)) from error

    async def compare(parts: Parts) -> BankReconciliation:
        if parts.funding.provider is None and statement is None:
            raise click.ClickException("There is nothing to compare with: no provider is set up; give --bank FILE.")
        now = utc_now()
        return await parts.funding.reconcile_bank(
            bank=bank, bank_balances=balances, since=now - timedelta(days=days), now=now
        )

    found = with_parts(compare)
    for file, content in ((csv_file, as_csv(found)), (svg_file, as_svg(found))):
        if file is not None:
            file.write_text(content, encoding="utf-8", newline="")
    click.echo(as_text(found))
    click.echo("Books, provider and bank agree." if found.is_right else "NOT RIGHT, see above.")
    if not found.is_right:
        sys.exit(1)
