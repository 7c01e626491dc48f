"""Statements and receipts as files, for people who keep paper or a spreadsheet."""

import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import click
import msgspec
from rich.console import Console

from tikiwallet.cli.groups import tiki
from tikiwallet.cli.problems_of_copies import FileUnwritable
from tikiwallet.cli.run import Run
from tikiwallet.cli.show import done

LANGUAGES = ("en", "fr", "id", "sw", "ar", "hi")


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file was saved."""

    file: str
    size_bytes: int


@tiki.command()
@click.argument("month", required=False)
@click.option("--csv", "is_csv", is_flag=True, help="As a table instead of PDF.")
@click.option("--language", type=click.Choice(LANGUAGES), help="[default: that of this machine, else English]")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save it there.")
@click.pass_obj
def statement(run: Run, month: str | None, is_csv: bool, language: str | None, file: Path | None) -> None:
    """Save the statement of a MONTH (2026-11; this month if you name none) as a file."""
    form = "csv" if is_csv else "pdf"
    with run.online() as me:
        wanted = month or f"{datetime.fromtimestamp(me.wallet.edge.now(), UTC):%Y-%m}"
        with run.screen().waiting("Asking the server"):
            address = f"/v1/statements/{quote(wanted, safe='')}/{form}"
            content = me.file(address, language=language or language_of_this_machine())
        # A month that the server took is safe in a file's name.
        saved = write(content, file or Path(f"tikiwallet-{wanted}.{form}"))
        run.screen().show(saved, told)


def write(content: bytes, file: Path) -> Saved:
    """Write a file that only this person can read. Problem: `FileUnwritable`."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise FileUnwritable from error
    return Saved(file=str(file), size_bytes=len(content))


def told(console: Console, saved: Saved) -> None:
    """Say where it is."""
    done(console, f"Saved as {saved.file}.")


def language_of_this_machine() -> str:
    """Return the wallet's language that this machine speaks."""
    spoken = (os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or "en")[:2].lower()
    return spoken if spoken in LANGUAGES else "en"
