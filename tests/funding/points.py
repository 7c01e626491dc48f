"""The named points at which a process of funding can die: before or after each change that it makes to the world.

A commit, a change of the ledger and a request to Stripe are points; what happens between two of them dies with the
process. `points_in_source.py` says which there have to be.
"""

import contextlib
import re
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from crashes import Death
from stripe_standin.client import Transport
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.platform.db import Database

CARRIERS = {"_stop"}  # functions that ask what they were handed: the point is whoever handed it to them
LEDGER_CHANGES = ("post", "post_linked", "post_many", "open_account", "set_limits", "close_account")


class Points:
    """What one process does to the world, one point after the other; it dies at the one that is wanted, if any."""

    def __init__(self, *, dies_at: int = -1, dies_after: bool = True) -> None:
        self.seen: list[str] = []
        self.has_died = False
        self._dies_at = dies_at
        self._dies_after = dies_after

    def arrive(self, name: str) -> int:
        """Return the number of this point."""
        self.seen.append(name)
        return len(self.seen) - 1

    def die(self, number: int, *, is_after: bool) -> None:
        """Die if it is wanted here."""
        if (number, is_after) == (self._dies_at, self._dies_after):
            self.has_died = True
            raise Death

    @contextlib.asynccontextmanager
    async def at(self, name: str) -> AsyncIterator[None]:
        number = self.arrive(name)
        self.die(number, is_after=False)
        yield
        self.die(number, is_after=True)


def is_write(sql: str) -> bool:
    """Whether a statement changes something."""
    return re.search(r"^(INSERT|UPDATE|DELETE)\b", sql, re.MULTILINE) is not None


def _whose() -> str:
    """The function of funding that is at work."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        is_carrier = path.endswith("/stripe/client.py") or frame.f_code.co_name in CARRIERS
        if "/tikiwallet/funding/" in path and not is_carrier:
            return re.sub(r"\.<locals>\.<\w+>", "", frame.f_code.co_qualname)
        frame = frame.f_back
    return "?"


class WatchedPool:
    """The pool, each of whose single statements that write is a commit."""

    def __init__(self, pool: Any, points: Points) -> None:
        self._pool = pool
        self._points = points

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._pool, name)
        if name not in {"execute", "fetchrow", "fetchval", "fetch", "executemany"}:
            return call

        async def watched(sql: str, *arguments: Any) -> Any:
            if not is_write(sql):
                return await call(sql, *arguments)
            async with self._points.at(f"commit {_whose()}"):
                return await call(sql, *arguments)

        return watched


class WatchedDatabase(Database):
    """The database, each of whose transactions is a commit."""

    def __init__(self, shared: Database, points: Points) -> None:
        self._shared = shared
        self._points = points

    @property
    def pool(self) -> Any:
        return WatchedPool(self._shared.pool, self._points)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        number = self._points.arrive(f"commit {_whose()}")
        async with self._shared.transaction() as connection:
            yield connection
            self._points.die(number, is_after=False)
        self._points.die(number, is_after=True)


class WatchedLedger:
    """The ledger, each of whose changes is a point."""

    def __init__(self, ledger: PostgresLedger, points: Points) -> None:
        self._ledger = ledger
        self._points = points

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._ledger, name)
        if name not in LEDGER_CHANGES:
            return call

        async def watched(*arguments: Any, **named: Any) -> Any:
            async with self._points.at(f"ledger {name} {_whose()}"):
                return await call(*arguments, **named)

        return watched


class WatchedTransport(httpx.AsyncBaseTransport):
    """The way to Stripe, each of whose requests is a point; `notice_silence` is told when no answer comes."""

    def __init__(self, inner: Transport, points: Points, *, notice_silence: Callable[[], None]) -> None:
        self._inner = inner
        self._points = points
        self._notice_silence = notice_silence

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._points.at(f"stripe {request.method} {_whose()}"):
            try:
                return await self._inner.handle_async_request(request)
            except httpx.ReadTimeout:
                self._notice_silence()
                raise
