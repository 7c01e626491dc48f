"""Ranges of units, compared with plain sets of numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tikicash import units

RANGES = st.tuples(st.integers(0, 30), st.integers(1, 12))


def members(*ranges):
    return {number for first, count in ranges for number in range(first, first + count)}


@given(RANGES, RANGES)
def test_two_ranges_are_two_sets(one, other):
    common = units.overlap(one, other)
    assert (members(common) if common else set()) == members(one) & members(other)
    assert units.contains(one, other) == (members(other) <= members(one))
    assert members(*units.subtract(one, other)) == members(one) - members(other)


@given(st.lists(RANGES, max_size=6))
def test_many_ranges_are_one_set(ranges):
    merged = units.merge(ranges)
    assert members(*merged) == members(*ranges)
    assert units.total(ranges) == len(members(*ranges))
    assert all(one[0] + one[1] < other[0] for one, other in pairwise(merged))
    assert units.disjoint(ranges) == (sum(count for _, count in ranges) == len(members(*ranges)))
