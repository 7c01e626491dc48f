"""What a run says in the end: one line, and the names of the promises that broke."""

from dataclasses import dataclass

from sim.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last line of a run, and which promises broke (none, one hopes)."""

    line: str
    broken: tuple[str, ...]


def outcome(world: World) -> Outcome:
    """Judge a finished run. Amounts in minor units."""
    audit, operator = world.audit, world.operator
    conserved = audit.broken["conserved"] == 0 and operator.total() == world.money_at_start and not operator.open
    honest_named = audit.honest_named(operator)
    over_shown = audit.loss_over_shown()
    bound = audit.bound(operator)
    loss = world.worst_loss
    broken = {name for name, times in audit.broken.items() if times}
    broken |= {name for name, number in (("honest_named", honest_named), ("cheats_unnamed", audit.unnamed)) if number}
    broken |= {"conserved"} if not conserved else set()
    broken |= {"honest_loss_over_shown"} if over_shown else set()
    broken |= {"operator_loss_over_bound"} if loss > bound else set()
    line = (
        f"payments={world.stats['payments']} conserved={'yes' if conserved else 'no'} honest_named={honest_named} "
        f"cheats_unnamed={audit.unnamed} honest_loss_over_shown={over_shown} operator_loss={loss} bound={bound} "
        f"seed={world.settings.seed}"
    )
    return Outcome(line, tuple(sorted(broken)))
