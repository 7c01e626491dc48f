"""Accepting: no changed code is ever taken, and no code keeps a phone busy."""

from dataclasses import replace

import pytest

from protocol.runner import accept_context
from protocol.stories_payment import payments
from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    FIRST,
    HOUR,
    ISSUER_KEY,
    NOW,
    ROOT,
    bundle,
    certificate,
    chained,
    code_of,
    context,
    pay,
    piece,
    request,
    voucher,
)
from tikicash.chain import LIMITS
from tikicash.cose import verify_signature
from tikicash.messages import Bundle, parse, parse_code, sign, to_code
from tikicash.rules import accept, check_issuer_key, is_revoked, verify_request
from tikicash.settlement import make_proof, verify_proof
from tikicash.validity import check_chain

WORLD = chained()
PAYEES = {1: BEN, 2: CHI, 3: DAN}
SHOWN = {depth: WORLD.bundle(depth).to_bytes() for depth in PAYEES}
GIVEN = {depth: context(payee, 1250) for depth, payee in PAYEES.items()}
SECOND = pay(ASHA, CHI, piece(WORLD.voucher, FIRST + 1000, 500))
PROOF = make_proof(WORLD.to_ben, SECOND, chains=(WORLD.bundle(1),), issuer_keys=(ISSUER_KEY,))


class Counter:
    """Verifies signatures and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        self.count += 1
        return verify_signature(public_key, message, signature)


def never(*_: bytes) -> bool:
    raise AssertionError("a signature was verified too early")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_each_signature_is_verified_once(depth):
    counter = Counter()
    shown = parse(SHOWN[depth])
    accept(shown, context=GIVEN[depth], verify=counter)
    assert counter.count == len(shown.documents) + len(shown.certificates) == 2 * depth


def test_the_largest_bundle_costs_sixteen_signatures():
    many = [voucher(ASHA, first=FIRST + 8192 * number, count=100) for number in range(11)]
    paid = pay(ASHA, BEN, *(piece(item) for item in many))
    certificates = tuple(certificate(ASHA, tier=number) for number in range(5))
    shown = replace(bundle(paid, *many), certificates=certificates[:4])
    # So many do not fit into 2048 bytes, so the limit of signatures is tried with more bytes.
    given = context(BEN, 1100, limits=replace(LIMITS, bytes_max=4096))
    counter = Counter()
    accept(shown, context=given, verify=counter)
    assert counter.count == 16
    more = replace(shown, certificates=certificates)
    assert code_of(lambda: accept(more, context=given, verify=never)) == "too_many_signatures"


EARLY = {
    "too_many_documents",
    "too_many_signatures",
    "bundle_too_large",
    "not_a_payment",
    "document_repeated",
    "parent_missing",
    "unrelated_document",
    "opening_matches_nothing",
    "too_many_hands",
    "refund_is_claim_only",
    "wrong_network",
    "wrong_currency",
    "payment_already_accepted",
    "no_open_request",
    "not_for_me",
    "wrong_amount",
    "issuer_unknown",
    "spend_by_passed",
    "certificate_expired",
    "key_revoked",
}


def test_whatever_needs_no_signature_is_judged_before_any():
    judged = set()
    for story in payments():
        if story["code"] in EARLY:
            shown, given = parse_code(story["input"]), accept_context(story)
            assert code_of(lambda: accept(shown, context=given, verify=never)) == story["code"]  # noqa: B023 - used at once
            judged.add(story["code"])
    assert judged == EARLY


def test_a_proof_that_is_too_large_costs_no_signature():
    many = tuple(certificate(CHI, issued_at=NOW - number) for number in range(1, 36))
    wide = tuple(pay(ASHA, CHI, piece(WORLD.voucher, FIRST + number, 1)) for number in range(24))
    fat = tuple(
        pay(ASHA, CHI, *(piece(WORLD.voucher, FIRST + start + at, 1) for at in range(16))) for start in range(11)
    )
    for code, large in (
        ("too_many_documents", replace(PROOF, documents=(*PROOF.documents, *wide))),
        ("too_many_signatures", replace(PROOF, certificates=many)),
        ("bundle_too_large", replace(PROOF, documents=(*PROOF.documents, *fat))),
    ):
        assert code_of(lambda: verify_proof(large, root_key=ROOT.public, verify=never)) == code  # noqa: B023 - used at once


def test_the_newest_signed_time_moves_forward_only():
    fresh = chained(issued_at=NOW + HOUR)
    result = accept(fresh.bundle(1), context=context(BEN, 1250))
    assert result.newest_signed_time == NOW + HOUR
    assert accept(WORLD.bundle(1), context=context(BEN, 1250)).newest_signed_time == NOW - HOUR


def test_a_fresh_voucher_does_not_refresh_an_old_list():
    fresh = chained(issued_at=NOW - 1)
    given = context(BEN, 1250, newest_signed_time=NOW - 80 * HOUR)
    assert accept(fresh.bundle(1), context=given).how_safe.at_risk == 1250


def test_what_a_phone_accepts_the_settlement_counts():
    for depth in PAYEES:
        shown = WORLD.bundle(depth)
        accepted = accept(shown, context=GIVEN[depth])
        chain = check_chain(shown, net=1, issuer_keys=(ISSUER_KEY.body,))
        assert chain == accepted.chain


def test_a_request_costs_at_most_two_signatures():
    asked = Bundle(documents=(request(BEN, 1250),), certificates=(certificate(BEN),))
    counter = Counter()
    shown = parse_code(to_code(asked))
    verify_request(
        shown, net=1, now=NOW, newest_signed_time=NOW, issuer_keys=(ISSUER_KEY.body,), revocations=None, verify=counter
    )
    assert counter.count == 2
    assert check_issuer_key(ISSUER_KEY, root_key=ROOT.public) == ISSUER_KEY.body
    assert not is_revoked(None, BEN.id)


def test_a_body_that_no_reader_takes_is_not_signed():
    assert code_of(lambda: sign(replace(WORLD.to_ben.body, total=0), ASHA.signer)) == "bad_field"
