"""Slow down whoever guesses or floods, and nobody else.

Tries are counted for each phone number, address or person in windows of the clock (12:00 to 12:15), so that a count is
no more than "add one", and the memory of a window is given back whole. Several processes count together in Redis
(REDIS_URL) or, without it, in a table of the database. But nothing needs Redis: what this process has seen always
counts, so while Redis is slow, gone or emptied, each process limits alone. No count ever decides about money. Whose
tries they are stands there as a keyed hash only.
"""

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from tikiwallet.platform.config import Settings
from tikiwallet.platform.errors import Kind, Refused

KEYS_MAX: Final = 100_000  # of one limit in this process; past it the window begins anew, rather than memory growing
ORDERS_WINDOW_SECONDS: Final = 60
IPV6_PREFIX_BITS: Final = 64  # what one customer has


class TooManyRequests(Refused):
    """You have tried this too often; wait a little, then try again."""

    code, kind = "too_many_requests", Kind.TOO_MANY


class Limit(NamedTuple):
    """How often one may do something in a window of time."""

    name: str
    count_max: int
    window_seconds: int


class Counts(Protocol):
    """Where several processes count together."""

    async def count(self, name: str, *, window_seconds: int, now: datetime) -> int:
        """Add one to a counter that is forgotten after the window, and return the sum; 0 if it can't be known."""
        ...

    async def close(self) -> None:
        """Let go of connections. Safe when none was opened."""
        ...


class Throttle:
    """The counts. `key` is the same in all processes that count together, in `table` if there is no Redis."""

    def __init__(self, settings: Settings, *, key: bytes, table: Counts | None = None) -> None:
        self.key = key
        self._orders = Limit("orders", settings.orders_per_person_max, ORDERS_WINDOW_SECONDS)
        self._seen: dict[str, tuple[int, Counter[str | UUID]]] = {}
        self._shared: Counts | None = None  # a lone process counts in its memory
        self._is_redis = bool(settings.redis_url)
        if self._is_redis:
            self._shared = _redis_counts(settings.redis_url)
        elif settings.workers > 1:
            self._shared = table

    async def close(self) -> None:
        """Let go of what is shared. Safe when it was never asked."""
        if self._shared is not None:
            await self._shared.close()

    async def count(self, limit: Limit, who: str, *, now: datetime) -> None:
        """Count one try of `who`. Refusal: `TooManyRequests`."""
        hashed = hashlib.blake2b(who.encode(), key=self.key, digest_size=16, person=b"throttle").hexdigest()
        window = int(now.timestamp()) // limit.window_seconds
        count = self._count_here(limit, hashed, window)
        # Who is past the limit here is refused anyhow: a table is spared the writes of a flood; Redis may forget.
        if self._shared is not None and (self._is_redis or count <= limit.count_max):
            name = f"{limit.name}:{window}:{hashed}"  # with the window, so that no count outlives it
            count = max(count, await self._shared.count(name, window_seconds=limit.window_seconds, now=now))
        _refuse_past(limit, count, now)

    def count_order(self, person_id: UUID, *, now: datetime) -> None:
        """Count one order about money. Refusal: `TooManyRequests`.

        In this process only: its limit is far above what people do, and asking Redis would cost more than the order.
        """
        _refuse_past(
            self._orders, self._count_here(self._orders, person_id, int(now.timestamp()) // ORDERS_WINDOW_SECONDS), now
        )

    def _count_here(self, limit: Limit, who: str | UUID, window: int) -> int:
        seen_window, seen = self._seen.get(limit.name, (window, None))
        if seen is None or seen_window != window or len(seen) >= KEYS_MAX:
            seen = Counter()
            self._seen[limit.name] = (window, seen)
        seen[who] += 1
        return seen[who]


def _redis_counts(redis_url: str) -> Counts:
    # Only where it is wanted: the import takes 140 ms and 6 MB, and most servers have no Redis.
    from tikiwallet.platform.shared_counts import SharedCounts

    return SharedCounts(redis_url)


def _refuse_past(limit: Limit, count: int, now: datetime) -> None:
    if count > limit.count_max:
        seconds = limit.window_seconds - int(now.timestamp()) % limit.window_seconds
        wait = f"{seconds} seconds" if seconds <= 90 else f"{-(-seconds // 60)} minutes"
        raise TooManyRequests(f"You have tried this too often; try again in {wait}.", retry_after_seconds=seconds)


def client_address(peer: str, *, forwarded_for: str, trusted: Sequence[str]) -> str:
    """Return whom to count: the peer, or whoever a trusted proxy says it speaks for (X-Forwarded-For).

    Of IPv6 the network of one customer. What somebody else than a trusted proxy claims about itself counts for nothing.
    """
    networks = [ipaddress.ip_network(network) for network in trusted]
    found = peer
    for claimed in reversed(forwarded_for.split(",")):  # each proxy adds, at the end, whom it heard
        address = _parsed(found)
        if address is None or not any(address in network for network in networks):
            break
        if _parsed(claimed.strip()) is None:
            break
        found = claimed.strip()
    address = _parsed(found)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address or found)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
