"""Where everything is measured: a real server, as an operator starts it, with people who are signed in.

PostgreSQL is the embedded one with the settings that the wallet gives it. What is measured runs in processes of its
own, so that CPU seconds can be told apart: the server's, the database's and the sender's.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import psutil

from bench.sender import Outcome, Plan
from tikiwallet.app import CONTEXTS, Parts
from tikiwallet.identity.tokens import sign_token
from tikiwallet.ledger.types import (
    AccountId,
    AccountKind,
    Limits,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
)
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.config import read_settings
from tikiwallet.platform.db import Queries
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres
from tikiwallet.platform.http import PAGE_SIZE_DEFAULT
from tikiwallet.platform.migrate import migrate

PEOPLE = 2000
SEVERAL = 1000
FUNDS_MINOR = 10_000_00
WORKERS = 2
START_SECONDS = 30
DATABASE = "bench"
SQL = Queries("bench")


class Someone(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in."""

    person_id: UUID
    username: str
    token: str


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds that were used so far."""

    server: float
    database: float

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(server=self.server - other.server, database=self.database - other.database)


class Place:
    """A database with people in it, and servers on it."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres) -> None:
        self.folder = folder
        self.url = postgres.url(DATABASE)
        self.settings = read_settings(
            {
                "TIKIWALLET_DATA_DIR": str(folder / "data"), "DATABASE_URL": self.url, "TIKIWALLET_SMS_SENDER": "file",
                "TIKIWALLET_LOG_LEVEL": "error",
            }
        )  # fmt: skip
        self.people: list[Someone] = []
        self._postgres = postgres

    async def fill(self, *, people: int = PEOPLE) -> None:
        """Make the database and `people` with a funded wallet and a session each."""
        owner = await asyncpg.connect(self._postgres.url())
        await owner.execute(f"CREATE DATABASE {DATABASE}")
        await owner.close()
        await migrate(self.url, contexts=CONTEXTS)
        parts = Parts(self.settings, database_url=self.url)
        now = datetime.now(UTC)
        async with parts.open(now=now):
            kid, key = await parts.identity.keys.at_work(now=now)
            ids = [uuid4() for _ in range(people)]
            sessions = [uuid4() for _ in range(people)]
            accounts = [wallet_account_id(person_id, "SGD") for person_id in ids]
            names = [f"person{number}" for number in range(people)]
            until = now + timedelta(seconds=self.settings.session_ttl_seconds)
            phones = [f"+659{number:07d}" for number in range(people)]
            connection = await asyncpg.connect(self.url)
            await connection.execute(SQL["insert_people"], ids, names, phones, now)
            await connection.execute(SQL["insert_sessions"], sessions, ids, now, until)
            await connection.execute(SQL["insert_wallets"], accounts, ids)
            await connection.execute(SQL["open_accounts"], accounts, self.settings.wallet_balance_max_minor)
            await self._fund(parts, accounts)
            await self._pay_around(parts, accounts)
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")
            await connection.close()
            self.people = [
                Someone(
                    person_id=person_id,
                    username=username,
                    # As long as a run, which refreshes nothing: a token costs the same however long it lives, and
                    # verifying the next one every ten minutes is far below what can be measured.
                    token=sign_token(
                        kid, key, person_id=person_id, session_id=session_id, issued_at=now, expires_at=until
                    ),
                )
                for person_id, username, session_id in zip(ids, names, sessions, strict=True)
            ]

    async def _fund(self, parts: Parts, accounts: Sequence[AccountId]) -> None:
        bank = derive_account_id(uuid4(), AccountKind.BANK, "SGD")
        await parts.ledger.open_account(
            bank, kind=AccountKind.BANK, currency="SGD", limits=Limits(balance_min_minor=None)
        )
        for start in range(0, len(accounts), SEVERAL):
            found = await parts.ledger.post_many(
                [
                    Transfer(
                        transfer_id=TransferId(uuid4()), debit_account_id=bank, credit_account_id=account,
                        amount_minor=FUNDS_MINOR, currency="SGD", kind=TransferKind.TOP_UP,
                    )
                    for account in accounts[start : start + SEVERAL]
                ]
            )  # fmt: skip
            assert all(result.is_posted for result in found)

    async def _pay_around(self, parts: Parts, accounts: Sequence[AccountId]) -> None:
        """Give everybody a history of a full page: each pays the next ones in a ring."""
        for step in range(1, PAGE_SIZE_DEFAULT // 2 + 1):
            for start in range(0, len(accounts), SEVERAL):
                found = await parts.ledger.post_many(
                    [
                        Transfer(
                            transfer_id=TransferId(uuid4()), debit_account_id=accounts[number],
                            credit_account_id=accounts[(number + step) % len(accounts)], amount_minor=100,
                            currency="SGD", kind=TransferKind.PAYMENT, note="tea",
                        )
                        for number in range(start, min(start + SEVERAL, len(accounts)))
                    ]
                )  # fmt: skip
                assert all(result.is_posted for result in found)

    async def payments_posted(self) -> int:
        """Return how many payments stand in the books."""
        connection = await asyncpg.connect(self.url)
        try:
            return int(await connection.fetchval(SQL["payments_posted"]))
        finally:
            await connection.close()

    @contextlib.contextmanager
    def serving(self, *, workers: int = WORKERS, **environment: str) -> Iterator["Serving"]:
        """Serve the wallet on the database with so many processes for as long as the context lasts."""
        variables = {
            **os.environ, "DATABASE_URL": self.url, "TIKIWALLET_DATA_DIR": str(self.folder / "data"),
            "TIKIWALLET_PORT": "0", "TIKIWALLET_SMS_SENDER": "file", "TIKIWALLET_LOG_LEVEL": "error",
            "TIKIWALLET_WORKERS": str(workers), "TIKIWALLET_ORDERS_PER_PERSON_MAX": "1000000000", **environment,
        }  # fmt: skip
        with _server(variables) as (process, port, seconds):
            yield Serving(process=process, port=port, postgres=_postmaster(self._postgres), started_in_seconds=seconds)


class Serving:
    """A server at work, and what it uses. `started_in_seconds`: from the command until it was ready."""

    def __init__(
        self, *, process: subprocess.Popen[str], port: int, postgres: psutil.Process, started_in_seconds: float
    ) -> None:
        self.port = port
        self.started_in_seconds = started_in_seconds
        self._process = psutil.Process(process.pid)
        self._postgres = postgres

    def cpu(self) -> Cpu:
        """Return what server and database have used so far."""
        return Cpu(server=cpu_seconds(self._process), database=cpu_seconds(self._postgres))

    def resident_bytes(self) -> int:
        """Return the memory of the process, without PostgreSQL."""
        return int(self._process.memory_info().rss)

    def send(self, plan: Plan) -> tuple[Outcome, Cpu]:
        """Carry out a plan in a process of its own; return what came back and what it cost, warm-up left out."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.sender"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        ) as sender:  # fmt: skip
            assert sender.stdin is not None
            assert sender.stdout is not None
            sender.stdin.write(msgspec.json.encode(plan))
            sender.stdin.close()
            started_at = sender.stdout.readline()
            assert started_at == b"started\n", started_at
            time.sleep(plan.warm_up_seconds)
            before = self.cpu()
            time.sleep(plan.seconds)
            used = self.cpu() - before
            return msgspec.json.decode(sender.stdout.read(), type=Outcome), used


@contextlib.contextmanager
def place(*, people: int = PEOPLE) -> Iterator[Place]:
    """A place that is made now and thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="tikiwallet-bench-") as folder:
        data = Path(folder)
        with EmbeddedPostgres(data / "pg") as postgres:
            made = Place(data, postgres)
            asyncio.run(made.fill(people=people))
            yield made


@contextlib.contextmanager
def _server(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    command = shutil.which("tikiwallet", path=str(Path(sys.executable).parent))
    assert command is not None
    started_at = time.perf_counter()
    with subprocess.Popen([command, "serve"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = _port_of(process)
            yield process, port, time.perf_counter() - started_at
        finally:
            process.send_signal(signal.SIGTERM)


def _port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            return int(line.split("http://")[1].split()[0].rpartition(":")[2].rstrip("/"))
    raise AssertionError("the server ended before it was ready")


def _postmaster(postgres: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((postgres.pgdata / "postmaster.pid").read_text().splitlines()[0]))


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process, its children that live, and all that have ended and were waited for."""
    found = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            # Of children that ended too: a database that replaces a connection ends a process.
            found += times.user + times.system + times.children_user + times.children_system
    return found
