"""Long work that leaves others their turn.

A second thread would have to win the interpreter back after each call that lets it go, such as a signature's: while the
first thread has something to do, that takes as long as the signature itself. So what is long is done where everything
else is, and stops now and then.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

TURN_SECONDS: Final = 0.001  # what somebody else waits for, and then for the item that is at work

A = TypeVar("A")
B = TypeVar("B")


async def in_turns(work: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """Return what `work` makes of each item, in their order. What `work` raises ends it."""
    done: list[B] = []
    over_at = time.perf_counter() + TURN_SECONDS
    for item in items:
        done.append(work(item))
        if time.perf_counter() >= over_at:
            await asyncio.sleep(0)
            over_at = time.perf_counter() + TURN_SECONDS
    return done
