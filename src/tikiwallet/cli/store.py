"""The wallet's store: one SQLite file, one writer, and a commit that survives a power cut.

"Reserve first" is a promise about this file: units and the signed payment are on the disk before anybody sees the code.
So every commit is synced (synchronous=EXTRA), one process at a time holds the file, and Python holds no SQL.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from tikiwallet.cli.problems import WalletBusy, WalletDamaged, WalletUnreadable

STEPS = ("0001_wallet.sql", "0002_refunds.sql")  # each sets user_version to its own number


def _queries() -> dict[str, str]:
    """Return the named SQL of `sql/queries.sql`: each query stands under a line `-- name --`."""
    found: dict[str, str] = {}
    name = ""
    for line in resources.files(__package__).joinpath("sql/queries.sql").read_text("utf-8").splitlines():
        if line.startswith("-- ") and line.endswith(" --") and line[3:-3].isidentifier():
            name = line[3:-3]
            assert name not in found, f"query {name} twice"
            found[name] = ""
        elif name:
            found[name] += line + "\n"
    return found


QUERIES = _queries()


class Store:
    """The open store of one wallet. Close it to let the next command in."""

    def __init__(self, path: Path, *, wait_seconds: float) -> None:
        """Open or make the store at `path`, waiting at most `wait_seconds` for another command.

        Problems: `WalletBusy`, `WalletDamaged`, `WalletUnreadable`.
        """
        self._path = path
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        # EXCLUSIVE keeps the lock after the first write until the store is closed; a killed process lets go of it.
        for name in ("keep_locked", "keep_references", "begin"):
            self._connection.execute(QUERIES[name])
        version = self._connection.execute(QUERIES["schema_version"]).fetchone()[0]
        if version > len(STEPS):
            raise WalletDamaged("A newer tiki wrote this wallet. Update tiki, then run this again.")
        if version < len(STEPS):
            self._connection.execute(QUERIES["commit"])
            folder = resources.files(__package__).joinpath("sql/migrations")
            for step in STEPS[version:]:
                # In one transaction with its number: a step is taken whole, or not at all.
                text = folder.joinpath(step).read_text("utf-8")
                self._connection.executescript(QUERIES["begin"] + text + QUERIES["commit"])
            self._connection.execute(QUERIES["begin"])
        if self._connection.execute(QUERIES["check"]).fetchone()[0] != "ok":
            raise WalletDamaged
        self._connection.execute(QUERIES["commit"])
        self._connection.execute(QUERIES["sync_everything"])

    def close(self) -> None:
        """Let the next command in."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything in the block durable at once when it ends well, or nothing of it."""
        with self._explained():
            self._connection.execute(QUERIES["begin"])
        try:
            yield
        except BaseException:
            self._connection.execute(QUERIES["rollback"])
            raise
        with self._explained():
            self._connection.execute(QUERIES["commit"])

    def run(self, query: str, **values: Any) -> list[sqlite3.Row]:
        """Run a named query and return its rows.

        Raises `sqlite3.IntegrityError`, its message naming the constraint, for a change that breaks a rule.
        Problems: `WalletDamaged`, `WalletUnreadable`.
        """
        with self._explained():
            return self._connection.execute(QUERIES[query], values).fetchall()

    def row(self, query: str, **values: Any) -> sqlite3.Row | None:
        """Run a named query and return its first row, or None."""
        rows = self.run(query, **values)
        return rows[0] if rows else None

    def setting(self, name: str) -> str:
        """Return a remembered value, or "" if there is none."""
        row = self.row("setting", name=name)
        return row["value"] if row else ""

    def remember(self, name: str, value: str) -> None:
        """Remember a value under a name."""
        self.run("remember", name=name, value=value)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite says into a problem that a person understands."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise WalletBusy from error
            raise WalletUnreadable from error
        except sqlite3.DatabaseError as error:
            raise WalletDamaged from error
