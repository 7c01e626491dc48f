"""Locked money is final: no till takes a unit twice, and what it took is paid in full, whatever the payer does.

Two halves, each exhaustive. Tills: in every order of payments, copies of the payer's phone, give-backs and lost books,
what the screens called Final never holds a unit twice. Closes: for every set of documents that can reach the operator,
early releases and refusals included, a till gets each unit of each payment in it. SCOPE=large looks further (minutes).
"""

import os
from functools import cache
from itertools import combinations

import pytest

from protocol import world
from settlement.paper import OPERATOR, Key, close_input, pay, voucher
from settlement.scopes import closed_sets, refusals, universe
from settlement.tills import Paper, Till, Tills
from tikicash.closing import CloseInput, settle
from tikicash.cose import verify_signature
from tikicash.settlement import double_spends

UNSIGNED = Paper(
    key=cache(Key),
    voucher=voucher,
    pay=lambda payer, payee, pieces, nonce: pay(payee, *pieces, nonce=int.from_bytes(nonce, "big")),
    operator=OPERATOR,
    verify=lambda *_: True,
)
SIGNED = Paper(
    key=cache(world.Key),
    voucher=lambda owner, count, **changes: world.voucher(owner, count=count, **changes),
    pay=lambda payer, payee, pieces, nonce: world.pay(payer, payee, *pieces, nonce=nonce),
    operator=world.ISSUER,
    verify=verify_signature,
)
LARGE = os.environ.get("SCOPE") == "large"
# Three vouchers and three tills, one of them with two vouchers and one with none; and money that is locked to nobody.
THREE, MIXED = {"A": "1", "B": "1", "C": "2"}, {"A": "1", "D": None}
WORLDS = {
    "three tills": (UNSIGNED, THREE, "123", 2, 5 if LARGE else 3),
    "money of both kinds": (UNSIGNED, MIXED, "12", 1, 6 if LARGE else 4),
    "real signatures": (SIGNED, MIXED, "12", 1, 4 if LARGE else 3),
}
# Units of the voucher, documents at most, documents at most if refusals are tried as well.
CLOSES = [(2, 6, 5), (3, 4, 3)] if LARGE else [(2, 4, 3), (3, 3, 2)]
SHOP, PAYER = Key("till", "shop"), Key("payer")


def explore(tills, names, steps):
    """Yield every set of payments that some tills can have taken, in any order, within so many steps."""
    begin = (tuple(tills.number(Till(name)) for name in names), frozenset())
    seen, edge = {begin}, [begin]
    for _ in range(steps):
        following = []
        for states, taken in edge:
            for at, state in enumerate(states):
                for step in tills.steps(state):
                    before = frozenset().union(*(tills.units_of(payment) for payment in taken))
                    assert not step.final & before, f"Final twice: {step.final & before}"
                    payment = frozenset() if step.payment is None else {step.payment}
                    after = ((*states[:at], step.to, *states[at + 1 :]), taken | payment)
                    if after not in seen:
                        seen.add(after)
                        following.append(after)
        edge = following
    return {taken for _, taken in seen}, len(seen)


@pytest.mark.parametrize(("paper", "locked_to", "names", "units", "steps"), WORLDS.values(), ids=WORLDS)
def test_no_till_takes_a_unit_as_final_that_was_taken_before(paper, locked_to, names, units, steps):
    tills = Tills(paper, locked_to=locked_to, units=units)
    found, count = explore(tills, names, steps)
    assert count > 80
    assert set(tills.refusals) == {
        "already_held",
        "spent_twice",
        "payment_already_accepted",
        "locked_to_another",
        "not_for_me",
    }
    for name in (name for name, till in locked_to.items() if till is not None):
        on_it = {frozenset(item for item in taken if name in dict(tills.units_of(item))) for taken in found}
        for brought in {frozenset(some) for taken in on_it for n in range(5) for some in combinations(taken, n)}:
            pays_what_was_final(tills, name, brought)


def pays_what_was_final(tills, name, brought):
    """Whichever copies are brought: the close of a locked voucher pays every unit that is in one of them."""
    on, till = tills.vouchers[name], tills.paper.key(f"{tills.locked_to[name]} 0")
    final = sum(unit[0] == name for payment in brought for unit in tills.units_of(payment))
    result = settle(
        CloseInput(
            voucher=on,
            documents=(*tills.vouchers.values(), *brought),
            refused=frozenset(),
            operator=frozenset({tills.paper.operator.id}),
            account_of={till.id: "shop", tills.payer.id: "payer"},
        )
    )
    assert result.payouts.get("shop", 0) == final
    assert result.payouts.get("payer", 0) == on.body.count - final
    assert (result.from_operator, result.liabilities, result.debts) == (0, {}, {})


@pytest.mark.parametrize("scope", CLOSES, ids=str)
def test_every_set_of_documents_pays_the_till_in_full_and_leaves_at_most_a_debt_of_the_payer(scope):
    units, size_max, size_with_refusals = scope
    on = voucher(PAYER, units, cover=1, audience_key=SHOP.public)
    debts = set()
    for documents in closed_sets(universe(on, (SHOP,), depth=2), size_max=size_max):
        assert double_spends((on, *documents), operator=frozenset({OPERATOR.id})) == ()
        paid = len(units_to_till(documents))
        debts.add(pays_in_full(on, documents, (), final=paid))
        for refused in refusals(documents) if len(documents) <= size_with_refusals else ():
            stands = len(units_to_till([item for item in documents if item not in refused]))
            debts.add(pays_in_full(on, documents, refused, final=stands))
    assert debts == set(range(units + 1))  # up to all of it, if he handed back everything and paid everything


def units_to_till(documents):
    """The units that payments to the till took, each once."""
    pieces = [item.body.pieces[0] for item in documents if item.body.payee_id == SHOP.id]
    return {unit for item in pieces for unit in range(item.first, item.first + item.count)}


def pays_in_full(on, documents, refused, *, final):
    """Close with all that may be released early and nothing of it; return the debt of the payer in the worst case."""
    from_voucher = [item.body.pieces[0] for item in documents if item.body.pieces[0].parent_id == on.short_id]
    back = [item for item in documents if item.body.payee_id == OPERATOR.id and item.body.pieces[0] in from_voucher]
    handed_back = {
        unit
        for item in back
        for unit in range(item.body.pieces[0].first, item.body.pieces[0].first + item.body.pieces[0].count)
    }
    debt = 0
    for to_payer in sorted({0, len(handed_back)}):
        for to_till in sorted({0, min(final, on.body.count - to_payer)}):
            result = settle(
                close_input(
                    on,
                    (on, *documents),
                    (SHOP, PAYER),
                    refused=refused,
                    budgets={SHOP: 1},
                    own={"payer": 2},
                    guarantees={"payer": 2, "shop": 2},
                    advanced={"payer": to_payer, "shop": to_till},
                )
            )
            share = result.shares.get(SHOP.id)
            claimed = 0 if share is None else share.sole
            assert claimed >= final if refused else claimed == final
            assert all((item.shared, item.top) == (0, 0) for item in result.shares.values())
            assert result.payouts.get("shop", 0) + to_till == claimed
            debt = max(0, to_payer - (on.body.count - claimed))
            assert result.debts == ({"payer": debt} if debt else {})
            assert (result.from_operator, result.liabilities) == (debt, {})
            assert sum(result.payouts.values()) == on.body.count - to_payer - to_till + debt
    return debt
