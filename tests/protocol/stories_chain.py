"""Stories about what the settlement counts: chains judged without a clock, a request or a revocation list."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    EVE,
    FIRST,
    ISSUER,
    ISSUER_KEY,
    MALLORY,
    NOW,
    Chained,
    bundle,
    certificate,
    chained,
    pay,
    piece,
    voucher,
)
from tikicash.messages import Bundle, Piece, Signed, to_code

Story = dict[str, Any]


def counts(why: str, shown: Bundle | Signed, code: str | None = None, net: int = 1) -> Story:
    given = {"net": net, "issuer_keys": [to_code(ISSUER_KEY)]}
    return {
        "why": why,
        "check": "check_chain",
        "now": NOW,
        "input": to_code(shown),
        "context": given,
        "code": code,
    }


def chains() -> Iterator[Story]:
    world = chained()
    yield from valid(world)
    yield from wrong_owners(world)
    yield from wrong_pieces(world)


def valid(world: Chained) -> Iterator[Story]:
    yield counts("depth 3 with no clock at all", world.bundle(3))
    refund = pay(DAN, CHI, piece(world.to_dan))
    yield counts("a refund of depth 4 is a claim", bundle(refund, certificate(DAN), *world.documents))
    back = pay(DAN, ISSUER, piece(world.to_dan))
    till = certificate(DAN, may_hand_on=False)
    yield counts("a receive-only till hands back at depth 3", bundle(back, till, *world.documents))
    early = pay(ASHA, ISSUER, piece(world.voucher))
    yield counts("an unspent voucher is handed back", bundle(early, world.voucher))
    locked = voucher(ASHA, audience_key=BEN.public)
    to_ben = pay(ASHA, BEN, piece(locked, FIRST, 1250))
    home = pay(BEN, ISSUER, piece(to_ben))
    shown = Bundle(documents=(locked, to_ben, home), certificates=(certificate(BEN),))
    yield counts("locked money is handed back by its audience", shown)
    large = voucher(ASHA, payment_max=10)
    shown = bundle(pay(ASHA, BEN, piece(large, FIRST, 1250)), large)
    yield counts("the limit of one payment protects the payee and takes no claim", shown)


def wrong_owners(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    yield counts("a voucher alone is no claim", world.voucher, "not_a_payment")
    yield counts("another network", world.bundle(1), "wrong_network", net=2)
    deep = pay(DAN, EVE, piece(world.to_dan))
    yield counts("a fourth hand is never valid", bundle(deep, certificate(DAN), *world.documents), "too_many_hands")
    refund = pay(DAN, CHI, piece(world.to_dan))
    fifth = pay(CHI, DAN, piece(refund))
    shown = bundle(fifth, refund, certificate(DAN), *world.documents)
    yield counts("a refund of a refund is a fifth hand", shown, "too_many_hands")
    partly = pay(DAN, CHI, piece(world.to_dan), piece(voucher(DAN, first=FIRST + 8192), count=1))
    shown = bundle(partly, voucher(DAN, first=FIRST + 8192), certificate(DAN), *world.documents)
    yield counts("a refund has nothing else in it", shown, "too_many_hands")
    other = voucher(CHI, first=FIRST + 8192)
    mixed = pay(ASHA, BEN, piece(of_asha, FIRST, 100), piece(other, FIRST + 8192, 100))
    yield counts("one payment of two people's money", bundle(mixed, of_asha, other), "parents_of_several_owners")
    back = pay(ASHA, ISSUER, piece(of_asha))
    again = pay(ISSUER, BEN, piece(back))
    yield counts("the operator hands nothing on", bundle(again, back, of_asha), "handed_back_already")
    missing = replace(world.bundle(2), certificates=())
    yield counts("Ben hands on without a certificate", missing, "certificate_missing")
    returned = pay(BEN, ASHA, piece(world.to_ben))
    loop = pay(ASHA, CHI, piece(returned))
    shown = bundle(loop, returned, *world.documents)
    yield counts("a voucher does not certify handing on what came back", shown, "certificate_missing")
    stolen = pay(MALLORY, BEN, piece(of_asha, FIRST, 100))
    yield counts("Mallory signs away Asha's money", bundle(stolen, of_asha), "payment_signature_wrong")


def wrong_pieces(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    more = pay(ASHA, BEN, piece(of_asha, FIRST, 5001))
    yield counts("hands on one unit more than the voucher holds", bundle(more, of_asha), "piece_outside_parent")
    beside = pay(BEN, CHI, piece(world.to_ben, FIRST + 699, 100))
    shown = bundle(beside, *world.documents)
    yield counts("hands on a unit beside the one he got", shown, "piece_outside_parent")
    two = pay(ASHA, BEN, piece(of_asha, FIRST, 100), piece(of_asha, FIRST + 100, 100))
    across = pay(BEN, CHI, Piece(parent_id=two.short_id, first=FIRST + 50, count=100))
    shown = bundle(across, two, certificate(BEN), of_asha)
    yield counts("a piece lies in one piece of its parent", shown, "piece_outside_parent")
    twice = pay(ASHA, BEN, piece(of_asha, FIRST, 100), piece(of_asha, FIRST + 99, 100))
    yield counts("the same unit in two pieces", bundle(twice, of_asha), "pieces_overlap")
    one, other = pay(ASHA, BEN, piece(of_asha)), pay(ASHA, BEN, piece(of_asha, FIRST, 100))
    merged = pay(BEN, CHI, piece(one, FIRST, 100), piece(other))
    shown = bundle(merged, one, other, of_asha, certificate(BEN))
    yield counts("the same unit from two parents", shown, "pieces_overlap")
    wrong = pay(ASHA, BEN, piece(of_asha, FIRST, 100), total=101)
    yield counts("a total above the sum", bundle(wrong, of_asha), "total_differs")
    locked = voucher(ASHA, audience_key=BEN.public)
    to_ben = pay(ASHA, BEN, piece(locked, FIRST, 100))
    on = pay(BEN, CHI, piece(to_ben))
    shown = bundle(on, to_ben, locked, certificate(BEN))
    yield counts("locked money is not handed on", shown, "locked_to_another")
