"""Forget what nobody needs any more: sessions long over, devices long unseen, old notices.

A table of everybody's sign-ins for ever would tell more about people than keeping them safe needs. Deleting is safe to
repeat and to do in several processes at once, so that this is a loop and no promise that has to be kept.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from tikiwallet.identity.known_devices import FORGOTTEN_AFTER as DEVICE_FORGOTTEN_AFTER
from tikiwallet.identity.notices import SHOWN_FOR
from tikiwallet.identity.queries import SQL
from tikiwallet.platform.db import Database

SESSION_FORGOTTEN_AFTER: Final = timedelta(days=30)  # past its end, for somebody who asks where he was signed in
SESSIONS_AT_ONCE: Final = 1000
INTERVAL_SECONDS: Final = 3600

log = structlog.get_logger()


class Forgetting:
    """Deletes what is old enough, now and every `interval_seconds`."""

    def __init__(self, db: Database, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._db = db
        self._interval_seconds = interval_seconds

    async def forget(self, *, now: datetime) -> int:
        """Delete what is old enough; return how many sessions that were. Safe to repeat."""
        total = 0
        while deleted := await self._db.pool.fetchval(
            SQL["forget_old_sessions"], now - SESSION_FORGOTTEN_AFTER, SESSIONS_AT_ONCE
        ):
            total += deleted
        await self._db.pool.execute(SQL["forget_old_devices"], now - DEVICE_FORGOTTEN_AFTER)
        await self._db.pool.execute(SQL["forget_old_notices"], now - SHOWN_FOR)
        return total

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Forget for as long as the context lasts."""
        task = asyncio.create_task(self._repeat(clock), name="forgetting")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _repeat(self, clock: Callable[[], datetime]) -> None:
        while True:
            try:
                if count := await self.forget(now=clock()):
                    log.info("old sessions forgotten", count=count)
            except (
                Exception
            ) as error:  # a loop that must survive (STYLE.md, section 4): the next round is the repetition
                log.error("forgetting failed", exc_info=error)  # noqa: TRY400 -- structlog likes the error
            await asyncio.sleep(self._interval_seconds)
