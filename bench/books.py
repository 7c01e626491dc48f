"""Books of a given size on the embedded PostgreSQL, seeded by SQL and kept between runs.

Figures without a history behind them flatter: an empty index fits any cache. Ten million postings take two to three
minutes to write, so they are kept in `build/bench` (3 GB, and as much again for a copy) under a name that changes with
the schema and the seed, and every measurement works on a copy.
"""

import contextlib
import hashlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from string import Template
from typing import NamedTuple
from uuid import UUID

import asyncpg

from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import AccountId, Transfer, TransferId, TransferKind
from tikiwallet.platform.db import Database
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres
from tikiwallet.platform.migrate import migrate, migrations_of

FOLDER = Path("build/bench")
SEED = Path(__file__).parent / "seed.sql"


class Books(NamedTuple):
    """How large: each wallet has `1 + 2 * rounds` postings, and the bank one for each wallet."""

    account_count: int
    rounds: int

    @property
    def posting_count(self) -> int:
        return 2 * self.account_count * (1 + self.rounds)

    @property
    def database(self) -> str:
        content = "".join(migration.sql for migration in migrations_of("ledger")) + SEED.read_text()
        return f"books_{self.account_count}_{self.rounds}_{hashlib.sha256(content.encode()).hexdigest()[:8]}"


class Cost(NamedTuple):
    """What one operation took: seconds on the clock, and of CPU in the database's backend and in this process."""

    wall: float
    database_cpu: float
    server_cpu: float


@contextlib.contextmanager
def bench_server() -> Iterator[EmbeddedPostgres]:
    """The server of `build/bench`, with the settings that every embedded server has."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(FOLDER / "server") as server:
        yield server


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def seed(url: str, books: Books) -> None:
    """Fill a fresh database: schema of the ledger, then accounts and postings that keep every rule."""
    await migrate(url, contexts=["ledger"])
    sql = Template(SEED.read_text()).substitute(accounts=books.account_count, rounds=books.rounds)
    await execute(url, sql, "VACUUM (FREEZE, ANALYZE) ledger.account, ledger.posting")


async def keep(server: EmbeddedPostgres, books: Books) -> None:
    """Make sure that `books` are in the folder. What an interrupted seed left has another name, and is dropped."""
    connection = await asyncpg.connect(server.url())
    try:
        if await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", books.database):
            return
        started = time.perf_counter()
        await connection.execute("DROP DATABASE IF EXISTS seeding WITH (FORCE)")
        await connection.execute("CREATE DATABASE seeding")
        await seed(server.url("seeding"), books)
        await connection.execute(f"ALTER DATABASE seeding RENAME TO {books.database}")
        await connection.execute("CHECKPOINT")
        print(f"seeded {books.posting_count:,} postings in {time.perf_counter() - started:.0f} s", flush=True)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def copied(server: EmbeddedPostgres, books: Books) -> AsyncIterator[str]:
    """The URL of a copy that may be changed, gone afterwards."""
    await keep(server, books)
    name = f"copy_of_{books.database}"
    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    await execute(server.url(), drop, f"CREATE DATABASE {name} TEMPLATE {books.database} STRATEGY FILE_COPY")
    try:
        yield server.url(name)
    finally:
        await execute(server.url(), drop)


class Bookkeeper:
    """One caller of the ledger in this process: what it asks for, and what that costs."""

    def __init__(self, database: Database, backend_pid: int, books: Books) -> None:
        self.ledger = PostgresLedger(database)
        self._backend_pid = backend_pid
        self._random = random.Random(7)
        self._ids = [wallet_id(number) for number in range(books.account_count)]

    def account(self) -> AccountId:
        return self._random.choice(self._ids)

    def transfers(self, count: int) -> list[Transfer]:
        """Payments between random pairs, each with an id of its own."""
        return [
            Transfer(
                transfer_id=TransferId(UUID(int=self._random.getrandbits(128))), debit_account_id=debit,
                credit_account_id=credit, amount_minor=self._random.randrange(1, 100), currency="SGD",
                kind=TransferKind.PAYMENT, note="lunch",
            )
            for debit, credit in (self._random.sample(self._ids, 2) for _ in range(count))
        ]  # fmt: skip

    async def post(self, transfers: list[Transfer]) -> None:
        """Post one batch; anything but success would make the figure worthless."""
        results = await self.ledger.post_many(transfers)
        assert all(result.is_posted for result in results), {result.outcome for result in results}

    def now(self) -> Cost:
        """The clocks as they stand."""
        # Nanoseconds on a core; /proc/.../stat counts in hundredths of a second.
        on_cpu_ns = int(Path(f"/proc/{self._backend_pid}/schedstat").read_text().split()[0])
        return Cost(wall=time.perf_counter(), database_cpu=on_cpu_ns / 1e9, server_cpu=time.process_time())


@contextlib.asynccontextmanager
async def bookkeeper(url: str, books: Books) -> AsyncIterator[Bookkeeper]:
    """A caller; while it asks one thing at a time, it does so by one connection."""
    database = Database(url, context="ledger", size_max=4)
    await database.open()
    try:
        async with database.pool.acquire() as connection:
            pid = connection.get_server_pid()
        yield Bookkeeper(database, pid, books)
    finally:
        await database.close()


def wallet_id(number: int) -> AccountId:
    """The id of a wallet of the seed."""
    return AccountId(UUID(bytes=hashlib.md5(f"wallet/{number}".encode()).digest()))


def per_operation(before: Cost, after: Cost, count: int) -> Cost:
    """What one of `count` operations took between two looks at the clocks."""
    return Cost(*((end - start) / count for start, end in zip(before, after, strict=True)))
