"""Bring the database to this release's schema: numbered SQL files per context, forward only.

One process migrates at a time (an advisory lock); each file runs in its own transaction together with the row that
remembers it, so a crash leaves a whole number of steps. A file that changed after it ran is a mistake that stops us.
"""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import asyncpg
import structlog

from tikiwallet.platform.db import role_of

ADVISORY_LOCK = 0x7469_6B69  # "tiki"
OLDEST_SERVER_VERSION = 150000

log = structlog.get_logger()


class MigrationError(Exception):
    """The schema can't be brought to this release. The message is one sentence for the operator."""


class Migration(NamedTuple):
    """One numbered SQL file of a context."""

    context: str
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Return the digest that tells whether the file changed after it ran."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(context: str) -> list[Migration]:
    """Return the migrations of `context` in order; numbered from 1 without a gap. None at all is a bug."""
    folder = resources.files(f"tikiwallet.{context}").joinpath("sql/migrations")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    found = [Migration(context, int(f.name[:4]), f.name, f.read_text()) for f in files]
    assert found, f"{context}: no migrations were installed"
    assert [m.number for m in found] == list(range(1, len(found) + 1)), f"{context}: a gap in the migration numbers"
    return found


async def migrate(url: str, *, contexts: Sequence[str]) -> int:
    """Apply what is missing, as the owner named in `url`. Returns how many files ran. Safe to call at every start."""
    connection = await asyncpg.connect(url)
    try:
        if connection.get_server_version()[0] * 10000 < OLDEST_SERVER_VERSION:
            raise MigrationError("PostgreSQL 15 or newer is needed; this server is older.")
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        await connection.execute(resources.files("tikiwallet.platform").joinpath("sql/migration.sql").read_text())
        return sum([await _migrate_context(connection, context) for context in contexts])
    finally:
        await connection.close()  # also releases the advisory lock


async def _migrate_context(connection: asyncpg.Connection, context: str) -> int:
    await _ensure_role_and_schema(connection, context)
    rows = await connection.fetch("SELECT number, sha256 FROM platform.migration WHERE context = $1", context)
    done = {row["number"]: row["sha256"] for row in rows}
    migrations = migrations_of(context)
    if len(done) > len(migrations):
        raise MigrationError(f"The database is newer than this release ({context}): start the newer release.")
    ran = 0
    for migration in migrations:
        if (known := done.get(migration.number)) is not None:
            if known != migration.sha256:
                raise MigrationError(f"{context}/{migration.name} was changed after it ran; restore it, add a new one.")
            continue
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO platform.migration (context, number, name, sha256) VALUES ($1, $2, $3, $4)",
                context, migration.number, migration.name, migration.sha256,
            )  # fmt: skip
        log.debug("migrated", context=context, migration=migration.name)
        ran += 1
    return ran


async def _ensure_role_and_schema(connection: asyncpg.Connection, context: str) -> None:
    role = role_of(context)
    if not await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", role):
        try:
            await connection.execute(f'CREATE ROLE "{role}" NOLOGIN')
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            log.debug("role made by another process", role=role)  # roles are shared by all databases of a server
    if not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", role):
        await connection.execute(f'GRANT "{role}" TO current_user')
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{context}"')
    await connection.execute(f'GRANT USAGE ON SCHEMA "{context}" TO "{role}"')
