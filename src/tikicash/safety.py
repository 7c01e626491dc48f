"""How safe a payment is, as the payee sees it before he hands over the goods.

Software cannot stop a determined cheat from spending twice, so the screen says how much of this payment the operator
makes good if that happened, until when, and what is at the payee's own risk. The promise is the same sum that the
settlement pays (settlement.final_before_close). Rule: protocol/spec/03-payments.md, "how safe".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tikicash.book import Claim
from tikicash.chain import Chain
from tikicash.messages import Certificate

STALE_AFTER_SECONDS: Final = 72 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class HowSafe:
    """A payment's amount in three parts, in minor units, and the two dates that the payee has to know."""

    final: int  # locked to his key: his own book is the detector of a double spend
    protected: int  # the operator pays it even if it was spent twice
    at_risk: int
    spend_by: int  # handed on only until then: the earliest date over all vouchers and certificates
    claim_by: int  # a copy must have reached the operator by then


def earliest_dates(chain: Chain) -> tuple[int, int]:
    """Return (spend_by, claim_by): the earliest over all vouchers and certificates of a chain, in unix seconds."""
    spend = [item.body.spend_by for item in chain.vouchers] + [item.body.valid_until for item in chain.certificates]
    return min(spend), min(item.body.claim_by for item in chain.vouchers)


def promised(claims: Iterable[Claim], certificate: Certificate | None) -> int:
    """Return how much the operator promises on some claims together, in minor units.

    min(cover budget, sum over vouchers of min(cover, claimed)), over what was not closed when the certificate was
    issued. Locked units need no promise. Source: design of offline money, section 6.
    """
    if certificate is None:
        return 0
    claimed: dict[bytes, int] = {}
    cover: dict[bytes, int] = {}
    for claim in claims:
        if claim.terms.audience_id is None and claim.terms.claim_by > certificate.issued_at:
            claimed[claim.terms.voucher_id] = claimed.get(claim.terms.voucher_id, 0) + claim.count
            cover[claim.terms.voucher_id] = claim.terms.cover
    return min(certificate.cover_budget, sum(min(cover[voucher], count) for voucher, count in claimed.items()))


def how_safe(
    *,
    before: tuple[Claim, ...],
    new: tuple[Claim, ...],
    certificate: Certificate | None,
    spend_by: int,
    claim_by: int,
    now: int,
    newest_signed_time: int,
) -> HowSafe:
    """Return how safe new claims are to a key that already has others; times in unix seconds.

    `certificate` is the key's own. Nothing is protected if it has none or one out of date, or if the newest time that
    the operator signed is more than 72 hours old: the payer may have been blocked since.
    """
    final = sum(claim.count for claim in new if claim.terms.audience_id is not None)
    total = sum(claim.count for claim in new)
    stale = now - newest_signed_time > STALE_AFTER_SECONDS
    if stale or certificate is None or certificate.valid_until < now:
        protected = 0
    else:
        protected = promised((*before, *new), certificate) - promised(before, certificate)
    assert 0 <= protected <= total - final, (protected, total, final)
    return HowSafe(
        final=final, protected=protected, at_risk=total - final - protected, spend_by=spend_by, claim_by=claim_by
    )
