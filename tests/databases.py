"""The addresses of the test server's databases, and statements that run on them."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from pgqueuer.core.qm import QueueManager
from pgqueuer.queries import Queries


def database_of(cluster: str, name: str) -> str:
    """The URL of another database on the same server."""
    before, _, options = cluster.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


async def execute(url: str, *statements: str) -> None:
    """Run statements, one after the other, on a connection of their own."""
    connection = await asyncpg.connect(url)
    try:
        for sql in statements:
            await connection.execute(sql)
    finally:
        await connection.close()


@contextlib.contextmanager
def ask_the_catalogue_once() -> Iterator[None]:
    """Spare a third of the time of a test with a database: questions that every connection asks of the same types.

    Type numbers are unique within a server and kept in copies of a database, so what asyncpg learned of them once stays
    true. That pgqueuer's tables are what pgqueuer wants is shown by tests/platform/test_jobs.py.
    """
    introspect = asyncpg.Connection._introspect_types
    known: dict[Any, Any] = {}

    async def introspect_once(self: Any, oids: Any, *limits: Any) -> Any:
        key = (self._addr, frozenset(oids))
        if key in known:
            return known[key], SimpleNamespace(name="none was used")
        found, statement = await introspect(self, oids, *limits)
        known[key] = found
        return found, statement

    async def is_there(*_: object) -> bool:
        return True

    async def is_sound(_: object) -> None:
        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_introspect_types", introspect_once)
        patch.setattr(QueueManager, "verify_structure", is_sound)
        patch.setattr(Queries, "has_table", is_there)
        yield
