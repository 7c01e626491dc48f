"""Arithmetic on ranges of numbered units.

Money here is a set of numbers, and every rule asks the same few questions about ranges of them. They are answered once,
on ranges, so that no cost depends on the amount. A range is (first, count) with a count of at least one.
"""

from collections.abc import Iterable
from typing import TypeAlias

Units: TypeAlias = tuple[int, int]


def contains(outer: Units, inner: Units) -> bool:
    """Tell whether every unit of the inner range is in the outer one."""
    return outer[0] <= inner[0] and inner[0] + inner[1] <= outer[0] + outer[1]


def overlap(one: Units, other: Units) -> Units | None:
    """Return the units that are in both ranges, or None."""
    first = max(one[0], other[0])
    end = min(one[0] + one[1], other[0] + other[1])
    return (first, end - first) if first < end else None


def disjoint(ranges: Iterable[Units]) -> bool:
    """Tell whether no unit is in two of the ranges."""
    end = 0
    for first, count in sorted(ranges):
        if first < end:
            return False
        end = first + count
    return True


def subtract(whole: Units, part: Units) -> tuple[Units, ...]:
    """Return what is left of a range without the units of another: nothing, one range or two."""
    common = overlap(whole, part)
    if common is None:
        return (whole,)
    before = (whole[0], common[0] - whole[0])
    common_end = common[0] + common[1]
    after = (common_end, whole[0] + whole[1] - common_end)
    return tuple(left for left in (before, after) if left[1] > 0)


def merge(ranges: Iterable[Units]) -> tuple[Units, ...]:
    """Return the same units as the fewest ranges, ascending."""
    merged: list[Units] = []
    for first, count in sorted(ranges):
        if merged and first <= merged[-1][0] + merged[-1][1]:
            start, length = merged[-1]
            merged[-1] = (start, max(length, first + count - start))
        else:
            merged.append((first, count))
    return tuple(merged)


def total(ranges: Iterable[Units]) -> int:
    """Return how many units the ranges hold together; a unit in two of them counts once."""
    return sum(count for _, count in merge(ranges))
