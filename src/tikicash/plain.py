"""Who holds each unit of a voucher that nobody spent twice: the same answer as the sweep's, without a tree.

Nearly every voucher is paid out of once, directly and without dispute, and its holders are asked for at every sync. For
those the payments' units are looked at in order, once; whatever else there is (units taken twice, handed on or back,
refused) is for the sweep (holders.py), which stays the rule.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tikicash.holders import Claim, Holders


class Taken(NamedTuple):
    """Units that one payment took straight from a voucher; not refused, and paid to no key of the operator's."""

    first: int
    end: int  # the first unit after the last
    payee_id: bytes  # 16 bytes, key id
    payment_id: bytes  # 32 bytes


def plain_holders(owner_id: bytes, *, first: int, count: int, taken: Iterable[Taken]) -> Holders | None:
    """Return who holds the units of the voucher of a key, or None if a unit was taken twice.

    `first` and `count` are the voucher's units, and `taken` is everything that was paid out of them.
    """
    at, home = first, count
    claims: dict[tuple[bytes, bytes], Claim] = {}
    sole: dict[bytes, int] = {}
    for begin, end, payee_id, payment_id in sorted(taken):
        if begin < at:
            return None
        at = end
        home -= end - begin
        sole[payee_id] = sole.get(payee_id, 0) + end - begin
        claim = claims.get((payee_id, payment_id))
        if claim is None:
            claim = Claim(key_id=payee_id, payment_id=payment_id, payer_id=owner_id)
            claims[payee_id, payment_id] = claim
        claim.count += end - begin
    assert at <= first + count, "a payment of units that the voucher doesn't have"
    if home:
        claims[owner_id, b""] = Claim(key_id=owner_id, payment_id=None, payer_id=None, count=home)
    return Holders(
        home={owner_id: home} if home else {},
        sole=sole,
        claimed=dict(sole),
        owed={},
        exact={},
        claims=tuple(claim for _, claim in sorted(claims.items())) if len(claims) > 1 else tuple(claims.values()),
    )
