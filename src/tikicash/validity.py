"""Is it signed, owned and counted right: the checks on a chain that need keys.

The payee runs them with his clock, his requests and his limits around them (rules.accept). The settlement runs them
bare (check_chain), because dates, requests and revocations are the payee's protection and never a reason to take a
claim from him. Rule: protocol/spec/03-payments.md and 04-settlement.md.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from tikicash import units
from tikicash.chain import (
    LIMITS,
    Chain,
    Limits,
    as_bundle,
    enclosing,
    is_payment,
    operator_ids,
    owner_id,
    read_chain,
    traces,
)
from tikicash.cose import verify_signature
from tikicash.errors import Rejected
from tikicash.messages import (
    Certificate,
    IssuerKey,
    Message,
    Payment,
    Revocations,
    Signed,
    SignedTime,
    Voucher,
    key_id,
)

Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]  # public key, message, signature
Issued: TypeAlias = Signed[Voucher] | Signed[Certificate] | Signed[SignedTime] | Signed[Revocations]

# The settlement judges everything below a payment, however many bundles brought it, so only the depth is limited.
SETTLEMENT_LIMITS: Final = replace(LIMITS, documents_max=2**16, signatures_max=2**17, bytes_max=2**26)


def issued_at(document: Issued) -> int:
    """Return when the operator signed a document, in unix seconds."""
    body = document.body
    return body.now if isinstance(body, SignedTime | Revocations) else body.issued_at


def find_issuer(document: Issued, issuer_keys: Iterable[IssuerKey]) -> bytes:
    """Return the public key with which the operator should have signed a document.

    The number finds the key and its dates must hold the date of the document. Raises Rejected("issuer_unknown").
    """
    for issuer in issuer_keys:
        same = issuer.net == document.body.net and issuer.number == document.body.issuer
        if same and issuer.valid_from <= issued_at(document) <= issuer.valid_until:
            return issuer.key
    raise Rejected("issuer_unknown", f"number {document.body.issuer}")


def check_issued(document: Issued, *, issuer_keys: Iterable[IssuerKey], verify: Verify = verify_signature) -> None:
    """Check that the operator signed a voucher, certificate, signed time or revocation list.

    Raises Rejected: issuer_unknown, operator_signature_wrong.
    """
    if not verify(find_issuer(document, issuer_keys), document.message, document.signature):
        raise Rejected("operator_signature_wrong", document.short_id.hex())


def check_issuer_key(document: Signed[IssuerKey], *, root_key: bytes, verify: Verify = verify_signature) -> IssuerKey:
    """Return an issuer key that the root key signed, or raise Rejected("operator_signature_wrong")."""
    if not verify(root_key, document.message, document.signature):
        raise Rejected("operator_signature_wrong", "issuer key")
    return document.body


def check_network(chain: Chain, *, net: int, currency: int) -> None:
    """Check that every document is of one network and one currency.

    Raises Rejected: wrong_network, wrong_currency.
    """
    nets = {item.body.net for item in (*chain.sources.values(), *chain.certificates)}
    if nets != {net}:
        raise Rejected("wrong_network", str(sorted(nets)))
    currencies = {item.body.currency for item in chain.sources.values()}
    if currencies != {currency}:
        raise Rejected("wrong_currency", str(sorted(currencies)))


def issued_in(chain: Chain) -> tuple[Signed[Voucher] | Signed[Certificate], ...]:
    """Return what the operator signed in a chain: its vouchers, then its certificates."""
    return (*chain.vouchers, *chain.certificates)


def check_issuers_known(chain: Chain, issuer_keys: Iterable[IssuerKey]) -> None:
    """Check that the operator's key is known for each voucher and certificate. Raises Rejected("issuer_unknown")."""
    keys = tuple(issuer_keys)
    for document in issued_in(chain):
        find_issuer(document, keys)


def check_payments(
    chain: Chain, *, operator: frozenset[bytes], limit_payments: bool, verify: Verify = verify_signature
) -> None:
    """Check every payment of a chain, parents first, and the amount limits printed in the vouchers if asked to.

    Raises Rejected: parents_of_several_owners, handed_back_already, certificate_missing, payment_signature_wrong,
    piece_outside_parent, pieces_overlap, total_differs, may_not_hand_on, locked_to_another, payment_above_limit.
    """
    keys = {key_id(item.body.key): item.body.key for item in issued_in(chain)}
    for payment in chain.payments:
        check_signer(payment, chain, keys=keys, operator=operator, verify=verify)
        check_pieces(payment, chain)
        check_handing_on(payment, chain, operator=operator)
        check_terms(payment, chain, operator=operator, limit_payments=limit_payments)


