"""The close equals its text in every small world. SCOPE=large looks at larger ones (some minutes)."""

import os
from itertools import permutations

import pytest

from settlement.paper import OPERATOR, close_input
from settlement.reference import close_by_hand, flat, named
from settlement.scopes import MONEY, accountings, closed_sets, keys_of, refusals, small_voucher, universe
from tikicash.closing import settle
from tikicash.settlement import double_spends

# Keys, units, depth, documents at most, documents at most if refusals are tried as well.
SMALL = [("abc", 1, 3, 4, 3), ("abcd", 1, 2, 3, 2), ("ab", 2, 3, 3, 2), ("abc", 2, 2, 3, 2), ("ab", 3, 1, 3, 1)]
LARGE = [("abc", 1, 3, 6, 4), ("abcd", 1, 3, 4, 3), ("ab", 2, 3, 4, 3), ("abc", 2, 3, 3, 3), ("abc", 3, 2, 3, 2)]
SCOPES = LARGE if os.environ.get("SCOPE") == "large" else SMALL


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_the_close_is_what_its_text_says_in_every_small_world(scope):
    names, units, depth, size_max, size_with_refusals = scope
    worlds = 0
    for owners in accountings(names):
        keys = keys_of(names, owners)
        on = small_voucher(keys, units)
        documents_sets = closed_sets(universe(on, keys, depth=depth), size_max=size_max)
        for documents in documents_sets:
            for refused in refusals(documents) if len(documents) <= size_with_refusals else [()]:
                money = MONEY[worlds % len(MONEY)]
                budgets = dict.fromkeys(keys, worlds % 3)
                given = close_input(on, documents, keys, refused=refused, budgets=budgets, **money)
                assert flat(settle(given)) == close_by_hand(given), (documents, refused, owners)
                worlds += 1
    assert worlds > 300


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_whoever_spent_a_unit_twice_is_named_and_nobody_else_in_every_small_world(scope):
    names, units, depth, size_max, _ = scope
    keys = keys_of(names, tuple(names))
    on = small_voucher(keys, units)
    for documents in closed_sets(universe(on, keys, depth=depth), size_max=size_max):
        found = double_spends((on, *documents), operator=frozenset({OPERATOR.id}))
        assert {item.key_id for item in found} == named(close_input(on, documents, keys)), documents


def test_no_order_and_no_repetition_of_documents_changes_a_close():
    names = "abc"
    for owners in accountings(names):
        keys = keys_of(names, owners)
        on = small_voucher(keys, 1)
        for documents in closed_sets(universe(on, keys, depth=3), size_max=3):
            first = settle(close_input(on, documents, keys))
            for order in permutations(documents):
                assert settle(close_input(on, (*order, *documents), keys)) == first
