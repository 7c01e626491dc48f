"""Tries counted in a table, for several processes that have no Redis.

Each would else give a guesser as many tries as all of them together should. A count costs a write, which is little
beside the password hash or the text message that follows it, and none at all once a process has seen enough by itself.
"""

from datetime import datetime, timedelta
from typing import Final

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.db import Database

FORGOTTEN_AT_ONCE_MAX: Final = 20  # with every count that begins: more than begin, so that they never pile up


class TableCounts:
    """Counters by name (`throttle.Counts`)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def count(self, name: str, *, window_seconds: int, now: datetime) -> int:
        """Add one to a counter that is forgotten after the window, and return the sum."""
        count: int = await self._db.pool.fetchval(SQL["count_try"], name, now + timedelta(seconds=window_seconds))
        if count == 1:
            await self._db.pool.execute(SQL["forget_old_counts"], now, FORGOTTEN_AT_ONCE_MAX)
        return count

    async def close(self) -> None:
        """Nothing is held: the connections are the context's."""
