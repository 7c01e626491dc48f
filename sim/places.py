"""Villages and their network: some lose it for an hour, some for weeks."""

from math import exp, log
from random import Random

from sim.paper import HOUR

# How much of the people lives so, the longest and shortest hours without a network, and the hours with it between.
KINDS = (
    (0.6, (1, 6), (6, 72)),
    (0.3, (3, 48), (4, 24)),
    (0.1, (72, 24 * 18), (4, 12)),
)


def hours_online(draw: Random, hours: int) -> frozenset[int]:
    """Return the hours in which one village has a network."""
    point, kind = draw.random(), KINDS[-1]
    for candidate in KINDS:
        if point < candidate[0]:
            kind = candidate
            break
        point -= candidate[0]
    _, without, with_it = kind
    online: set[int] = set()
    hour = -draw.randint(0, without[1])
    while hour < hours:
        hour += _between(draw, without)
        stay = _between(draw, with_it)
        online.update(range(max(0, hour), hour + stay))
        hour += stay
    return frozenset(online)


def _between(draw: Random, hours: tuple[int, int]) -> int:
    """Draw a number of hours: each order of magnitude is as likely as the next."""
    low, high = hours
    return round(exp(draw.uniform(log(low), log(high))))


def moment(draw: Random, hour: int, start: int) -> int:
    """Return a time inside an hour, never the full hour itself: that is when vouchers close."""
    return start + hour * HOUR + draw.randint(1, HOUR - 1)
