"""Outages of the operator's: who could not reach it must not lose by that.

Claims have to come in time, by the operator's own clock. If its servers were down on the last day, the time moves for
everything that is open, before any close runs; without that, an outage would turn honest payments into late ones.
"""

from datetime import datetime
from typing import Final

import structlog

from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection

# Longer than the longest pause between two attempts of a job that fails, so that a failing job is no outage.
GAP_SECONDS: Final = 2 * 3600

log = structlog.get_logger()


async def note_outage(connection: Connection) -> int:
    """Note that a server is at work, and make good for the time in which none was. Returns how many vouchers moved.

    Called before every round of closes, by whoever closes alone; in one transaction, so that a gap counts once.
    """
    async with connection.transaction():
        row = await connection.fetchrow(SQL["beat"], GAP_SECONDS)
        if row is None:
            return 0
        return await move_claims(connection, began_at=row["began_at"], ended_at=row["ended_at"])


async def move_claims(tx: Connection, *, began_at: datetime, ended_at: datetime) -> int:
    """Give every open voucher the length of an outage more time for claims. Returns how many vouchers moved.

    The same outage (`began_at`) moves them once.
    """
    moved_count: int | None = await tx.fetchval(SQL["move_claims"], began_at, ended_at)
    if moved_count is None:
        return 0
    log.warning("outage", began_at=began_at.isoformat(), ended_at=ended_at.isoformat(), moved=moved_count)
    return moved_count
