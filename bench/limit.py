"""The limit: what the database alone can do, asked by pgbench, with no Python in the way.

The rate of a single transfer is that of the faster of two functions: the ledger's own, and `bench/sql/lean.sql`, the
least that could be called a transfer. A slower denominator would flatter everything that is divided by it.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.ledger.service import POSTING_NO_MAX
from tikiwallet.ledger.service import SQL as LEDGER_SQL
from tikiwallet.payments.wallets import SQL as PAYMENTS_SQL
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.db import Queries
from tikiwallet.platform.embedded_postgres import find_binaries
from tikiwallet.platform.http import PAGE_SIZE_DEFAULT

CLIENTS = 8
CLIENTS_HOT = 32
FUNDS_MINOR = 10_000_00
TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
SQL = Queries("bench")

# Accounts of the limit's own, whose ids can be computed from a number: looking one up would slow the limit down.
OURS = """\\set payer random(1, {count})
\\set payee 1 + (:payer + random(0, {count} - 2)) % {count}
SELECT outcome FROM ledger.post_one(gen_random_uuid(), ('{prefix}' || lpad(:payer::text, 12, '0'))::uuid,
    ('{prefix}' || lpad(:{payee}::text, 12, '0'))::uuid, 1, 'SGD', 'payment', 'tea');
"""
LEAN = """\\set payer random(1, {count})
\\set payee 1 + (:payer + random(0, {count} - 2)) % {count}
SELECT o_status FROM lean.post(gen_random_uuid()::text, :payer, :{payee}, 1, 1::smallint);
"""
PREFIX = "00000000-0000-4000-8000-"
MERCHANT = 0


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Single transfers a second, by function."""

    ours: float
    lean: float

    @property
    def rate(self) -> float:
        """The faster one's."""
        return max(self.ours, self.lean)


async def prepare(url: str, *, count: int) -> None:
    """Make `count` funded accounts, and a merchant's, for both functions."""
    connection = await asyncpg.connect(url)
    await connection.execute(resources.files("bench").joinpath("sql/lean.sql").read_text())
    await connection.execute(SQL["fill_lean"], count, FUNDS_MINOR)
    ids = [UUID(f"{PREFIX}{number:012d}") for number in range(count + 1)]
    await connection.execute(SQL["open_accounts"], ids, 10**12)
    await connection.execute(SQL["fund_without_postings"], ids, FUNDS_MINOR)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def single_transfers(url: str, *, count: int, seconds: int, is_hot: bool = False) -> Limit:
    """Return how many transfers a second pgbench gets by each function; `is_hot`: all to one merchant."""
    clients = CLIENTS_HOT if is_hot else CLIENTS
    values = {"count": str(count), "prefix": PREFIX, "payee": "merchant" if is_hot else "payee"}
    return Limit(
        ours=run(url, _script(OURS, values), clients=clients, seconds=seconds),
        lean=run(url, _script(LEAN, values), clients=clients, seconds=seconds),
    )


async def reads(url: str, people: Sequence[UUID], *, seconds: int) -> float:
    """Return how many reads a second pgbench gets, as many of a balance as of a first history page.

    Each is the SQL that the server runs for one such request, without the look whether the session lives, and of people
    by id only.
    """
    connection = await asyncpg.connect(url)
    scripts = []
    for person_id in people:
        account_id = wallet_account_id(person_id, "SGD")
        scripts.append(_filled(LEDGER_SQL["accounts"], [account_id]))
        page: tuple[object, ...] = (account_id, POSTING_NO_MAX, None, None, [], 0, PAGE_SIZE_DEFAULT)
        others = {row["other_account_id"] for row in await connection.fetch(LEDGER_SQL["statement"], *page)}
        owners = {row["person_id"] for row in await connection.fetch(PAYMENTS_SQL["wallet_owners"], list(others))}
        scripts.append(
            _filled(LEDGER_SQL["statement"], *page)
            + _filled(PAYMENTS_SQL["wallet_owners"], sorted(others))
            + _filled(SQL["people"], sorted(owners))
        )
    await connection.close()
    return run(url, *scripts, clients=CLIENTS, seconds=seconds)


def _filled(query: str, *values: object) -> str:
    """Return a query with its parameters written out, as pgbench can send it."""
    return re.sub(r"\$([0-9]+)", lambda found: _literal(values[int(found[1]) - 1]), query)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"'{{{','.join(map(str, value))}}}'"
    return str(value) if isinstance(value, int) else f"'{value}'"


def _script(text: str, values: Mapping[str, str]) -> str:
    return f"\\set merchant {MERCHANT}\n" + text.format(**values)


def run(url: str, *scripts: str, clients: int, seconds: int) -> float:
    """Return the transactions a second that pgbench reaches with scripts that are drawn equally often."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, script in enumerate(scripts):
            files.append(Path(folder) / f"{number}.sql")
            files[-1].write_text(script)
        done = subprocess.run(
            [str(find_binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T",
             str(seconds), *(f"--file={file}" for file in files), url],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = TPS.search(done.stdout)
    assert done.returncode == 0, done.stderr
    assert found is not None, done.stdout
    return float(found[1])
