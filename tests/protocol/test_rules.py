"""Accepting: no changed code is ever taken, and no code keeps a phone busy."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tikicash.encoding import decode, encode
from tikicash.errors import SENTENCES
from tikicash.messages import Bundle, parse, parse_code, sign, to_code
from tikicash.rules import accept, check_issuer_key, is_revoked, verify_request
from tikicash.settlement import make_proof, verify_proof
from tikicash.validity import check_chain

WORLD = chained()
PAYEES = {1: BEN, 2: CHI, 3: DAN}
SHOWN = {depth: WORLD.bundle(depth).to_bytes() for depth in PAYEES}
GIVEN = {depth: context(payee, 1250) for depth, payee in PAYEES.items()}
SECOND = pay(ASHA, CHI, piece(WORLD.voucher, FIRST + 1000, 500))
PROOF = make_proof(WORLD.to_ben, SECOND, chains=(WORLD.bundle(1),), issuer_keys=(ISSUER_KEY,)).to_bytes()


class Counter:
    """Verifies signatures and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        self.count += 1
        return verify_signature(public_key, message, signature)


def never(*_: bytes) -> bool:
    raise AssertionError("a signature was verified too early")


def judge(data: bytes, depth: int, verify=verify_signature):
    """What the payee's phone makes of some bytes; anything but an acceptance or Rejected fails the test."""
    return accept(parse(data), context=GIVEN[depth], verify=verify)


@settings(max_examples=400)
@given(st.sampled_from(sorted(SHOWN)), st.data())
def test_a_bundle_with_changed_bytes_is_never_accepted_and_only_ever_rejected(depth, data):
    before = SHOWN[depth]
    at = data.draw(st.integers(0, len(before) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "swap"]))
    other = data.draw(st.integers(0, len(before) - 1))
    changed = bytearray(before)
    if kind == "flip":
        changed[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del changed[at:]
    elif kind == "insert":
        changed.insert(at, data.draw(st.integers(0, 255)))
    else:
        changed[at], changed[other] = changed[other], changed[at]
    if bytes(changed) == before:
        return
    assert code_of(lambda: judge(bytes(changed), depth)) in SENTENCES


@settings(max_examples=300)
@given(st.sampled_from(sorted(SHOWN)), st.data())
def test_a_bundle_with_changed_fields_is_never_accepted(depth, data):
    """Changes that are well formed: a field of a payload, the order of the documents, a signature of another."""
    kind, documents, certificates, openings = decode(SHOWN[depth])
    documents = [list(item) for item in documents]
    at = data.draw(st.integers(0, len(documents) - 1))
    values = decode(documents[at][0])
    field = data.draw(st.integers(1, len(values) - 1))
    if isinstance(values[field], int):
        values[field] += data.draw(st.sampled_from([1, 2, 1000]))
    elif isinstance(values[field], bytes):
        values[field] = values[field][::-1]
    else:
        values[field] = None if values[field] is not None else bytes(16)
    documents[at][0] = encode(values)
    changed = encode([kind, documents, certificates, openings])
    assert changed != SHOWN[depth]
    assert code_of(lambda: judge(changed, depth)) in SENTENCES


@settings(max_examples=300)
@given(st.data())
def test_a_changed_proof_never_convinces(data):
    at = data.draw(st.integers(0, len(PROOF) - 1))
    changed = bytearray(PROOF)
    changed[at] ^= data.draw(st.integers(1, 255))
    named = verify_proof(parse(PROOF), root_key=ROOT.public)
    assert named.key_id == ASHA.id

    def judged():
        found = verify_proof(parse(bytes(changed)), root_key=ROOT.public)
        raise AssertionError(f"{found.key_id.hex()} was named by a changed proof")

    assert code_of(judged) in SENTENCES


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
