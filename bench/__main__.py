"""Measure everything and say what is reached: `make bench` (at most 12 minutes), `make bench-quick` (a minute).

The figures are ratios of one run, by key, in bench/latest.json; the rates and CPU times behind them are printed, so
that a reader sees the bottleneck. A figure that misses its goal is said so, and is no error: machines differ.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from bench import claims, growth, idle, post_many, served
from bench.drawing import Goal, draw
from bench.place import place

HERE = Path(__file__).parent
GOALS: Final = {
    "http_over_limit": Goal(0.8),
    "hot_over_limit": Goal(3),
    "post_many_over_limit": Goal(2.5),
    "claims_over_verify": Goal(0.5),
    "read_over_limit": Goal(0.4),
    "growth_transfer": Goal(1.25, is_at_most=True),
    "growth_history": Goal(1.25, is_at_most=True),
    "p99_over_p50_at_80": Goal(5, is_at_most=True),
    "p50_at_80_over_one_client": Goal(3, is_at_most=True),
    "lone_over_unbatched": Goal(1.3, is_at_most=True),
    "idle_mb": Goal(120, is_at_most=True),
    "warm_start_s": Goal(2.0, is_at_most=True),
}
FULL: Final = served.Size(rounds=3, seconds=5)
QUICK: Final = served.Size(rounds=1, seconds=1)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, without claims and growth; writes nothing")
    is_quick = parser.parse_args().quick
    size = QUICK if is_quick else FULL
    started_at = time.perf_counter()
    figures: dict[str, float] = {}
    print(f"  Python {sys.version}", flush=True)  # which build it is makes a fifth of the server's time

    def tell(found: dict[str, float], lines: list[str]) -> None:
        figures.update(found)
        for line in lines:
            print(f"  {line}", flush=True)

    with place() as where:
        tell(*idle.measure(where))
        tell(*served.measure(where, size=size))
    tell(*asyncio.run(post_many.measure(rounds=size.rounds, seconds=size.seconds)))
    if not is_quick:
        tell(*_told(claims.measure()))
        tell(*_told(asyncio.run(growth.measure())))
    for key, goal in GOALS.items():
        if key in figures:
            print(f"{key:28} {figures[key]:7.2f}  {goal.words()}{'' if goal.is_reached(figures[key]) else '  MISSED'}")
    print(f"{time.perf_counter() - started_at:.0f} s")
    if not is_quick:
        kept = {key: round(figures[key], 3) for key in GOALS}
        (HERE / "latest.json").write_text(msgspec.json.format(msgspec.json.encode(kept), indent=2).decode() + "\n")
        title = f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}, one run"
        (HERE / "latest.svg").write_text(draw(kept, GOALS, title=title))


def _told(found: dict[str, float]) -> tuple[dict[str, float], list[str]]:
    """Return the figures that have a goal, and the others as a line."""
    rest = ", ".join(f"{key} {figure:,.1f}" for key, figure in found.items() if key not in GOALS)
    return {key: figure for key, figure in found.items() if key in GOALS}, [rest]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
