"""The command `tiki`: a wallet for people, with and without a network.

Everything is put together here: the groups (groups.py) and, by importing them, the commands.
"""

from typing import NoReturn

from tikiwallet.cli import (
    commands_account,
    commands_closing,
    commands_copies,
    commands_money,
    commands_offline,
    commands_phones,
    commands_proofs,
    commands_recovery,
    commands_sessions,
    commands_statements,
)
from tikiwallet.cli.groups import tiki

__all__ = [
    "commands_account",
    "commands_closing",
    "commands_copies",
    "commands_money",
    "commands_offline",
    "commands_phones",
    "commands_proofs",
    "commands_recovery",
    "commands_sessions",
    "commands_statements",
    "main",
    "tiki",
]


def main() -> NoReturn:
    """Run `tiki` (the entry point). Exits with the status of the command."""
    tiki.main()


if __name__ == "__main__":
    main()
