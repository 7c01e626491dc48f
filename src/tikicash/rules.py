"""What a phone checks, in order, before it believes a code.

Two people stand at a counter and there is no network to ask. The payee's phone has to say yes or no by itself, the
same on every phone, and a yes must stay a yes at settlement. Everything it may look at is an argument, so that one
input has one answer in both languages. Rules: protocol/spec/03-payments.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from tikicash import book as book_of_units
from tikicash.book import Book, Claim, Holding
from tikicash.chain import (
    LIMITS,
    Chain,
    Limits,
    as_bundle,
    check_size,
    name_commits,
    opened,
    operator_ids,
    read_chain,
    refunded_sale,
)
from tikicash.cose import verify_signature
from tikicash.errors import Rejected
from tikicash.fields import REVOKED_BYTES
from tikicash.messages import (
    OPENS_MEMO,
    OPENS_NAME,
    Bundle,
    Certificate,
    IssuerKey,
    Message,
    Payment,
    Receipt,
    Refusal,
    Request,
    Revocations,
    Signed,
    commitment,
    key_id,
)
from tikicash.safety import HowSafe, earliest_dates, how_safe
from tikicash.validity import (
    Verify,
    check_chain,
    check_issued,
    check_issuer_key,
    check_issuers_known,
    check_network,
    check_payments,
    find_issuer,
    issued_at,
    issued_in,
)

__all__ = [
    "LIMITS",
    "AcceptContext",
    "Acceptance",
    "Asked",
    "HowSafe",
    "Limits",
    "accept",
    "accept_claim",
    "check_chain",
    "check_issued",
    "check_issuer_key",
    "how_safe",
    "is_revoked",
    "verify_receipt",
    "verify_refusal",
    "verify_request",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptContext:
    """Everything besides the bundle that may decide whether a payment is accepted. Times in unix seconds."""

    net: int
    now: int  # the phone's clock
    newest_signed_time: int  # the newest time that this phone ever saw the operator sign
    open_requests: tuple[Request, ...]
    issuer_keys: tuple[IssuerKey, ...]  # each passed check_issuer_key
    revocations: Revocations | None
    my_keys: tuple[bytes, ...]  # public keys with which I may still be paid
    my_certificate: Certificate | None  # of the key that is paid
    book: Book = field(default_factory=Book)
    limits: Limits = LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A payment that holds. Store the bundle and the new book durably, then sign the receipt."""

    payment: Signed[Payment]
    chain: Chain
    sale: Signed[Payment] | None  # the payment of mine that this one gives back; None: it answers a request
    payer_id: bytes
    payer_name: str | None  # as the operator certified it, or None
    memo: str | None
    how_safe: HowSafe
    book: Book
    newest_signed_time: int  # now including what the operator signed in this bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that holds."""

    request: Signed[Request]
    certificate: Signed[Certificate] | None
    verified_name: str | None  # as the operator certified it; the name in the request is only what the payee says


def is_revoked(revocations: Revocations | None, subject: bytes) -> bool:
    """Tell whether a 16-byte key id is on the list; no list revokes nobody."""
    return revocations is not None and subject[:REVOKED_BYTES] in revocations.entries


def is_request(document: Signed[Any]) -> TypeGuard[Signed[Request]]:
    """Tell whether a document is a request."""
    return isinstance(document.body, Request)


def accept(message: Message, *, context: AcceptContext, verify: Verify = verify_signature) -> Acceptance:
    """Return what a payee gets from a scanned bundle, or raise Rejected with the first code in order.

    Limits and shape (codes of read_chain, then refund_is_claim_only); wrong_network, wrong_currency;
    payment_already_accepted, no_open_request, not_for_me, wrong_amount; issuer_unknown; spend_by_passed,
    certificate_expired; key_revoked; operator_signature_wrong; the codes of check_payments; already_held, spent_twice.
    Never verifies more than limits.signatures_max signatures.
    """
    bundle = as_bundle(message, "not_a_payment")
    chain = read_chain(bundle, limits=context.limits, operator=operator_ids(context.issuer_keys))
    if chain.depth > context.limits.depth_max:
        raise Rejected("refund_is_claim_only")
    sale = find_sale(chain, context, open_requests=context.open_requests)
    return judge_chain(bundle, chain, sale, context=context, verify=verify)


