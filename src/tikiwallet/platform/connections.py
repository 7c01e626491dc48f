"""Connections at hand: what asking the database costs besides asking it.

asyncpg's pool takes a connection back in a task of its own, which resets it and arms a timer: 80 us a question where
the question itself takes 60. No code here changes session state, so a connection that did its work well is kept at
hand as it is, and one that met trouble goes back to the pool, which knows what to do with it.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy


class Connections:
    """The connections of an open pool. Up to half of them are kept at hand between questions.

    Nobody starves: while somebody waits for a connection of the pool, every one that is free goes there, and the other
    half is never kept from those who use the pool itself (the worker of jobs).
    """

    def __init__(self, pool: asyncpg.Pool, *, size_max: int) -> None:
        self._pool = pool
        self._kept: list[PoolConnectionProxy] = []
        self._kept_max = size_max // 2
        self._waiting = 0

    async def close(self) -> None:
        """Give back what is at hand."""
        while self._kept:
            await self._pool.release(self._kept.pop())

    async def fetch(self, query: str, *arguments: object) -> Any:
        """See `asyncpg.Connection.fetch`."""
        async with self.acquire() as connection:
            return await connection.fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> Any:
        """See `asyncpg.Connection.fetchrow`."""
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        """See `asyncpg.Connection.fetchval`."""
        async with self.acquire() as connection:
            return await connection.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: object) -> None:
        """See `asyncpg.Connection.execute`."""
        async with self.acquire() as connection:
            await connection.execute(query, *arguments)

    async def executemany(self, query: str, arguments: object) -> None:
        """See `asyncpg.Connection.executemany`."""
        async with self.acquire() as connection:
            await connection.executemany(query, arguments)

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[PoolConnectionProxy]:
        """A connection for as long as the context lasts."""
        connection = await self._take()
        try:
            yield connection
        except BaseException:  # also a caller that is cancelled: the pool waits until the question is, and resets
            await self._pool.release(connection)
            raise
        if self._waiting or len(self._kept) >= self._kept_max or _is_over(connection):
            await self._pool.release(connection)
        else:
            self._kept.append(connection)

    async def _take(self) -> PoolConnectionProxy:
        while self._kept:
            connection = self._kept.pop()
            if not _is_over(connection):
                return connection
            await self._pool.release(connection)  # the server ended it meanwhile
        self._waiting += 1
        try:
            return await self._pool.acquire()
        finally:
            self._waiting -= 1


def _is_over(connection: PoolConnectionProxy) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the server ended it, and the pool has taken it back already
        return True
