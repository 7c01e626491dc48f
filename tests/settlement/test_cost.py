"""A cheat who signs thousands of payments keeps nobody busy: what judging them costs grows with their number.

Counted in steps of the interpreter, so that a busy machine changes nothing: twice the documents may cost little more
than twice the steps.
"""

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from settlement.paper import OPERATOR, Key, close_input, pay, piece, voucher
from settlement.worlds import RandomWorld
from tikicash.closing import settle
from tikicash.messages import Signed
from tikicash.settlement import branches, double_spends, in_conflict

SMALL, TWICE_MAX = 150, 2.5
CHEAT, FRIEND = Key("mallory"), Key("friend")
COUNT = 1 << 20


def steps_of(call: Callable[[], object]) -> int:
    """How many steps the interpreter takes for a call."""
    steps = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


def retries(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """The same units to the same payee, again and again: one node."""
    return [pay(FRIEND, piece(on, 0, 100), nonce=at) for at in range(number)]


def victims(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """The same units to as many keys as there are payments."""
    return [pay(Key(f"victim {at}", None), piece(on, 0, 100)) for at in range(number)]


def crumbs(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """Every unit to a key of its own."""
    return [pay(Key(f"victim {at}", None), piece(on, at, 1)) for at in range(number)]


def staircase(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """Each payment overlaps all others, and no two begin together."""
    return [pay(Key(f"victim {at}", None), piece(on, at, number)) for at in range(number)]


def loop_and_retries(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """Money that came back, handed on to many; and beside it retries of the first payment, which fit all of that."""
    there = pay(FRIEND, piece(on, 0, COUNT))
    back = pay(CHEAT, there)
    onward = [pay(Key(f"victim {at}", None), piece(back, 2 * at, COUNT // 2)) for at in range(number // 2)]
    again = [pay(FRIEND, piece(on, 2 * at + 1, COUNT // 2), nonce=at + 1) for at in range(number // 2)]
    return [there, back, *onward, *again]


def retries_handed_on(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """Retries of one payment, each of them handed on to the same key: one lineage, on different documents."""
    there = [pay(FRIEND, piece(on, 0, 100), nonce=at) for at in range(number // 2)]
    return [*there, *(pay(Key("victim", None), item, nonce=at) for at, item in enumerate(there))]


def retries_of_a_double_spend(on: Signed[Any], number: int) -> list[Signed[Any]]:
    """The same units to two keys, again and again."""
    return [pay(Key(f"victim {at % 2}", None), piece(on, 0, 100), nonce=at) for at in range(number)]


WORLDS = [
    retries, victims, crumbs, staircase, loop_and_retries, retries_handed_on, retries_of_a_double_spend,
]  # fmt: skip


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
@pytest.mark.parametrize("judged", ["double_spends", "settle"])
def test_twice_the_documents_cost_little_more_than_twice_the_steps(world: Any, judged: str) -> None:
    on = voucher(CHEAT, COUNT, first=1000)

    def steps(number: int) -> int:
        documents = world(on, number)
        if judged == "settle":
            given = close_input(on, documents, [CHEAT, FRIEND])
            return steps_of(lambda: settle(given))
        return steps_of(lambda: double_spends((on, *documents), operator=frozenset({OPERATOR.id})))

    once = steps(SMALL)
    assert once > SMALL
    assert steps(2 * SMALL) <= TWICE_MAX * once


def pairs_by_hand(documents: list[Signed[Any]]) -> set[frozenset[bytes]]:
    """Each branch that an earlier one conflicts with, and of those the one that ends last; of these, the first."""
    found = branches(documents, operator=frozenset({OPERATOR.id}))
    pairs = set()
    for number, branch in enumerate(found):
        earlier = [at for at in range(number) if in_conflict(found[at], branch) is not None]
        if earlier:
            other = found[max(earlier, key=lambda at: (sum(found[at].units), -at))]
            pairs.add(frozenset({other.payment.id, branch.payment.id}))
    return pairs


@pytest.mark.parametrize("seed", range(150))
def test_the_pairs_are_those_that_a_look_at_every_two_branches_finds(seed: int) -> None:
    world = RandomWorld(seed, payments=60)
    documents = [*world.vouchers, *world.documents]
    found = double_spends(documents, operator=frozenset({OPERATOR.id}))
    assert {frozenset(item.id for item in spend.payments) for spend in found} == pairs_by_hand(documents)
    random.Random(seed).shuffle(documents)
    assert double_spends(documents, operator=frozenset({OPERATOR.id})) == found


def test_the_pairs_of_hostile_worlds_are_found_too() -> None:
    on = voucher(CHEAT, COUNT, first=1000)
    for world in WORLDS:
        documents = [on, *world(on, 40)]
        found = double_spends(documents, operator=frozenset({OPERATOR.id}))
        assert {frozenset(item.id for item in spend.payments) for spend in found} == pairs_by_hand(documents)
