"""A payment straight from one voucher, judged at a glance: the same answer as check_chain, without its machinery.

Nearly every payment that is brought is one, and finding its way back through chains that it doesn't have costs as much
as its signature. Here a bundle is only ever taken: whatever isn't plainly right is for check_chain (validity.py), which
stays the rule and says what is wrong.
"""

from typing import Final

from tikicash import units
from tikicash.chain import Chain, Limits, is_payment, is_voucher
from tikicash.errors import Rejected
from tikicash.messages import Bundle, IssuerKey, Payment, Signed, Voucher, key_id
from tikicash.validity import Verify, find_issuer

_BESIDE_PAYLOADS_BYTES_MAX: Final = 160  # of a bundle of two documents: two signatures, and what tells lengths


def check_direct(
    bundle: Bundle,
    *,
    net: int,
    issuer_keys: tuple[IssuerKey, ...],
    operator: frozenset[bytes],
    limits: Limits,
    verify: Verify,
) -> Chain | None:
    """Return what check_chain would return of a voucher and one payment from it, or None: then ask check_chain.

    `operator` holds the ids of the issuer keys.
    """
    if len(bundle.documents) != 2 or bundle.certificates or bundle.openings:
        return None
    voucher, payment = bundle.documents
    if not is_voucher(voucher) or not is_payment(payment):
        return None
    size_most = len(voucher.payload) + len(payment.payload) + _BESIDE_PAYLOADS_BYTES_MAX  # counting costs more
    is_within = limits.documents_max >= 2 and limits.signatures_max >= 2 and size_most <= limits.bytes_max
    if not is_within or limits.depth_max < 1 or not _fits(payment, voucher, net=net, operator=operator):
        return None
    try:
        issuer_key = find_issuer(voucher, issuer_keys)
    except Rejected:
        return None
    if not verify(issuer_key, voucher.message, voucher.signature):
        return None
    if not verify(voucher.body.key, payment.message, payment.signature):
        return None
    payer_id = key_id(voucher.body.key)
    return Chain(
        payment=payment,
        sources={voucher.short_id: voucher, payment.short_id: payment},
        vouchers=(voucher,),
        payments=(payment,),
        certificates=(),
        payer_id=payer_id,
        depth=0 if payment.body.payee_id in operator else 1,
    )


def _fits(payment: Signed[Payment], voucher: Signed[Voucher], *, net: int, operator: frozenset[bytes]) -> bool:
    """Return whether a payment is plainly one of this voucher's units, once each, by its owner to whom it may be."""
    paid, issued = payment.body, voucher.body
    source_id, first, end = voucher.short_id, issued.first, issued.first + issued.count
    total = 0
    for piece in paid.pieces:
        if piece.parent_id != source_id or piece.first < first or piece.first + piece.count > end:
            return False
        total += piece.count
    return (
        paid.net == issued.net == net
        and paid.currency == issued.currency
        and paid.total == total
        and payment.short_id != source_id
        and (len(paid.pieces) == 1 or units.disjoint((piece.first, piece.count) for piece in paid.pieces))
        and key_id(issued.key) not in operator
        and (
            issued.audience_key is None
            or paid.payee_id == key_id(issued.audience_key)
            or paid.payee_id in operator
        )
    )  # fmt: skip