def check_signer(
    payment: Signed[Payment], chain: Chain, *, keys: Mapping[bytes, bytes], operator: frozenset[bytes], verify: Verify
) -> None:
    """Check that one key owns every parent of a payment, is not the operator's, and signed the payment.

    Raises Rejected: parents_of_several_owners, handed_back_already, certificate_missing, payment_signature_wrong.
    """
    owners = {owner_id(chain.sources[piece.parent_id]) for piece in payment.body.pieces}
    if len(owners) > 1:
        raise Rejected("parents_of_several_owners", payment.short_id.hex())
    (owner,) = owners
    if owner in operator:
        raise Rejected("handed_back_already", payment.short_id.hex())
    key = keys.get(owner)
    if key is None:
        raise Rejected("certificate_missing", owner.hex())
    if not verify(key, payment.message, payment.signature):
        raise Rejected("payment_signature_wrong", payment.short_id.hex())


def check_pieces(payment: Signed[Payment], chain: Chain) -> None:
    """Check that each piece lies in one piece of its parent, that no unit counts twice, and the total.

    Raises Rejected: piece_outside_parent, pieces_overlap, total_differs.
    """
    for piece in payment.body.pieces:
        if enclosing(chain.sources[piece.parent_id], piece) is None:
            raise Rejected("piece_outside_parent", payment.short_id.hex())
    if not units.disjoint((piece.first, piece.count) for piece in payment.body.pieces):
        raise Rejected("pieces_overlap", payment.short_id.hex())
    if payment.body.total != sum(piece.count for piece in payment.body.pieces):
        raise Rejected("total_differs", payment.short_id.hex())


def check_handing_on(payment: Signed[Payment], chain: Chain, *, operator: frozenset[bytes]) -> None:
    """Check that whoever hands on received money has a certificate that lets him. Handing back needs none.

    Raises Rejected: certificate_missing, may_not_hand_on.
    """
    parents = [chain.sources[piece.parent_id] for piece in payment.body.pieces]
    if payment.body.payee_id in operator or not any(is_payment(parent) for parent in parents):
        return
    owner = owner_id(parents[0])
    allowed = [item.body.may_hand_on for item in chain.certificates if key_id(item.body.key) == owner]
    if not allowed:
        raise Rejected("certificate_missing", owner.hex())
    if not any(allowed):
        raise Rejected("may_not_hand_on", owner.hex())


def check_terms(payment: Signed[Payment], chain: Chain, *, operator: frozenset[bytes], limit_payments: bool) -> None:
    """Check what the vouchers say about a payment: who may receive it, and how much at once if asked to.

    Raises Rejected: locked_to_another, payment_above_limit.
    """
    for way in traces(payment, chain.sources):
        voucher = way.voucher.body
        payee_id = payment.body.payee_id
        if voucher.audience_key is not None and payee_id != key_id(voucher.audience_key) and payee_id not in operator:
            raise Rejected("locked_to_another", payment.short_id.hex())
        if limit_payments and payment.body.total > voucher.payment_max:
            raise Rejected("payment_above_limit", str(voucher.payment_max))


def check_chain(
    message: Message,
    *,
    net: int,
    issuer_keys: tuple[IssuerKey, ...],
    limits: Limits = LIMITS,
    verify: Verify = verify_signature,
) -> Chain:
    """Return the chain of a scanned bundle that the settlement counts: valid for ever, whoever brings it and whenever.

    Signatures, ownership, pieces, total, depth, may_hand_on and audience lock; not dates, requests, revocations or the
    limit of one payment, which protect the payee when he accepts. The depth-4 refund is a valid claim here. Issuer
    keys must have passed check_issuer_key. Pass SETTLEMENT_LIMITS to judge a closure gathered from several bundles.
    Raises Rejected with the codes of read_chain, then wrong_network, wrong_currency, issuer_unknown,
    operator_signature_wrong, then those of check_payments.
    """
    operator = operator_ids(issuer_keys)
    chain = read_chain(as_bundle(message, "not_a_payment"), limits=limits, operator=operator)
    check_network(chain, net=net, currency=chain.payment.body.currency)
    check_issuers_known(chain, issuer_keys)
    for document in issued_in(chain):
        check_issued(document, issuer_keys=issuer_keys, verify=verify)
    check_payments(chain, operator=operator, limit_payments=False, verify=verify)
    return chain