def accept_claim(message: Message, *, context: AcceptContext, verify: Verify = verify_signature) -> Acceptance:
    """Return what a refund of a sale of mine brings, of depth 4 too, or raise Rejected with the first code in order.

    At depth 4 no phone takes the units any more: they are never spendable, and can only be brought to the operator or
    handed back to him. The book holds them all the same, so that no unit is given back twice. Codes and order are
    those of accept, without refund_is_claim_only and with no request open.
    """
    bundle = as_bundle(message, "not_a_payment")
    chain = read_chain(bundle, limits=context.limits, operator=operator_ids(context.issuer_keys))
    sale = find_sale(chain, context, open_requests=())
    return judge_chain(bundle, chain, sale, context=context, verify=verify)


def judge_chain(
    bundle: Bundle, chain: Chain, sale: Signed[Payment] | None, *, context: AcceptContext, verify: Verify
) -> Acceptance:
    """Return what a payment brings that is for me, once everything below it holds. Raises what accept raises."""
    check_issuers_known(chain, context.issuer_keys)
    newest_signed_time = max(context.newest_signed_time, *(issued_at(item) for item in issued_in(chain)))
    # The clock is never below what the operator signed, so that turning it back revives no old money.
    now = max(context.now, newest_signed_time)
    check_dates(chain, now=now)
    check_not_revoked(chain, context.revocations)
    for document in issued_in(chain):
        check_issued(document, issuer_keys=context.issuer_keys, verify=verify)
    check_payments(chain, operator=operator_ids(context.issuer_keys), limit_payments=True, verify=verify)
    ways = chain.traces
    book_of_units.check_new(context.book, ways)
    spend_by, claim_by = earliest_dates(chain)
    holdings = book_of_units.new_holdings(chain, spend_by=spend_by)
    return Acceptance(
        payment=chain.payment,
        chain=chain,
        sale=sale,
        payer_id=chain.payer_id,
        payer_name=opened(bundle.openings, OPENS_NAME),
        memo=opened(bundle.openings, OPENS_MEMO),
        how_safe=judge(holdings, context=context, now=now, spend_by=spend_by, claim_by=claim_by),
        book=book_of_units.receive(context.book, holdings),
        newest_signed_time=newest_signed_time,
    )


def find_sale(chain: Chain, context: AcceptContext, *, open_requests: tuple[Request, ...]) -> Signed[Payment] | None:
    """Return the payment of mine that a payment gives back, or None if it answers one of my open requests.

    That the sale is mine is told from the chain alone: its payer's key is, and it has to have signed the sale.
    Raises Rejected: wrong_network, wrong_currency, payment_already_accepted, no_open_request, not_for_me,
    wrong_amount.
    """
    payment = chain.payment.body
    request = next((item for item in open_requests if item.nonce == payment.nonce), None)
    currency = payment.currency if request is None else request.currency
    check_network(chain, net=context.net, currency=currency)
    if any(item.payment_id == chain.payment.short_id for item in context.book.accepted):
        raise Rejected("payment_already_accepted")
    if request is None:
        sale = refunded_sale(chain.payment, chain.sources)
        if sale is None:
            raise Rejected("no_open_request")
        if payment.payee_id not in {key_id(key) for key in context.my_keys}:
            raise Rejected("not_for_me")
        return sale
    if payment.payee_id != key_id(request.payee_key) or request.payee_key not in context.my_keys:
        raise Rejected("not_for_me")
    if payment.total != request.amount:
        raise Rejected("wrong_amount", f"{payment.total} for {request.amount}")
    return None


def check_dates(chain: Chain, *, now: int) -> None:
    """Check that no voucher or certificate of a chain is out of date; a date is good to its last second.

    Raises Rejected: spend_by_passed, certificate_expired.
    """
    if any(item.body.spend_by < now for item in chain.vouchers):
        raise Rejected("spend_by_passed")
    if any(item.body.valid_until < now for item in chain.certificates):
        raise Rejected("certificate_expired")


def check_not_revoked(chain: Chain, revocations: Revocations | None) -> None:
    """Check that no key that the money went through is revoked. Raises Rejected("key_revoked")."""
    owners = {key_id(item.body.key) for item in issued_in(chain)}
    owners.update(item.body.payee_id for item in chain.payments)
    if any(is_revoked(revocations, owner) for owner in owners):
        raise Rejected("key_revoked")


