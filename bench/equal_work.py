"""Does the time of an answer tell whether a phone number has a wallet? `python -m bench.equal_work` prints it.

For each way in, a number with a wallet and one without take turns, so that whatever else the machine does hits both.
Printed are both medians and the p value of a Mann-Whitney U test: far from 0, nobody can tell the two apart by so many
tries. Nothing is asserted here, because a busy machine may say anything; tests/identity/test_equal_work.py counts the
work itself.
"""

import asyncio
import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import uuid4

import asyncpg
import click

from tikiwallet.app import CONTEXTS, Parts
from tikiwallet.identity.codes import make_code
from tikiwallet.identity.password_resets import NewReset
from tikiwallet.identity.refresh import make_refresh_token
from tikiwallet.identity.registration import NewRegistration, RegistrationStarted
from tikiwallet.identity.sessions import CredentialsWrong, NewSession
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.config import read_settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres
from tikiwallet.platform.migrate import migrate
from tikiwallet.platform.telemetry import configure_logs

DATABASE = "timing"
PASSWORD = "seven green umbrellas"
KNOWN, UNKNOWN = "+6591230001", "+6591230002"
NO_LIMIT = "100000000"
LIMITS = (
    "SIGN_UPS_PER_PHONE", "SIGN_INS_PER_PHONE", "TEXTS_PER_PHONE", "TEXTS_PER_PREFIX", "TEXTS_PER_COUNTRY",
    "TEXTS_PER_HOUR", "TEXTS_PER_DAY",
)  # fmt: skip

Way = Callable[[str], Awaitable[object]]


def mann_whitney_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p value of the U test, by its normal approximation (good from about twenty of each)."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = [0.0, 0.0]
    ties, start = 0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        for _, whose in ranked[start:end]:
            ranks[whose] += (start + 1 + end) / 2
        ties += (end - start) ** 3 - (end - start)
        start = end
    n, m = len(first), len(second)
    total = n + m
    u = ranks[0] - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    return math.erfc(abs(u - n * m / 2) / spread / math.sqrt(2)) if spread else 1.0


async def time_both(way: Way, *, pairs: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each call for the known number and for the unknown one."""
    taken: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for number in range(pairs + 1):
        for phone in (KNOWN, UNKNOWN) if number % 2 else (UNKNOWN, KNOWN):
            before = time.perf_counter()
            await way(phone)
            if number:  # the first pair fills caches
                taken[phone].append((time.perf_counter() - before) * 1000)
    return taken[KNOWN], taken[UNKNOWN]


class Ways:
    """The ways in by which somebody could ask after a number."""

    def __init__(self, parts: Parts) -> None:
        self._identity = parts.identity
        self._names = count()
        self._started: dict[str, RegistrationStarted] = {}

    async def prepare(self) -> None:
        """Give the known number a wallet."""
        code, now = make_code(), datetime.now(UTC)
        started = await self._register(KNOWN, code)
        await self._identity.registrations.verify(started.registration_id, _new_session(), code=code, now=now)

    async def _register(self, phone: str, code: str) -> RegistrationStarted:
        new = NewRegistration(uuid4(), PersonId(uuid4()), code)
        return await self._identity.registrations.register(
            new, phone=phone, username=f"person{next(self._names)}", password=PASSWORD, now=datetime.now(UTC)
        )

    async def sign_up(self, phone: str) -> None:
        """Ask for a code to sign up."""
        self._started[phone] = await self._register(phone, make_code())

    async def fresh_code(self, phone: str) -> None:
        """Ask for another code of a sign-up that has just begun."""
        await self._identity.registrations.send_fresh_code(
            self._started[phone].registration_id, code=make_code(), now=datetime.now(UTC)
        )

    async def lost_password(self, phone: str) -> None:
        """Ask for a new password."""
        await self._identity.password_resets.begin(NewReset(uuid4(), make_code()), phone=phone, now=datetime.now(UTC))

    async def sign_in(self, phone: str) -> None:
        """Sign in with a wrong password."""
        with contextlib.suppress(CredentialsWrong):
            await self._identity.sessions.sign_in(
                _new_session(), phone=phone, password="a wrong one", now=datetime.now(UTC)
            )


def _new_session() -> NewSession:
    return NewSession(session_id=uuid4(), refresh_token=make_refresh_token())


@contextlib.asynccontextmanager
async def running(folder: Path, postgres: EmbeddedPostgres) -> AsyncIterator[Parts]:
    """Yield the parts of a wallet on an empty database."""
    owner = await asyncpg.connect(postgres.url())
    await owner.execute(f"CREATE DATABASE {DATABASE}")
    await owner.close()
    await migrate(postgres.url(DATABASE), contexts=CONTEXTS)
    given = {"TIKIWALLET_SMS_SENDER": "file", "TIKIWALLET_DATA_DIR": str(folder), "TIKIWALLET_LOG_LEVEL": "error"}
    settings = read_settings(given | {f"TIKIWALLET_{name}_MAX": NO_LIMIT for name in LIMITS})
    parts = Parts(settings, database_url=postgres.url(DATABASE))
    async with parts.open(now=datetime.now(UTC)):
        yield parts


async def measure(folder: Path, postgres: EmbeddedPostgres, *, pairs: int) -> None:
    """Print a line for each way in."""
    async with running(folder, postgres) as parts:
        ways = Ways(parts)
        await ways.prepare()
        sys.stdout.write(f"{'way in':<18}{'has a wallet':>16}{'has none':>16}{'p':>8}   ({pairs} pairs, medians)\n")

        async def sign_up_and_fresh_code(phone: str) -> None:  # a sign-up has five codes: one more for each
            await ways.sign_up(phone)
            await ways.fresh_code(phone)

        named: dict[str, Way] = {
            "sign-up": ways.sign_up, "sign-up + resend": sign_up_and_fresh_code, "sign-in": ways.sign_in,
            "lost password": ways.lost_password,
        }  # fmt: skip
        for name, way in named.items():
            known, unknown = await time_both(way, pairs=pairs)
            medians = "".join(f"{statistics.median(taken):>13.2f} ms" for taken in (known, unknown))
            sys.stdout.write(f"{name:<18}{medians}{mann_whitney_p(known, unknown):>8.3f}\n")


@click.command()
@click.option("--pairs", default=100, show_default=True, type=click.IntRange(min=20), help="Calls of each sort.")
def main(pairs: int) -> None:
    """Print how long the answers for a number with and without a wallet take."""
    configure_logs("error")
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg") as postgres:
        asyncio.run(measure(Path(folder), postgres, pairs=pairs))


if __name__ == "__main__":
    main()
