"""Connections to PostgreSQL, and SQL kept in files.

Each context has its own schema and its own role, so that "never through its tables" is a rule the database keeps.
The role is set when a connection opens; nothing changes session state after that, so the pool needs no reset.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from importlib import resources
from typing import Any, TypeAlias

import asyncpg
import msgspec

from tikiwallet.platform.connections import Connections

Connection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

CONNECT_TIMEOUT_SECONDS = 10
COMMAND_TIMEOUT_SECONDS = 30
ANSWER_TIMEOUT_SECONDS = 2
# A plan made for an empty table would scan it for ever; connections are replaced often enough to notice growth.
CONNECTION_LIFETIME_SECONDS = 300


def role_of(context: str) -> str:
    """Return the name of the PostgreSQL role that owns nothing but may use the schema of `context`."""
    return f"tikiwallet_{context}"


class Database:
    """The connections of one context in this process. Made at start-up, opened and closed by the ASGI lifespan."""

    def __init__(self, url: str, *, context: str, size_max: int) -> None:
        self._url = url
        self._context = context
        self._size_max = size_max
        self._pool: asyncpg.Pool | None = None
        self._connections: Connections | None = None

    async def open(self) -> None:
        """Open the pool. Raises `OSError` or `asyncpg.PostgresError` if the server can't be reached."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._size_max,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            max_inactive_connection_lifetime=CONNECTION_LIFETIME_SECONDS,
            reset=_keep_session,
            server_settings={
                "role": role_of(self._context),
                "application_name": f"tikiwallet-{self._context}",
                "jit": "off",
                "plan_cache_mode": "force_generic_plan",
            },
        )
        self._connections = Connections(self._pool, size_max=self._size_max)

    async def close(self) -> None:
        """Wait for connections in use, then close all. Safe when never opened."""
        if self._pool is not None and self._connections is not None:
            await self._connections.close()
            await self._pool.close()
            self._pool = self._connections = None

    @property
    def pool(self) -> Connections:
        """The open connections, for single statements (`fetchrow`, `execute`)."""
        assert self._connections is not None, f"{self._context}: the database is not open"
        return self._connections

    @property
    def driver_pool(self) -> asyncpg.Pool:
        """The driver's own pool, for the job worker."""
        assert self._pool is not None, f"{self._context}: the database is not open"
        return self._pool

    async def answers(self) -> bool:
        """Return whether the server answers within `ANSWER_TIMEOUT_SECONDS`. Raises nothing."""
        if self._connections is None:
            return False
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                await self._connections.execute(SQL["answers"])
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False
        return True

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection inside a transaction (read committed) that commits when the block ends well."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection


async def _keep_session(_: object) -> None:
    """Do nothing: no code changes session state, and asyncpg's own reset costs a round trip per use."""


def as_array(values: Collection[Any]) -> str:
    """Return bytes, numbers, UUIDs or words of ours (not people's) as PostgreSQL writes an array: `$1::text::int[]`.

    The driver takes longer to pack an array than the database takes to read this.
    """
    if values and isinstance(next(iter(values)), bytes):
        return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}'
    # But for the brackets, JSON.
    return "{" + msgspec.json.encode(values)[1:-1].decode() + "}"


class Queries:
    """The named SQL of one context: `sql/queries.sql`, each query under a line `-- name --`."""

    def __init__(self, package: str) -> None:
        text = resources.files(package).joinpath("sql/queries.sql").read_text()
        self._by_name: dict[str, str] = {}
        name = ""
        for line in text.splitlines():
            if line.startswith("-- ") and line.endswith(" --") and line[3:-3].isidentifier():
                name = line[3:-3]
                assert name not in self._by_name, f"{package}: query {name} twice"
                self._by_name[name] = ""
            elif name:
                self._by_name[name] += line + "\n"

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def names(self) -> frozenset[str]:
        """Return the names of all queries (the tidy test checks that each is used)."""
        return frozenset(self._by_name)


SQL = Queries("tikiwallet.platform")