def judge(holdings: tuple[Holding, ...], *, context: AcceptContext, now: int, spend_by: int, claim_by: int) -> HowSafe:
    """Return how safe new holdings are, given the book of a context and the certificate of the key that is paid."""
    owner = holdings[0].owner_id
    certificate = context.my_certificate
    return how_safe(
        before=book_of_units.claims(context.book, owner_id=owner),
        new=tuple(Claim(terms=item.terms, count=item.count) for item in holdings),
        certificate=certificate if certificate is not None and key_id(certificate.key) == owner else None,
        spend_by=spend_by,
        claim_by=claim_by,
        now=now,
        # Not what this bundle brought: a fresh voucher says nothing about how old my list of blocked phones is.
        newest_signed_time=context.newest_signed_time,
    )


def verify_request(
    message: Message,
    *,
    net: int,
    now: int,
    newest_signed_time: int,
    issuer_keys: Iterable[IssuerKey],
    revocations: Revocations | None,
    limits: Limits = LIMITS,
    verify: Verify = verify_signature,
) -> Asked:
    """Return what a payer should show before he confirms, or raise Rejected; times in unix seconds.

    Codes in order: too_many_documents, too_many_signatures, bundle_too_large, not_a_request, unrelated_document,
    opening_matches_nothing, wrong_network, issuer_unknown, certificate_expired, key_revoked,
    operator_signature_wrong, request_signature_wrong.
    """
    bundle = as_bundle(message, "not_a_request")
    check_size(bundle, limits)
    if len(bundle.documents) != 1 or not is_request(bundle.documents[0]):
        raise Rejected("not_a_request")
    signed = bundle.documents[0]
    request = signed.body
    payee = key_id(request.payee_key)
    if len(bundle.certificates) > 1 or any(key_id(item.body.key) != payee for item in bundle.certificates):
        raise Rejected("unrelated_document", "certificate")
    names = name_commits(payee, {}, bundle.certificates)
    if any(item.opens != OPENS_NAME or commitment(item) not in names for item in bundle.openings):
        raise Rejected("opening_matches_nothing")
    if request.net != net or any(item.body.net != net for item in bundle.certificates):
        raise Rejected("wrong_network")
    keys = tuple(issuer_keys)
    for certificate in bundle.certificates:
        find_issuer(certificate, keys)
        if certificate.body.valid_until < max(now, newest_signed_time):
            raise Rejected("certificate_expired")
    if is_revoked(revocations, payee):
        raise Rejected("key_revoked")
    for certificate in bundle.certificates:
        check_issued(certificate, issuer_keys=keys, verify=verify)
    if not verify(request.payee_key, signed.message, signed.signature):
        raise Rejected("request_signature_wrong")
    return Asked(
        request=signed,
        certificate=bundle.certificates[0] if bundle.certificates else None,
        verified_name=opened(bundle.openings, OPENS_NAME),
    )


def verify_receipt(
    receipt: Signed[Receipt], *, payment: Signed[Payment], payee_key: bytes, verify: Verify = verify_signature
) -> None:
    """Check that the payee of a payment of mine says he has it. The key is the one in his request.

    Raises Rejected: answer_to_another_payment, answer_signature_wrong.
    """
    check_answer(receipt, payment=payment, payee_key=payee_key, verify=verify)


def verify_refusal(
    refusal: Signed[Refusal], *, payment: Signed[Payment], payee_key: bytes, verify: Verify = verify_signature
) -> None:
    """Check that the payee of a payment of mine says he claims nothing from it.

    The units are not mine again: they come back when the voucher closes. Raises Rejected: answer_to_another_payment,
    answer_signature_wrong.
    """
    check_answer(refusal, payment=payment, payee_key=payee_key, verify=verify)


def check_answer(
    answer: Signed[Receipt] | Signed[Refusal], *, payment: Signed[Payment], payee_key: bytes, verify: Verify
) -> None:
    """Check that an answer names a payment and is signed by its payee.

    Raises Rejected: answer_to_another_payment, answer_signature_wrong.
    """
    if answer.body.payment_id != payment.short_id or key_id(payee_key) != payment.body.payee_id:
        raise Rejected("answer_to_another_payment")
    if not verify(payee_key, answer.message, answer.signature):
        raise Rejected("answer_signature_wrong")
