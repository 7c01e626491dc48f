"""Stories about requests, payments at the counter, answers and the choice of pieces."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from protocol.runner import Json, plain
from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    DAY,
    FIRST,
    HOUR,
    ISSUER,
    ISSUER_KEY,
    MALLORY,
    NOW,
    ROOT,
    Chained,
    bundle,
    certificate,
    chained,
    context,
    nonce,
    pay,
    piece,
    request,
    salt,
    voucher,
)
from tikicash.book import Book, hand_on, load
from tikicash.messages import (
    OPENS_MEMO,
    Bundle,
    Opening,
    Receipt,
    Refusal,
    Revocations,
    Signed,
    SignedTime,
    memo_commitment,
    sign,
    to_code,
)
from tikicash.rules import AcceptContext, accept

Story = dict[str, Any]
OPERATOR = frozenset({ISSUER.id})


def issued_by(signed_body: Any) -> str:
    return to_code(sign(signed_body, ISSUER.signer))


def context_json(given: AcceptContext, payee: Any) -> Json:
    return {
        "net": given.net,
        "newest_signed_time": given.newest_signed_time,
        "open_requests": [to_code(sign(item, payee.signer)) for item in given.open_requests],
        "issuer_keys": [to_code(sign(item, ROOT.signer)) for item in given.issuer_keys],
        "revocations": None if given.revocations is None else issued_by(given.revocations),
        "my_keys": [key.hex() for key in given.my_keys],
        "my_certificate": None if given.my_certificate is None else issued_by(given.my_certificate),
        "book": plain(given.book),
    }


def accepts(
    why: str, shown: Bundle | Signed, payee: Any = BEN, code: str | None = None, amount: int = 1250, **changes: Any
) -> Story:
    given = context(payee, amount, **changes)
    return {
        "why": why,
        "check": "accept",
        "now": given.now,
        "input": to_code(shown),
        "context": context_json(given, payee),
        "code": code,
    }


def revoking(*keys: Any) -> Revocations:
    entries = tuple(sorted(key.id[:8] for key in keys))
    return Revocations(net=1, issuer=1, epoch=8, now=NOW - HOUR, entries=entries)


def tampered(document: Signed) -> Signed:
    return replace(document, signature=document.signature[:-1] + bytes([document.signature[-1] ^ 1]))


def payments() -> Iterator[Story]:
    world = chained()
    yield from good_payments(world)
    yield from too_large(world)
    yield from wrong_shape(world)
    yield from not_for_me(world)
    yield from not_backed(world)
    yield from seen_before(world)
    yield from locked_to_ben()


def good_payments(world: Chained) -> Iterator[Story]:
    yield accepts("depth 1: Asha pays Ben, all of it protected", world.bundle(1))
    yield accepts("depth 2: Ben hands it on to Chi", world.bundle(2), CHI)
    yield accepts("depth 3: Chi hands it on to Dan", world.bundle(3), DAN)
    named = voucher(ASHA, named=True)
    memo = Opening(opens=OPENS_MEMO, salt=salt("memo"), text="Two coffees")
    paid = pay(ASHA, BEN, piece(named, FIRST, 1250), memo_commit=memo_commitment(memo.salt, memo.text))
    shown = bundle(paid, named, openings=(ASHA.opening, memo))
    yield accepts("the direct payee sees the certified name and the memo", shown)
    of_asha = voucher(ASHA)
    pieces = (piece(of_asha, FIRST, 1000), piece(of_asha, FIRST + 2000, 250))
    yield accepts("two pieces of one voucher", bundle(pay(ASHA, BEN, *pieces), of_asha))
    yield accepts("two vouchers", two_vouchers())
    locked = chained(audience_key=BEN.public).bundle(1)
    yield accepts("locked to Ben: final without any cover", locked, my_certificate=None)
    yield accepts("no certificate of his own: all at his risk", world.bundle(1), my_certificate=None)
    small = certificate(BEN, cover_budget=300).body
    yield accepts("the cover budget bounds what is protected", world.bundle(1), my_certificate=small)
    yield accepts("the voucher's cover bounds it too", chained(cover=500).bundle(1))
    stale = {"newest_signed_time": NOW - 73 * HOUR}
    yield accepts("nothing is protected 72 hours after the operator's last word", world.bundle(1), **stale)
    late = certificate(BEN, valid_until=NOW - 1).body
    yield accepts("an outdated certificate of his own protects nothing", world.bundle(1), my_certificate=late)
    yield accepts("another key's certificate protects nothing", world.bundle(1), my_certificate=certificate(CHI).body)
    yield accepts("no revocation list revokes nobody", world.bundle(1), revocations=None)
    twin = high_s(world.to_ben)
    yield accepts("the other twin of a signature is the same payment", Bundle(documents=(world.voucher, twin)))
    yield refund_loop(world)
    yield accepts("a date is good to its last second", world.bundle(1), now=NOW + 6 * DAY)
    part = accept(chained(500).bundle(1), context=context(BEN, 500)).book
    of_asha = world.voucher
    rest = bundle(pay(ASHA, BEN, piece(of_asha, FIRST + 3000, 1800)), of_asha)
    yield accepts("what he holds of a voucher already counts against its cover", rest, amount=1800, book=part)


def high_s(document: Signed) -> Signed:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    s = order - int.from_bytes(document.signature[32:], "big")
    return replace(document, signature=document.signature[:32] + s.to_bytes(32, "big"))


def two_vouchers() -> Bundle:
    one, other = voucher(ASHA, count=1000), voucher(ASHA, first=FIRST + 8192, count=1000)
    return bundle(pay(ASHA, BEN, piece(one), piece(other, FIRST + 8200, 250)), one, other)


def refund_loop(world: Chained) -> Story:
    """Asha pays Ben, Ben pays back, Asha pays Chi from what came back."""
    back = pay(BEN, ASHA, piece(world.to_ben))
    on = pay(ASHA, CHI, piece(back))
    shown = bundle(on, back, certificate(ASHA), *world.documents)
    return accepts("money that came back is handed on again", shown, CHI)


def too_large(world: Chained) -> Iterator[Story]:
    many = [voucher(ASHA, first=FIRST + 8192 * number, count=100) for number in range(12)]
    paid = pay(ASHA, BEN, *(piece(item) for item in many))
    code = "too_many_documents"
    yield accepts("13 documents keep a phone too long", bundle(paid, *many), code=code, amount=1200)
    ten = pay(ASHA, BEN, *(piece(item) for item in many[:10]))
    extra = tuple(certificate(ASHA, tier=number) for number in range(6))
    shown = replace(bundle(ten, *many), certificates=extra)
    yield accepts("17 signatures keep a phone too long", shown, code="too_many_signatures", amount=1000)
    named = [voucher(ASHA, first=FIRST + 8192 * number, count=100, named=True) for number in range(11)]
    eleven = pay(ASHA, BEN, *(piece(item) for item in named))
    yield accepts("a bundle above 2048 bytes", bundle(eleven, *named), code="bundle_too_large", amount=1100)
    deep = pay(DAN, ASHA, piece(world.to_dan))
    shown = bundle(deep, certificate(DAN), *world.documents)
    yield accepts("a fourth hand", shown, ASHA, code="too_many_hands")
    refund = pay(DAN, CHI, piece(world.to_dan))
    shown = bundle(refund, certificate(DAN), *world.documents)
    yield accepts("a fourth hand that is a refund is a claim only", shown, CHI, code="refund_is_claim_only")


def wrong_shape(world: Chained) -> Iterator[Story]:
    one = world.bundle(1)
    yield accepts("a voucher alone is no payment", Bundle(documents=(world.voucher,)), code="not_a_payment")
    receipt = sign(Receipt(payment_id=world.to_ben.short_id, accepted_at=NOW), BEN.signer)
    yield accepts("a receipt is no payment", receipt, code="not_a_payment")
    yield accepts("nothing is no payment", Bundle(documents=()), code="not_a_payment")
    twice = Bundle(documents=(world.voucher, world.voucher, world.to_ben))
    yield accepts("a document twice", twice, code="document_repeated")
    three = world.bundle(2)
    shown = replace(three, certificates=three.certificates * 2)
    yield accepts("a certificate twice", shown, CHI, code="document_repeated")
    yield accepts("no voucher", Bundle(documents=(world.to_ben,)), code="parent_missing")
    swapped = Bundle(documents=(world.to_ben, world.voucher, world.to_ben))
    yield accepts("children before parents", swapped, code="parent_missing")
    shown = Bundle(documents=(voucher(CHI), *one.documents))
    yield accepts("somebody else's voucher", shown, code="unrelated_document")
    shown = replace(one, certificates=(certificate(DAN),))
    yield accepts("a certificate of nobody in the payment", shown, code="unrelated_document")
    shown = Bundle(documents=(request(BEN, 1250), *one.documents))
    yield accepts("a request among the documents", shown, code="unrelated_document")
    shown = replace(one, openings=(ASHA.opening,))
    yield accepts("a name where none was certified", shown, code="opening_matches_nothing")
    memo = Opening(opens=OPENS_MEMO, salt=salt("memo"), text="Two coffees")
    yield accepts("a memo that was not signed", replace(one, openings=(memo,)), code="opening_matches_nothing")


def not_for_me(world: Chained) -> Iterator[Story]:
    one = world.bundle(1)
    yield accepts("another operator's network", one, code="wrong_network", net=2)
    dollars = (request(BEN, 1250, currency=840).body,)
    yield accepts("euros for a request in dollars", one, code="wrong_currency", open_requests=dollars)
    mixed = voucher(ASHA, currency=840)
    shown = bundle(pay(ASHA, BEN, piece(mixed, FIRST, 1250)), mixed)
    yield accepts("a voucher in dollars under a payment in euros", shown, code="wrong_currency")
    have = accept(one, context=context(BEN, 1250)).book
    yield accepts("the same code again is no new payment", one, code="payment_already_accepted", book=have)
    yield accepts("no request is open", one, code="no_open_request", open_requests=())
    to_chi = pay(ASHA, CHI, piece(world.voucher, FIRST, 1250), nonce=nonce("Ben"))
    yield accepts("my nonce, but paid to Chi", bundle(to_chi, world.voucher), code="not_for_me")
    yield accepts("my key was retired since", one, code="not_for_me", my_keys=(CHI.public,))
    yield accepts("one cent less than asked", one, code="wrong_amount", amount=1251)


def not_backed(world: Chained) -> Iterator[Story]:
    one, two, three = world.bundle(1), world.bundle(2), world.bundle(3)
    yield accepts("no issuer key is known", one, code="issuer_unknown", issuer_keys=())
    old = replace(ISSUER_KEY.body, valid_until=NOW - 2 * DAY)
    yield accepts("the issuer key ended before the voucher was issued", one, code="issuer_unknown", issuer_keys=(old,))
    late = {"code": "spend_by_passed", "now": NOW + 6 * DAY + 1}
    yield accepts("one second after the voucher's spend_by", one, **late)
    back = {"code": "spend_by_passed", "newest_signed_time": NOW + 6 * DAY + 1}
    yield accepts("turning the clock back revives no old money", one, **back)
    short = certificate(BEN, valid_until=NOW - 1)
    shown = replace(two, certificates=(short,))
    yield accepts("Ben's phone was offline for too long", shown, CHI, code="certificate_expired")
    yield accepts("Asha's key is revoked", one, code="key_revoked", revocations=revoking(ASHA, DAN))
    yield accepts("a key in the middle is revoked", three, DAN, code="key_revoked", revocations=revoking(BEN))
    forged = voucher(ASHA, by=MALLORY)
    shown = bundle(pay(ASHA, BEN, piece(forged, FIRST, 1250)), forged)
    yield accepts("a voucher that Mallory signed", shown, code="operator_signature_wrong")
    shown = replace(two, certificates=(certificate(BEN, by=MALLORY),))
    yield accepts("a certificate that Mallory signed", shown, CHI, code="operator_signature_wrong")
    shown = replace(two, certificates=(certificate(BEN, may_hand_on=False),))
    yield accepts("a receive-only till hands on", shown, CHI, code="may_not_hand_on")
    broken = Bundle(documents=(world.voucher, tampered(world.to_ben)))
    yield accepts("one bit of the signature is wrong", broken, code="payment_signature_wrong")
    small = {"payment_max": 1249}
    yield accepts("one cent above the voucher's limit", chained(**small).bundle(1), code="payment_above_limit")
    shown = chained(audience_key=CHI.public).bundle(1)
    yield accepts("money locked to Chi's phone", shown, code="locked_to_another")


def seen_before(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    have = accept(world.bundle(1), context=context(BEN, 1250)).book
    again = pay(ASHA, BEN, piece(of_asha, FIRST + 700, 1250), nonce=nonce("again"))
    asked = {"open_requests": (request(BEN, 1250, nonce=nonce("again")).body,), "book": have}
    shown = bundle(again, of_asha)
    yield accepts("Asha pays Ben with what he holds already", shown, code="already_held", **asked)
    gone = hand_on(have, world.to_chi, operator=OPERATOR)
    yield accepts(
        "Asha pays Ben with what he handed on: both chains are a proof",
        shown,
        code="spent_twice",
        **{**asked, "book": gone},
    )
    refund = pay(CHI, BEN, piece(world.to_chi), nonce=nonce("again"))
    shown = bundle(refund, certificate(CHI), *world.documents)
    yield accepts("a refund of what he handed on is welcome", shown, **{**asked, "book": gone})
    own = load(Book(), voucher(BEN))
    unrelated = {"book": own}
    yield accepts("his own voucher of other money does not disturb", world.bundle(1), **unrelated)


def locked_to_ben() -> Iterator[Story]:
    locked = voucher(ASHA, count=1300, cover=0, audience_key=BEN.public)
    free = voucher(ASHA, first=FIRST + 8192)
    halves = pay(ASHA, BEN, piece(locked, FIRST, 700), piece(free, FIRST + 8192, 550))
    yield accepts("half locked to Ben: one part is final, the other protected", bundle(halves, locked, free))
    mixed = bundle(halves, locked, free)
    yield accepts("without a certificate one part is final, the other at his risk", mixed, my_certificate=None)
    low = voucher(ASHA, count=1300, cover=0, audience_key=BEN.public, payment_max=1249)
    above = pay(ASHA, BEN, piece(low, FIRST, 700), piece(free, FIRST + 8192, 550))
    yield accepts("the lower limit of two vouchers holds", bundle(above, low, free), code="payment_above_limit")
    paid = pay(ASHA, BEN, piece(locked, FIRST, 1250))
    asked = {"open_requests": (request(BEN, 1250, nonce=nonce("again")).body,)}
    again = bundle(pay(ASHA, BEN, piece(locked, FIRST + 50, 1250), nonce=nonce("again")), locked)
    have = accept(bundle(paid, locked), context=context(BEN, 1250)).book
    restored = "a payer restored from a copy pays Ben the same locked units"
    yield accepts(f"{restored} once more", again, code="already_held", **asked, book=have)
    home = hand_on(have, pay(BEN, ISSUER, piece(paid)), operator=OPERATOR)
    yield accepts(f"{restored} after Ben gave them back", again, code="spent_twice", **asked, book=home)
    fresh = {**asked, "my_keys": (MALLORY.public,)}
    yield accepts(
        "Ben lost his book and took a new key: nothing comes to the old one", again, code="not_for_me", **fresh
    )


def asks(why: str, shown: Bundle | Signed, code: str | None = None, **changes: Any) -> Story:
    given = {"net": 1, "newest_signed_time": NOW - HOUR, "revocations": None, "now": NOW, **changes}
    return {
        "why": why,
        "check": "verify_request",
        "now": given["now"],
        "input": to_code(shown),
        "context": {
            "net": given["net"],
            "newest_signed_time": given["newest_signed_time"],
            "issuer_keys": [to_code(ISSUER_KEY)],
            "revocations": None if given["revocations"] is None else issued_by(given["revocations"]),
        },
        "code": code,
    }


def requests() -> Iterator[Story]:
    bare = Bundle(documents=(request(BEN, 1250, name="Ben"),))
    certified = Bundle(documents=bare.documents, certificates=(certificate(BEN, named=True),), openings=(BEN.opening,))
    yield asks("a request with no certificate: the name is only what Ben says", bare)
    yield asks("a request with a certified name", certified)
    yield asks("a certificate without a name", replace(bare, certificates=(certificate(BEN),)))
    yield asks("a payment is no request", chained().bundle(1), "not_a_request")
    yield asks("a signed request without its bundle is no request code", request(BEN, 1250), "not_a_request")
    yield asks("nothing is no request", Bundle(documents=()), "not_a_request")
    many = tuple(certificate(BEN, tier=number) for number in range(16))
    yield asks("17 signatures", replace(bare, certificates=many), "too_many_signatures")
    yield asks("Chi's certificate", replace(bare, certificates=(certificate(CHI),)), "unrelated_document")
    yield asks("two certificates", replace(bare, certificates=many[:2]), "unrelated_document")
    yield asks("Chi's name", replace(certified, openings=(CHI.opening,)), "opening_matches_nothing")
    yield asks("a name without a certificate", replace(bare, openings=(BEN.opening,)), "opening_matches_nothing")
    yield asks("another operator's network", bare, "wrong_network", net=2)
    elsewhere = replace(bare, certificates=(certificate(BEN, net=2),))
    yield asks("a certificate of another network", elsewhere, "wrong_network")
    unknown = replace(bare, certificates=(certificate(BEN, issuer=2),))
    yield asks("a certificate of an unknown issuer", unknown, "issuer_unknown")
    yield asks("a certificate out of date", certified, "certificate_expired", now=NOW + 31 * DAY)
    yield asks("Ben's key is revoked", certified, "key_revoked", revocations=revoking(BEN))
    forged = replace(bare, certificates=(certificate(BEN, by=MALLORY),))
    yield asks("a certificate that Mallory signed", forged, "operator_signature_wrong")
    stolen = Bundle(documents=(request(BEN, 1250, by=MALLORY),))
    yield asks("a request that Mallory signed", stolen, "request_signature_wrong")


def answers_to(why: str, answer: Signed, payment: Signed, code: str | None = None, key: Any = BEN) -> Story:
    check = "verify_receipt" if isinstance(answer.body, Receipt) else "verify_refusal"
    given = {"payment": to_code(payment), "payee_key": key.public.hex()}
    return {"why": why, "check": check, "now": NOW, "input": to_code(answer), "context": given, "code": code}


def issued(why: str, document: Signed, code: str | None = None) -> Story:
    given = {"issuer_keys": [to_code(ISSUER_KEY)]}
    return {
        "why": why,
        "check": "check_issued",
        "now": NOW,
        "input": to_code(document),
        "context": given,
        "code": code,
    }


def answers() -> Iterator[Story]:
    world = chained()
    receipt = Receipt(payment_id=world.to_ben.short_id, accepted_at=NOW + 5)
    refusal = Refusal(payment_id=world.to_ben.short_id, reason="spent_twice")
    yield answers_to("Ben has the payment", sign(receipt, BEN.signer), world.to_ben)
    yield answers_to("Ben claims nothing from the payment", sign(refusal, BEN.signer), world.to_ben)
    wrong = "answer_to_another_payment"
    yield answers_to("a receipt for another payment", sign(receipt, BEN.signer), world.to_chi, wrong)
    yield answers_to("a refusal of another payment", sign(refusal, BEN.signer), world.to_chi, wrong)
    yield answers_to("Mallory's key is not the payee's", sign(receipt, MALLORY.signer), world.to_ben, wrong, MALLORY)
    wrong = "answer_signature_wrong"
    yield answers_to("a receipt that Mallory signed", sign(receipt, MALLORY.signer), world.to_ben, wrong)
    yield answers_to("a refusal that Mallory signed", sign(refusal, MALLORY.signer), world.to_ben, wrong)
    now = SignedTime(net=1, issuer=1, now=NOW)
    yield issued("the operator says what time it is", sign(now, ISSUER.signer))
    yield issued("a time that Mallory signed", sign(now, MALLORY.signer), "operator_signature_wrong")
    yield issued("a time of an unknown issuer", sign(replace(now, issuer=2), ISSUER.signer), "issuer_unknown")
    yield issued("a revocation list", sign(revoking(ASHA, DAN), ISSUER.signer))
    root = {"root_key": ROOT.public.hex()}
    story = {"check": "check_issuer_key", "now": NOW, "context": root}
    forged = sign(ISSUER_KEY.body, MALLORY.signer)
    yield {"why": "the root key signs issuer keys", **story, "input": to_code(ISSUER_KEY), "code": None}
    wrong = "operator_signature_wrong"
    yield {"why": "an issuer key that Mallory signed", **story, "input": to_code(forged), "code": wrong}
