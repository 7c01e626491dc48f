"""Stories about giving a payment back: what the payer's phone takes without a request, and what it does not."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from protocol.runner import plain
from protocol.stories_payment import OPERATOR, Story, accepts, issued_by, revoking, two_vouchers
from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    DAY,
    FIRST,
    MALLORY,
    NOW,
    Chained,
    Key,
    bundle,
    certificate,
    chained,
    context,
    pay,
    piece,
    request,
    voucher,
)
from tikicash.book import Book, Holding, hand_on, load
from tikicash.chain import sale_nonce
from tikicash.messages import Bundle, Certificate, Payment, Piece, Signed
from tikicash.rules import accept, accept_claim

MIDDLE = FIRST + 1000
CERTIFIED = certificate(BEN)


def gives_back(sale: Signed[Payment], by: Key, to: Key, *pieces: Piece, **changes: object) -> Signed[Payment]:
    """A refund of a sale, all of its first piece unless told."""
    return pay(by, to, *(pieces or (piece(sale),)), **{"nonce": sale_nonce(sale), **changes})


def takes(why: str, shown: Bundle, payee: Key = ASHA, code: str | None = None, **changes: Any) -> Story:
    return accepts(why, shown, payee, code, **{"open_requests": (), **changes})


def claims(why: str, shown: Bundle, payee: Key = CHI, code: str | None = None, **changes: Any) -> Story:
    return {**takes(why, shown, payee, code, **changes), "check": "accept_claim"}


def refunds() -> Iterator[Story]:
    world = chained()
    yield from given_back(world)
    yield from given_back_twice(world)
    yield from not_a_refund(world)
    yield from a_refund_that_does_not_hold(world)
    yield from claim_only(world)
    yield from pieces_to_give_back(world)


def shown_by_ben(world: Chained, refund: Signed[Payment], *pool: Signed) -> Bundle:
    return bundle(refund, *pool, certificate(BEN), *world.documents)


def book_of_asha(world: Chained) -> Book:
    return hand_on(load(Book(), world.voucher), world.to_ben, operator=OPERATOR)


def given_back(world: Chained) -> Iterator[Story]:
    sale, book = world.to_ben, book_of_asha(world)
    whole = shown_by_ben(world, gives_back(sale, BEN, ASHA))
    yield takes("Ben gives 12.50 back, and Asha asked for nothing", whole, book=book)
    yield takes("her key is enough to know her own payment: her book may be empty", whole)
    asked = (request(ASHA, 1250).body,)
    yield takes("a request of hers for other money stays open", whole, book=book, open_requests=asked)
    part = gives_back(sale, BEN, ASHA, piece(sale, MIDDLE, 400))
    yield takes("4.00 of it, from the middle", shown_by_ben(world, part), book=book)
    two = gives_back(sale, BEN, ASHA, piece(sale, FIRST + 700, 100), piece(sale, MIDDLE, 400))
    yield takes("what was not handed on lies in two pieces", shown_by_ben(world, two), book=book)
    of_two = two_vouchers()
    sold: Any = of_two.documents[-1]
    back = gives_back(sold, BEN, ASHA, *(piece(sold, item.first, item.count) for item in sold.body.pieces))
    yield takes("a sale paid from two vouchers", bundle(back, certificate(BEN), *of_two.documents))
    most = chained(2000)
    yield takes("as much as one payment may be", shown_by_ben(most, gives_back(most.to_ben, BEN, ASHA)))
    deeper = gives_back(world.to_chi, CHI, BEN)
    yield takes("Chi gives back what Ben had from Asha: depth 3", shown_by_ben(world, deeper), BEN)
    yield takes("no certificate of her own: all at her risk", whole, my_certificate=None)


def given_back_twice(world: Chained) -> Iterator[Story]:
    sale, book = world.to_ben, book_of_asha(world)
    one = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale, MIDDLE, 400)))
    rest = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale, MIDDLE + 400, 300)))
    again = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale, MIDDLE, 400), paid_at=NOW + 1))
    have = accept(one, context=context(ASHA, 1, open_requests=(), book=book)).book
    yield takes("a second part of the same sale", rest, book=have)
    yield takes("the same code again is no second refund", one, code="payment_already_accepted", book=have)
    yield takes("the same units again, signed afresh", again, code="already_held", book=have)
    spent: Any = pay(ASHA, CHI, Piece(parent_id=one.documents[-1].short_id, first=MIDDLE, count=400))
    gone = hand_on(have, spent, operator=OPERATOR)
    yield takes("the same units again, which she has spent since", again, code="spent_twice", book=gone)


def not_a_refund(world: Chained) -> Iterator[Story]:
    sale = world.to_ben
    other = pay(ASHA, BEN, piece(world.voucher, FIRST + 2500, 500))
    none = "no_open_request"
    yield takes("a nonce of its own", shown_by_ben(world, pay(BEN, ASHA, piece(sale))), code=none)
    crossed = shown_by_ben(world, gives_back(other, BEN, ASHA, piece(sale)))
    yield takes("the nonce of another sale", crossed, code=none)
    both = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale), piece(other)), other)
    yield takes("two sales at once", both, code=none)
    of_ben = voucher(BEN, first=FIRST + 8192)
    mixed = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale), piece(of_ben, count=50)), of_ben)
    yield takes("his own money besides", mixed, code=none)
    nothing_sold = pay(BEN, ASHA, piece(of_ben, count=50), nonce=of_ben.id[:8])
    yield takes("money of a voucher, tied to the voucher", bundle(nothing_sold, of_ben), code=none)
    yield takes("to somebody who did not pay it", shown_by_ben(world, gives_back(sale, BEN, CHI)), CHI, none)
    asked = (request(ASHA, 1200, nonce=sale_nonce(sale)).body,)
    whole = shown_by_ben(world, gives_back(sale, BEN, ASHA))
    yield takes("an open request with this very nonce comes first", whole, code="wrong_amount", open_requests=asked)


def a_refund_that_does_not_hold(world: Chained) -> Iterator[Story]:
    sale = world.to_ben
    whole = shown_by_ben(world, gives_back(sale, BEN, ASHA))
    yield takes("Chi scans what Ben gives back to Asha", whole, CHI, "not_for_me")
    yield takes("Asha's key was retired since", whole, code="not_for_me", my_keys=(CHI.public,))
    yield takes("another operator's network", whole, code="wrong_network", net=2)
    invented = pay(MALLORY, BEN, piece(world.voucher, FIRST + 700, 1250))
    shown = bundle(gives_back(invented, BEN, ASHA), world.voucher, invented, certificate(BEN))
    yield takes("a sale that Asha never signed", shown, code="payment_signature_wrong")
    stolen = shown_by_ben(world, gives_back(sale, CHI, ASHA))
    yield takes("Chi gives back what Ben was paid", stolen, code="payment_signature_wrong")
    more = shown_by_ben(world, gives_back(sale, BEN, ASHA, piece(sale, count=1251)))
    yield takes("one cent more than the sale", more, code="piece_outside_parent")
    till = replace(whole, certificates=(certificate(BEN, may_hand_on=False),))
    yield takes("a receive-only till cannot give back offline", till, code="may_not_hand_on")
    yield takes("Ben's phone was never registered", replace(whole, certificates=()), code="certificate_missing")
    late = replace(whole, certificates=(certificate(BEN, valid_until=NOW - 1),))
    yield takes("Ben's phone was offline for too long", late, code="certificate_expired")
    yield takes("Ben's key is revoked", whole, code="key_revoked", revocations=revoking(BEN))
    yield takes("after the voucher's spend_by", whole, code="spend_by_passed", now=NOW + 6 * DAY + 1)
    locked = chained(audience_key=BEN.public)
    shown = shown_by_ben(locked, gives_back(locked.to_ben, BEN, ASHA))
    yield takes("money locked to Ben goes back through the operator", shown, code="locked_to_another")


def claim_only(world: Chained) -> Iterator[Story]:
    sale = world.to_dan

    def by_dan(refund: Signed[Payment]) -> Bundle:
        return bundle(refund, certificate(DAN), *world.documents)

    whole, part = by_dan(gives_back(sale, DAN, CHI)), by_dan(gives_back(sale, DAN, CHI, piece(sale, MIDDLE, 400)))
    yield takes("Dan gives back: depth 4 is no money to hold", whole, CHI, "refund_is_claim_only")
    yield claims("Dan gives back: a claim that Chi brings, and never spends", whole)
    have = accept_claim(part, context=context(CHI, 1, open_requests=())).book
    rest = by_dan(gives_back(sale, DAN, CHI, piece(sale, MIDDLE + 400, 300)))
    yield claims("a second part of the same sale", rest, book=have)
    yield claims("the same claim again", part, code="payment_already_accepted", book=have)
    again = by_dan(gives_back(sale, DAN, CHI, piece(sale, MIDDLE, 400), paid_at=NOW + 1))
    yield claims("the same units again, signed afresh", again, code="already_held", book=have)
    can_be_held = shown_by_ben(world, gives_back(world.to_ben, BEN, ASHA))
    yield claims("a refund that can be held is taken as well", can_be_held, ASHA)
    yield claims("a depth-4 refund with a nonce of its own", by_dan(pay(DAN, CHI, piece(sale))), code="no_open_request")
    asked = (request(BEN, 1250).body,)
    ordinary = world.bundle(1)
    yield claims("an ordinary payment is no refund", ordinary, BEN, "no_open_request", open_requests=asked)
    yield claims("a fourth hand that is no refund", by_dan(pay(DAN, ASHA, piece(sale))), ASHA, "too_many_hands")
    yield claims("Ben scans what Dan gives back to Chi", whole, BEN, "not_for_me")
    forged = by_dan(gives_back(sale, MALLORY, CHI))
    yield claims("Mallory signed the refund", forged, code="payment_signature_wrong")
    yield claims("Dan's key is revoked", whole, code="key_revoked", revocations=revoking(DAN))
    yield claims("after the voucher's spend_by", whole, code="spend_by_passed", now=NOW + 6 * DAY + 1)


def pieces_to_give_back(world: Chained) -> Iterator[Story]:
    (all_of_it,) = accept(world.bundle(1), context=context(BEN, 1250)).book.holdings
    own = load(Book(), voucher(BEN, first=FIRST + 8192)).holdings
    left = (replace(all_of_it, count=300), replace(all_of_it, first=MIDDLE, count=500))
    yield picks("all of the sale", (all_of_it,), 1250)
    yield picks("part of it, from a random position", (all_of_it,), 400, start=77)
    yield picks("what is left of it lies in two pieces", left, 700, start=3)
    other = replace(all_of_it, parent_id=world.to_chi.short_id)
    yield picks("other money is not touched", (*own, other, *left), 800)
    yield picks("money at the last depth can be given back", (replace(all_of_it, depth=3),), 1250)
    small = replace(all_of_it.terms, payment_max=1250)
    yield picks("a limit that the sale kept is one that its refund keeps", (replace(all_of_it, terms=small),), 1250)
    locked = replace(all_of_it.terms, audience_id=BEN.id)
    mixed = (replace(all_of_it, terms=locked), left[1])
    yield picks("units that are not locked", mixed, 500)
    wrong = "not_enough_offline_money"
    yield picks("more than is left of it, however much else he has", (*own, *left), 801, wrong)
    yield picks("no certificate yet", left, 500, "certificate_missing", by=None)
    till = certificate(BEN, may_hand_on=False, valid_until=NOW - 1)
    yield picks("a receive-only till, out of date besides", left, 500, "may_not_hand_on", by=till)
    late = certificate(BEN, valid_until=NOW - 1)
    yield picks("a certificate out of date", left, 500, "certificate_expired", by=late)
    deep = (replace(all_of_it, depth=4),)
    yield picks("a refund of depth 4 is not given back again", deep, 500, "too_many_hands")
    old = (replace(all_of_it, spend_by=NOW - 1),)
    yield picks("one second after its spend_by", old, 500, "spend_by_passed")
    yield picks("units locked to him", mixed, 501, "locked_to_another")
    crumbs = tuple(replace(all_of_it, first=FIRST + 2 * number, count=1) for number in range(17))
    yield picks("17 crumbs need 17 pieces", crumbs, 17, "too_many_pieces")


def picks(
    why: str, holdings: tuple[Holding, ...], amount: int, code: str | None = None, *, start: int = 0,
    by: Signed[Certificate] | None = CERTIFIED,
) -> Story:  # fmt: skip
    return {
        "why": why,
        "check": "refund_pieces",
        "now": NOW,
        "input": {"amount": amount, "start": start},
        "context": {
            "holdings": plain(holdings),
            "sale_id": holdings[-1].parent_id.hex(),
            "payee_id": ASHA.id.hex(),
            "certificate": None if by is None else issued_by(by.body),
        },
        "code": code,
    }
