"""Districts: the villages of a run in groups, simulated side by side on every core.

People pay each other where they live, so the operator's books fall apart by district. What does travel is told every
midnight: the list of blocked phones, and what the cheats learned. As it is told at one moment to all, a run is the same
on one core and on many.
"""

import gc
import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Final, TypeAlias

from sim.mutants import mutated, note_people
from sim.outcome import Record, record_of
from sim.world import News, Settings, World

DISTRICT_PHONES: Final = 1000

# Yields what its districts tell at midnight and is sent what all tell; returns what became of its districts.
Days: TypeAlias = Generator[list[News], list[News], list[Record]]


def districts_of(settings: Settings, count: int) -> list[Settings]:
    """Cut a run into some districts, with their part of the phones and payments."""
    return [
        replace(
            settings,
            district=number,
            phones=_part(settings.phones, number, count),
            payments=_part(settings.payments, number, count),
        )
        for number in range(count)
    ]


def _part(whole: int, number: int, count: int) -> int:
    return whole * (number + 1) // count - whole * number // count


def run(
    settings: Settings, mutant: str | None = None, *, count: int | None = None, cores: int | None = None
) -> list[Record]:
    """Run all districts, under a mutant if one is named. Returns a record for each, in their order.

    `count` districts (of about a thousand phones, unless told) live on `cores` processes (all there are, unless told).
    """
    districts = districts_of(settings, count or max(1, settings.phones // DISTRICT_PHONES))
    workers = min(cores or os.cpu_count() or 1, len(districts))
    if workers == 1:
        return _drive(_days(districts, mutant), lambda told: told)
    return _together([districts[worker::workers] for worker in range(workers)], mutant)


def _days(districts: Sequence[Settings], mutant: str | None) -> Days:
    """Let some districts live through all days."""
    # What lives here lives for the whole run: looking through all of it again and again took a quarter of the time.
    gc.set_threshold(50_000, 20, 100_000)
    with nullcontext() if mutant is None else mutated(mutant):
        worlds = [World(settings) for settings in districts]
        note_people(worlds)
        for day in range(districts[0].days):
            for world in worlds:
                world.live(day)
            told = yield [world.news() for world in worlds]
            for world in worlds:
                world.hear(told)
        for world in worlds:
            world.finish()
        return [record_of(world) for world in worlds]


def _drive(days: Days, exchange: Callable[[list[News]], list[News]]) -> list[Record]:
    """Go through all days; `exchange` takes what is told at a midnight and returns what everybody tells."""
    try:
        told = next(days)
        while True:
            told = days.send(exchange(told))
    except StopIteration as end:
        records: list[Record] = end.value
        return records


def _together(shares: Sequence[Sequence[Settings]], mutant: str | None) -> list[Record]:
    """Give each process some districts, and carry the news between them."""
    context = get_context("spawn")  # a fork would copy whatever the caller has
    pipes, workers = [], []
    try:
        for share in shares:
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs, share, mutant), daemon=True)
            worker.start()
            theirs.close()
            pipes.append(ours)
            workers.append(worker)
        for _ in range(shares[0][0].days):
            told = [news for pipe in pipes for news in pipe.recv()]
            told.sort(key=lambda news: news.district)
            for pipe in pipes:
                pipe.send(told)
        records: list[Record] = [record for pipe in pipes for record in pipe.recv()]
        return sorted(records, key=lambda record: record.district)
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(pipe: "Connection[Any, Any]", share: Sequence[Settings], mutant: str | None) -> None:
    """Run some districts in a process of their own."""

    def exchange(told: list[News]) -> list[News]:
        pipe.send(told)
        everything: list[News] = pipe.recv()
        return everything

    pipe.send(_drive(_days(share, mutant), exchange))


def whole(records: Sequence[Record]) -> Record:
    """Return what became of all districts together."""
    merged = records[0]
    for other in records[1:]:
        merged = replace(
            merged,
            phones=merged.phones + other.phones,
            days=tuple(one.plus(two) for one, two in zip(merged.days, other.days, strict=True)),
            stats=merged.stats + other.stats,
            broken=merged.broken + other.broken,
            gains=_sum(merged.gains, other.gains),
            tries=_sum(merged.tries, other.tries),
            losses=tuple(one + two for one, two in zip(merged.losses, other.losses, strict=True)),
            lost_and_shown=merged.lost_and_shown + other.lost_and_shown,
            **{name: getattr(merged, name) + getattr(other, name) for name in SUMS},
        )
    return merged


SUMS: Final = (
    "named", "honest_named", "unnamed", "closes", "conflicts", "came_too_late", "shown_at_risk", "over_shown", "bound",
)  # fmt: skip


def _sum(one: Counter[str], other: Counter[str]) -> Counter[str]:
    return Counter({name: one[name] + other[name] for name in {**one, **other}})
