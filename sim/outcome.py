"""What a run says in the end: a record of each district, one line for all, and the names of the promises that broke."""

from collections import Counter
from dataclasses import dataclass

from sim.world import Day, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of a district, or of several together. Amounts in minor units."""

    seed: int
    district: int
    phones: int
    days: tuple[Day, ...]
    stats: Counter[str]
    broken: Counter[str]  # promises, by name
    gains: Counter[str]  # of the cheats, by way
    tries: Counter[str]
    losses: tuple[int, ...]  # what the operator had paid, by hour
    lost_and_shown: tuple[tuple[int, int], ...]  # of each honest key that lost something
    named: int
    honest_named: int
    unnamed: int
    closes: int
    conflicts: int
    came_too_late: int
    shown_at_risk: int
    over_shown: int
    bound: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last line of a run, and which promises broke (none, one hopes)."""

    line: str
    broken: tuple[str, ...]


def record_of(world: World) -> Record:
    """Return the record of a district that is finished."""
    audit, operator = world.audit, world.operator
    broken = Counter({name: times for name, times in audit.broken.items() if times})
    if operator.total() != world.money_at_start or operator.open:
        broken["conserved"] += 1
    return Record(
        seed=world.settings.seed,
        district=world.settings.district,
        phones=world.settings.phones,
        days=tuple(world.days),
        stats=world.stats,
        broken=broken,
        gains=Counter(world.forum.gains),
        tries=Counter(world.forum.tries),
        losses=tuple(world.losses),
        lost_and_shown=tuple((lost, audit.shown_at_risk[key]) for key, lost in sorted(audit.lost.items()) if lost),
        named=len(operator.named),
        honest_named=audit.honest_named(operator),
        unnamed=audit.unnamed,
        closes=audit.closes,
        conflicts=audit.conflicts,
        came_too_late=audit.came_too_late,
        shown_at_risk=sum(audit.shown_at_risk.values()),
        over_shown=audit.loss_over_shown(),
        bound=audit.bound(operator),
    )


def outcome(record: Record) -> Outcome:
    """Judge a finished run."""
    loss = max(record.losses)  # before the operator collects what people owe
    broken = set(record.broken)
    numbers = {
        "honest_named": record.honest_named,
        "cheats_unnamed": record.unnamed,
        "honest_loss_over_shown": record.over_shown,
        "operator_loss_over_bound": loss > record.bound,
    }
    broken |= {name for name, number in numbers.items() if number}
    line = (
        f"payments={record.stats['payments']} conserved={'no' if 'conserved' in broken else 'yes'} "
        f"honest_named={record.honest_named} cheats_unnamed={record.unnamed} "
        f"honest_loss_over_shown={record.over_shown} operator_loss={loss} bound={record.bound} seed={record.seed}"
    )
    return Outcome(line, tuple(sorted(broken)))
