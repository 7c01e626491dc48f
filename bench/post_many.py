"""How far does one caller with batches get beyond what single transfers can reach on this machine?

And what does a caller alone lose by the batcher that gathers everybody's posts: he must not wait for company.
"""

import asyncio
import statistics
import time

from bench import limit
from bench.books import Bookkeeper, Books, bench_server, bookkeeper, copied, per_operation

BOOKS = Books(account_count=50_000, rounds=1)
BATCH_SIZES = (1, 10, 50, 100, 1000)
BATCH_SIZE = 1000
BATCHES_PER_SECOND_MAX = 40
CALLERS = 2  # one packs while the database works for the other; the limit has eight clients
LONE_POSTS = 300


async def measure(*, rounds: int, seconds: float) -> tuple[dict[str, float], list[str]]:
    """Return the figures by key, and lines with the absolute rates."""
    many, limits, lone = [], [], []
    with bench_server() as server:
        async with copied(server, BOOKS) as url, bookkeeper(url, BOOKS) as caller:
            await limit.prepare(url, count=BOOKS.account_count)
            costs = await _cpu_by_batch_size(caller)
            for _ in range(rounds):
                many.append(await _post_many_rate(caller, seconds))
                limits.append(
                    await asyncio.to_thread(
                        limit.single_transfers, url, count=BOOKS.account_count, seconds=round(seconds)
                    )
                )
                lone.append(await _lone_over_unbatched(caller))
    ratios = [rate / each.rate for rate, each in zip(many, limits, strict=True)]
    return (
        {"post_many_over_limit": statistics.median(ratios), "lone_over_unbatched": statistics.median(lone)},
        [
            (
                f"post_many of {BATCH_SIZE}: {statistics.median(many):,.0f}/s; single transfers by pgbench: "
                f"ours {statistics.median(each.ours for each in limits):,.0f}/s, "
                f"lean {statistics.median(each.lean for each in limits):,.0f}/s"
            ),
            f"CPU us a transfer, by size of the batch: {costs}",
        ],
    )


async def _cpu_by_batch_size(caller: Bookkeeper) -> str:
    """CPU a transfer, in the database's backend and in this process, as words."""
    found = []
    for size in BATCH_SIZES:
        batches = [caller.transfers(size) for _ in range(max(6, 2000 // size))]
        await caller.post(batches.pop())
        before = caller.now()
        for batch in batches:
            await caller.post(batch)
        cost = per_operation(before, caller.now(), size * len(batches))
        found.append(f"{size}: database {1e6 * cost.database_cpu:.0f}, server {1e6 * cost.server_cpu:.0f}")
    return "; ".join(found)


async def _post_many_rate(caller: Bookkeeper, seconds: float) -> float:
    """Transfers a second. Making up the transfers is done before."""
    batches = [caller.transfers(BATCH_SIZE) for _ in range(round(seconds * BATCHES_PER_SECOND_MAX))]
    until = time.perf_counter() + seconds

    async def post() -> int:
        count = 0
        while batches and time.perf_counter() < until:
            await caller.post(batches.pop())
            count += BATCH_SIZE
        return count

    started = time.perf_counter()
    posted = await asyncio.gather(*(post() for _ in range(CALLERS)))
    return sum(posted) / (time.perf_counter() - started)


async def _lone_over_unbatched(caller: Bookkeeper) -> float:
    """The median time of a post through the batcher, when nobody else posts, over that of the bare call."""
    together, bare = [], []
    for first, second in zip(caller.transfers(LONE_POSTS), caller.transfers(LONE_POSTS), strict=True):
        started = time.perf_counter()
        await caller.ledger.post(first)
        between = time.perf_counter()
        await caller.ledger._post_one(second)
        bare.append(time.perf_counter() - between)
        together.append(between - started)
    return statistics.median(together) / statistics.median(bare)
