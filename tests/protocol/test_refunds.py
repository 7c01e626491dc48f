"""Giving back: what the payer's phone takes is what the settlement counts, and no limit stands in the way of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.runner import accept_context
from protocol.stories_refund import gives_back, refunds
from protocol.test_coins import purses
from protocol.test_rules import EARLY, never
from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    ISSUER,
    ISSUER_KEY,
    NOW,
    bundle,
    certificate,
    chained,
    code_of,
    context,
    pay,
    request,
)
from tikicash.book import Book, Claim, claims, hand_on, load, spendable
from tikicash.chain import is_payment, sale_nonce
from tikicash.coins import choose_pieces, refund_pieces
from tikicash.messages import parse_code
from tikicash.rules import accept, accept_claim
from tikicash.validity import check_chain

OPERATOR = frozenset({ISSUER.id})
CHECKS = {"accept": accept, "accept_claim": accept_claim}
STORIES = [story for story in refunds() if story["check"] in CHECKS]
ASHA_NOW = context(ASHA, 1, open_requests=())


def test_what_is_given_back_the_settlement_counts():
    taken = [story for story in STORIES if story["code"] is None]
    for story in taken:
        shown = parse_code(story["input"])
        found = CHECKS[story["check"]](shown, context=accept_context(story))
        assert found.sale in found.chain.payments
        assert check_chain(shown, net=1, issuer_keys=(ISSUER_KEY.body,)) == found.chain
    assert {story["check"] for story in taken} == set(CHECKS)


def test_whatever_needs_no_signature_is_judged_before_any():
    early = [story for story in STORIES if story["code"] in EARLY]
    for story in early:
        shown, given_now = parse_code(story["input"]), accept_context(story)
        check = CHECKS[story["check"]]
        assert code_of(lambda: check(shown, context=given_now, verify=never)) == story["code"]  # noqa: B023 - used at once
    assert len(early) > 15


@given(purses(), st.integers(0, 2**32))
def test_whatever_was_accepted_can_be_given_back_whole(purse, start):
    book, documents = purse
    for sale_id in {item.parent_id for item in book.holdings if item.depth > 0}:
        held = [item for item in book.holdings if item.parent_id == sale_id]
        # As tight as the voucher could be for this sale: its limit is the sale itself.
        total = sum(item.count for item in held)
        tight = [replace(item, terms=replace(item.terms, payment_max=total)) for item in held]
        who = {"sale_id": sale_id, "payee_id": ASHA.id, "certificate": certificate(BEN).body, "now": NOW}
        pieces = refund_pieces(tight, total, start=start, **who)
        back = pay(BEN, ASHA, *pieces, nonce=sale_id[:8])
        found = accept(bundle(back, *documents), context=ASHA_NOW)
        assert found.sale is not None
        assert found.sale.short_id == sale_id
        assert hand_on(book, back, operator=OPERATOR).holdings == tuple(i for i in book.holdings if i not in held)


def test_a_claim_is_never_spent_counts_and_can_be_handed_back():
    world = chained()
    back = gives_back(world.to_dan, DAN, CHI)
    shown = bundle(back, certificate(DAN), *world.documents)
    mine = context(CHI, 1, open_requests=())
    found = accept_claim(shown, context=mine)
    assert found.chain.depth == 4
    assert found.how_safe.protected == 1250
    assert spendable(found.book, owner_id=CHI.id, payee_id=ASHA.id, now=NOW, may_hand_on=True) == ()
    (held,) = found.book.holdings
    assert claims(found.book, owner_id=CHI.id) == (Claim(terms=held.terms, count=1250),)
    home = pay(CHI, ISSUER, *choose_pieces([held], 700, start=5))
    assert hand_on(found.book, home, operator=OPERATOR).handed_on[0].to_operator
    carried = bundle(home, back, certificate(DAN), *world.documents)
    assert check_chain(carried, net=1, issuer_keys=(ISSUER_KEY.body,)).depth == 4


def test_money_that_came_back_is_sold_and_given_back_again():
    world = chained()
    book = hand_on(load(Book(), world.voucher), world.to_ben, operator=OPERATOR)
    back = gives_back(world.to_ben, BEN, ASHA)
    have = accept(bundle(back, certificate(BEN), *world.documents), context=replace(ASHA_NOW, book=book)).book
    (came_back,) = [item for item in have.holdings if item.parent_id == back.short_id]
    sold = pay(ASHA, BEN, *choose_pieces([came_back], 1250, start=0), nonce=bytes(8))
    pool = (sold, back, certificate(BEN), certificate(ASHA), *world.documents)
    asked = request(BEN, 1250, nonce=bytes(8)).body
    of_ben = hand_on(accept(world.bundle(1), context=context(BEN, 1250)).book, back, operator=OPERATOR)
    third = accept(bundle(sold, *pool), context=context(BEN, 1250, open_requests=(asked,), book=of_ben))
    assert (third.sale, third.chain.depth) == (None, 3)
    again = gives_back(sold, BEN, ASHA)
    fourth = bundle(again, *pool)
    assert code_of(lambda: accept(fourth, context=ASHA_NOW)) == "refund_is_claim_only"
    gone = hand_on(have, sold, operator=OPERATOR)
    assert accept_claim(fourth, context=replace(ASHA_NOW, book=gone)).sale == sold


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_sale_is_tied_to_its_refund_by_its_identity(depth):
    sale = (chained().to_ben, chained().to_chi, chained().to_dan)[depth - 1]
    assert is_payment(sale)
    assert sale_nonce(sale) == sale.id[:8] == sale.short_id[:8]
