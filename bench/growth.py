"""Is a ledger of ten million postings as fast as one of a hundred thousand?

Both stand side by side on one server and are asked in turn, so that what else the machine does meets both. A checkpoint
is forced first and the pages are then written once by a warm-up: a page's first change after a checkpoint writes it
whole to the log, which is a price of time (one in each `checkpoint_timeout`), not of size.

What is left of growth is the processor's own memory: plans, levels of the indexes and pages touched are the same, but
the small ledger's pages stay in its cache and the large one's don't. `growth_transfer` is of batches of forty, the mean
of what a server sends that 256 connections keep busy (36 to 42 payments a call; 15 at 80 % of that load). In larger
ones that price weighs more, so that those of a hundred and of a thousand are told beside it.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from bench.books import Bookkeeper, Books, Cost, bench_server, bookkeeper, copied, execute, per_operation

SMALL = Books(account_count=10_000, rounds=4)
LARGE = Books(account_count=1_000_000, rounds=4)
BATCH_SIZE = 40
LARGER_BATCH_SIZE = 100
LARGEST_BATCH_SIZE = 1000
PAGE_SIZE = 20
PAGES_PER_TURN = 300
WARM_UP_SECONDS = 25
MEASURE_SECONDS = 14


async def measure(*, warm_up_seconds: float = WARM_UP_SECONDS, seconds: float = MEASURE_SECONDS) -> dict[str, float]:
    """Return the ratios large to small, and the costs behind them in microseconds."""
    figures: dict[str, float] = {}
    with bench_server() as server:
        async with AsyncExitStack() as stack:
            callers = []
            for books in (SMALL, LARGE):
                url = await stack.enter_async_context(copied(server, books))
                callers.append(await stack.enter_async_context(bookkeeper(url, books)))
            await execute(server.url(), "CHECKPOINT")
            await _take_turns(callers, _post_largest, warm_up_seconds)
            for key, turn in (
                ("growth_transfer", _post),
                ("growth_transfer_100", _post_larger),
                ("growth_transfer_1000", _post_largest),
                ("growth_history", _read),
            ):
                await _take_turns(callers, turn, 1)
                small, large = await _take_turns(callers, turn, seconds)
                # The cost of an operation is what it takes of the machine: the caller waits for nothing else.
                figures[key] = large.wall / small.wall
                for name, cost in (("small", small), ("large", large)):
                    figures |= {f"{key}_{name}_{part}_us": 1e6 * value for part, value in cost._asdict().items()}
                figures[f"{key}_database_cpu"] = large.database_cpu / small.database_cpu
    return figures


async def _post(caller: Bookkeeper) -> Cost:
    return await _post_batch(caller, BATCH_SIZE)


async def _post_larger(caller: Bookkeeper) -> Cost:
    return await _post_batch(caller, LARGER_BATCH_SIZE)


async def _post_largest(caller: Bookkeeper) -> Cost:
    return await _post_batch(caller, LARGEST_BATCH_SIZE)


async def _post_batch(caller: Bookkeeper, size: int) -> Cost:
    transfers = caller.transfers(size)
    before = caller.now()
    await caller.post(transfers)
    return per_operation(before, caller.now(), size)


async def _read(caller: Bookkeeper) -> Cost:
    accounts = [caller.account() for _ in range(PAGES_PER_TURN)]
    before = caller.now()
    for account_id in accounts:
        page = await caller.ledger.statement(account_id, limit=PAGE_SIZE)
        assert page, account_id
    return per_operation(before, caller.now(), PAGES_PER_TURN)


async def _take_turns(
    callers: Sequence[Bookkeeper], turn: Callable[[Bookkeeper], Awaitable[Cost]], seconds: float
) -> list[Cost]:
    """The median cost of each caller's turns."""
    costs: list[list[Cost]] = [[] for _ in callers]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for caller, own in zip(callers, costs, strict=True):
            own.append(await turn(caller))
    return [Cost(*map(statistics.median, zip(*own, strict=True))) for own in costs]


def main() -> None:
    for key, value in asyncio.run(measure()).items():
        print(f"{key:45} {value:10.2f}")


if __name__ == "__main__":
    main()
