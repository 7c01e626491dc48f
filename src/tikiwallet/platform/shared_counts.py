"""Counts of tries in Redis, for as long as it answers.

A limit that waited for Redis would make Redis a thing that the wallet can't live without. So nobody waits longer than a
moment, nobody at all after one had to, and it is said once when Redis is lost and once when it is back.
"""

import asyncio
import time
from datetime import datetime
from typing import Final

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TIMEOUT_SECONDS: Final = 0.25
PAUSE_SECONDS: Final = 5  # one request in this time asks a lost Redis again
CONNECTIONS_MAX: Final = 8

log = structlog.get_logger()


class SharedCounts:
    """Counters by name."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        self._is_lost = False
        self._asked_again_at = 0.0

    async def close(self) -> None:
        """Close the connections. Safe when none was opened."""
        await self._redis.aclose()

    async def count(self, name: str, *, window_seconds: int, now: datetime) -> int:  # noqa: ARG002 -- Redis has a clock
        """Add one to a counter that is forgotten after the window, and return the sum; 0 while Redis doesn't answer."""
        if self._is_lost:
            if time.monotonic() < self._asked_again_at:
                return 0
            self._asked_again_at = time.monotonic() + PAUSE_SECONDS
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incr(f"tikiwallet:{name}")
                pipeline.expire(f"tikiwallet:{name}", window_seconds)
                found: list[int] = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._asked_again_at = time.monotonic() + PAUSE_SECONDS
            if not self._is_lost:
                self._is_lost = True
                log.warning("redis doesn't answer; each process counts alone until it does", error=repr(error))
            return 0
        if self._is_lost:
            self._is_lost = False
            log.warning("redis answers again; the processes count together")
        return found[0]
