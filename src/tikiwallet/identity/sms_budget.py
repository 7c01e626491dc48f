"""What text messages may cost, everybody's together, in an hour and in a day.

Whoever earns by text messages (to numbers of his own, through a carrier that shares with him) has as many numbers and
addresses as he needs, so that no limit on one of them ends it. This one does: past it no code is sent to anybody until
the hour or the day is over, and who has a password or a passkey signs in as ever. It is counted in the database
whatever else is there: the count of a process would be lost when it ends, and a Redis may be emptied at any time.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import structlog

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

KEPT: Final = timedelta(days=30)  # for an operator who asks when it was

log = structlog.get_logger()


class SmsPaused(Refused):
    """No text messages are sent at the moment; sign in with your password or passkey, or try again later."""

    code, kind = "sms_paused", Kind.UNAVAILABLE


class _Period(NamedTuple):
    name: str
    length: timedelta
    sent_max: int

    def beginning(self, now: datetime) -> datetime:
        seconds = int(self.length.total_seconds())
        return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)


class SmsBudget:
    """The breaker. Periods are those of the clock in UTC."""

    def __init__(self, db: Database, *, per_hour_max: int, per_day_max: int) -> None:
        self._db = db
        self._periods = (
            _Period("hour", timedelta(hours=1), per_hour_max),
            _Period("day", timedelta(days=1), per_day_max),
        )

    async def take(self, *, now: datetime) -> None:
        """Take one message from both periods, or none from either. Refusal: `SmsPaused`."""
        try:
            async with self._db.transaction() as tx:
                for period in self._periods:  # always in this order, so that two can't deadlock
                    await self._take_from(tx, period, now)
        except SmsPaused:
            await self._say_so_once(now)
            raise

    async def _take_from(self, tx: Connection, period: _Period, now: datetime) -> None:
        begins_at = period.beginning(now)
        sent = await tx.fetchval(SQL["take_from_sms_budget"], period.name, begins_at, period.sent_max)
        if sent is None:
            over_in = begins_at + period.length - now
            raise SmsPaused(retry_after_seconds=max(1, -(-over_in // timedelta(seconds=1))))
        if sent == 1:
            await tx.execute(SQL["forget_old_sms_budgets"], now - KEPT)

    async def _say_so_once(self, now: datetime) -> None:
        for period in self._periods:
            sent = await self._db.pool.fetchval(
                SQL["trip_sms_breaker"], period.name, period.beginning(now), now, period.sent_max
            )
            if sent is not None:
                log.error("text messages are paused: the limit is reached", period=period.name, sent=sent)
