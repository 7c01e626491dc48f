"""Run the simulation: `python -m sim`. SEED, SIZE (phones), MUTANT, SIGNATURES=real and OUT (a folder) may be set.

The last line says whether every promise held; the exit status is 1 if one did not.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sim.charts import draw
from sim.districts import run, whole
from sim.mutants import MUTANTS
from sim.outcome import Record, outcome
from sim.world import Settings

PAYMENTS_PER_PHONE = 31


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings of a run. Raises ValueError for a number that is none."""
    phones = int(environment.get("SIZE", "10000"))
    return Settings(
        seed=int(environment.get("SEED", "1")),
        phones=phones,
        payments=phones * PAYMENTS_PER_PHONE,
        real_signatures=environment.get("SIGNATURES") == "real",
        phones_per_village=min(100, max(10, phones // 4)),
    )


def report(record: Record) -> str:
    """Return what happened, in a few lines."""
    stats = record.stats
    payments = max(1, stats["payments"])
    handed_on = stats["depth 2"] + stats["depth 3"]
    phone_days = record.phones * len(record.days)
    syncs = sum(day.syncs for day in record.days)
    sent = sum(day.bytes_up + day.bytes_down for day in record.days)
    ways = ", ".join(f"{way} {record.gains[way] // max(1, tries)} x {tries}" for way, tries in record.tries.items())
    lines = (
        (
            f"handed on {100 * handed_on // payments} %, at depth 3 {stats['depth 3']}; refunds {stats['refunds']}, "
            f"torn {stats['torn']}, shown again {stats['shown_again']}, refused {stats['refused']}"
        ),
        (
            f"vouchers closed {record.closes}, with double spends to share {record.conflicts}; "
            f"phones named {record.named}; sprees {stats['sprees']}; gain per try: {ways}"
        ),
        (
            f"phones lost {stats['phones_lost']} (restored {stats['phones_restored']}), couriers {stats['couriers']}, "
            f"paid in copies that came too late {record.came_too_late}"
        ),
        (
            f"honest loss {sum(lost for lost, _ in record.lost_and_shown)}, shown At your risk {record.shown_at_risk}; "
            f"{stats['bundle bytes'] // payments} bytes a payment; "
            f"a phone and day: {sent // phone_days} bytes, {syncs / phone_days:.2f} syncs"
        ),
    )
    return "\n".join(lines)


def main() -> int:
    """Run one world and say what came of it."""
    mutant = os.environ.get("MUTANT") or None
    if mutant is not None and mutant not in MUTANTS:
        sys.stderr.write(f"MUTANT is one of {', '.join(MUTANTS)}\n")
        return 2
    settings = settings_from(os.environ)
    if mutant is not None:
        settings = replace(settings, only_way=MUTANTS[mutant].way)
    record = whole(run(settings, mutant))
    found = outcome(record)
    sys.stdout.write(report(record) + "\n")
    for path in draw(record, Path(os.environ.get("OUT", "build/sim"))):
        sys.stdout.write(f"{path}\n")
    for name in found.broken:
        sys.stdout.write(f"broken promise: {name}\n")
    sys.stdout.write(found.line + "\n")
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
