"""Every small world: all sets of payments that some keys can make on a voucher of one to three units."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from settlement.paper import FIRST, OPERATOR, Key, pay, piece, voucher
from tikicash.messages import Signed

MONEY: tuple[dict[str, dict[Any, int]], ...] = (
    {},
    {"own": {"a": 1, "b": 2}, "guarantees": {"a": 1, "b": 1, "c": 1}, "advanced": {"b": 1}},
)


def accountings(names: str) -> Iterator[tuple[str | None, ...]]:
    """All ways in which the keys can belong to people; and with the last key unknown to the operator."""

    def partitions(rest: str, owners: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if not rest:
            yield owners
            return
        for owner in sorted({*owners, rest[0]}):
            yield from partitions(rest[1:], (*owners, owner))

    for owners in partitions(names, ()):
        yield owners
        if len(owners) > 1 and owners.count(owners[-1]) == 1:
            yield (*owners[:-1], None)


def universe(on: Signed[Any], keys: tuple[Key, ...], *, depth: int) -> list[tuple[Signed[Any], int | None]]:
    """All payments of one piece that the keys can make, each with the place of its parent in the list."""
    found: list[tuple[Signed[Any], int | None]] = []
    level: list[tuple[Signed[Any], int | None, int, int]] = [(on, None, 0, on.body.count)]
    for _ in range(depth):
        below: list[tuple[Signed[Any], int | None, int, int]] = []
        for parent, place, first, count in level:
            ranges = [(first + start, length) for length in range(1, count + 1) for start in range(count - length + 1)]
            for start, length in ranges:
                for payee in (*keys, OPERATOR):
                    payment = pay(payee, piece(parent, start, length))
                    if payee is not OPERATOR:
                        below.append((payment, len(found), start, length))
                    found.append((payment, place))
        level = below
    return found


def closed_sets(payments: list[tuple[Signed[Any], int | None]], *, size_max: int) -> Iterator[tuple[Signed[Any], ...]]:
    """All sets of at most so many payments in which every payment comes with its parents."""

    def grow(chosen: tuple[int, ...], start: int) -> Iterator[tuple[int, ...]]:
        yield chosen
        if len(chosen) < size_max:
            for place in range(start, len(payments)):
                parent = payments[place][1]
                if parent is None or parent in chosen:
                    yield from grow((*chosen, place), place + 1)

    for places in grow((), 0):
        yield tuple(payments[place][0] for place in places)


def refusals(documents: tuple[Signed[Any], ...]) -> Iterator[tuple[Signed[Any], ...]]:
    """No refusal, each one, and each two."""
    for size in (0, 1, 2):
        yield from combinations([item for item in documents if item.body.payee_id != OPERATOR.id], size)


def keys_of(names: str, owners: tuple[str | None, ...]) -> tuple[Key, ...]:
    return tuple(Key(name, owner) for name, owner in zip(names, owners, strict=True))


def small_voucher(keys: tuple[Key, ...], units: int, *, cover: int = 1) -> Signed[Any]:
    return voucher(keys[0], units, first=FIRST, cover=cover)
