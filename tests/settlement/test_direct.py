"""What is taken at a glance is what the rule takes; what isn't plainly right is left to the rule."""

import random
from dataclasses import replace

import pytest

from settlement.paper import NOW, OPERATOR, Key, pay, piece, unsigned, voucher, whole
from tikicash.chain import LIMITS, Chain, Limits
from tikicash.direct import check_direct
from tikicash.errors import Rejected
from tikicash.messages import OPENS_NAME, Bundle, IssuerKey, Opening, Piece
from tikicash.validity import check_chain

ASHA, BEN, CHI = Key("asha"), Key("ben"), Key("chi")
ISSUER_KEYS = (IssuerKey(net=1, number=1, key=OPERATOR.public, valid_from=NOW - 50, valid_until=NOW + 50),)
COUNT = 40


def by_rule(bundle: Bundle, *, limits: Limits = LIMITS, wrong: bytes = b"") -> Chain | str:
    try:
        return check_chain(bundle, net=1, issuer_keys=ISSUER_KEYS, limits=limits, verify=lambda key, *_: key != wrong)
    except Rejected as rejected:
        return rejected.code


def at_a_glance(bundle: Bundle, *, limits: Limits = LIMITS, wrong: bytes = b"") -> Chain | None:
    return check_direct(
        bundle, net=1, issuer_keys=ISSUER_KEYS, operator=frozenset({OPERATOR.id}), limits=limits,
        verify=lambda key, *_: key != wrong,
    )  # fmt: skip


@pytest.mark.parametrize("payee", [BEN, ASHA, OPERATOR])
def test_a_payment_straight_from_a_voucher_is_taken_at_a_glance(payee: Key) -> None:
    on = voucher(ASHA, COUNT)
    bundle = Bundle(documents=(on, pay(payee, piece(on, 0, 7), piece(on, 9, 1))))
    assert at_a_glance(bundle) == by_rule(bundle)
    assert at_a_glance(bundle) is not None


@pytest.mark.parametrize("wrong", [ASHA, OPERATOR])
def test_a_wrong_signature_is_left_to_the_rule(wrong: Key) -> None:
    on = voucher(ASHA, COUNT)
    bundle = Bundle(documents=(on, pay(BEN, piece(on, 0, 7))))
    assert at_a_glance(bundle, wrong=wrong.public) is None
    assert str(by_rule(bundle, wrong=wrong.public)).endswith("signature_wrong")


def changed(draw: random.Random) -> tuple[Bundle, Limits]:
    """A bundle with something unusual about it, right or wrong."""
    owner = draw.choice([ASHA] * 5 + [OPERATOR])
    on = voucher(
        owner, COUNT,
        net=draw.choice([1] * 9 + [2]), issuer=draw.choice([1] * 9 + [2]), currency=draw.choice([978] * 9 + [702]),
        issued_at=draw.choice([NOW] * 5 + [NOW + 51]), spend_by=NOW + 100,
        audience_key=draw.choice([None] * 5 + [BEN.public, CHI.public]),
    )  # fmt: skip
    other = voucher(ASHA, COUNT, first=9000)
    pieces = [piece(on, draw.randint(0, COUNT - 3), draw.randint(1, 9)) for _ in range(draw.choice([1, 1, 2, 3]))]
    if draw.random() < 0.1:
        pieces.append(Piece(parent_id=other.short_id, first=9000, count=1))
    paid = pay(draw.choice([BEN, OPERATOR]), *pieces)
    if draw.random() < 0.2:
        paid = unsigned(replace(paid.body, total=paid.body.total + 1))
    if draw.random() < 0.1:
        paid = unsigned(replace(paid.body, net=2))
    documents = draw.choice([(on, paid)] * 9 + [(on,), (paid, on), (on, on), (paid,), (on, other, paid), (paid, paid)])
    if draw.random() < 0.1:
        documents = (on, paid, pay(CHI, *whole(paid)))
    name = Opening(opens=OPENS_NAME, salt=bytes(16), text="Asha")
    limits = draw.choice([LIMITS] * 6 + [replace(LIMITS, bytes_max=250), replace(LIMITS, documents_max=1)])
    return Bundle(documents=documents, openings=draw.choice([()] * 9 + [(name,)])), limits


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_taken_at_a_glance_that_the_rule_takes_otherwise(seed: int) -> None:
    draw = random.Random(seed)
    taken = 0
    for _ in range(200):
        bundle, limits = changed(draw)
        found, ruled = at_a_glance(bundle, limits=limits), by_rule(bundle, limits=limits)
        assert found is None or found == ruled
        taken += found is not None
    assert taken
