"""How much of its own money the operator has promised, and a circuit breaker when that is too much.

Cover, guarantees and early release are promises to strangers; each is bounded for one person, and only this sum bounds
them for the operator. Past the limit nothing new is promised. What people hold stays good: a breaker that touched
payments already made would take money from those who trusted it.
"""

import msgspec

from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused


class OfflinePaused(Refused):
    """Nobody can load offline money just now; what you hold stays good, so try again later."""

    code, kind = "offline_paused", Kind.UNAVAILABLE


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """The most that the operator can lose on what is out now. Amounts in minor units."""

    cover_minor: int  # B: what is left of all cover budgets
    guarantee_minor: int  # G: of everybody who holds money that isn't settled and that can be spent twice
    early_release_minor: int  # L: of everybody who holds money that isn't settled
    limit_minor: int | None  # of the sum; None: no limit

    @property
    def total_minor(self) -> int:
        """The sum that is held against the limit."""
        return self.cover_minor + self.guarantee_minor + self.early_release_minor

    @property
    def is_paused(self) -> bool:
        """Whether nothing new is promised."""
        return self.limit_minor is not None and self.total_minor > self.limit_minor


class Exposures:
    """Measures what is promised, and keeps the figure where loads and certificates find it."""

    def __init__(self, db: Database, *, policy: Policy) -> None:
        self._db = db
        self._policy = policy

    async def measure(self) -> Exposure:
        """Return what is promised now, and let the breaker act on it. Called by the watch and by operators."""
        by_number = {tier.number: tier for tier in self._policy.tiers.values()}
        rows = await self._db.pool.fetch(SQL["holders_by_tier"])
        exposure = Exposure(
            cover_minor=await self._db.pool.fetchval(SQL["cover_promised"]),
            guarantee_minor=sum(by_number[row["tier"]].guarantee_minor * row["guaranteed_count"] for row in rows),
            early_release_minor=sum(by_number[row["tier"]].early_release_minor * row["person_count"] for row in rows),
            limit_minor=self._policy.exposure_max_minor,
        )
        await self._db.pool.execute(SQL["keep_exposure"], exposure.total_minor, exposure.is_paused)
        return exposure


async def is_paused(connection: Connection) -> bool:
    """Tell whether the breaker was open when the exposure was last measured, at most a minute ago."""
    paused: bool = await connection.fetchval(SQL["is_paused"])
    return paused
