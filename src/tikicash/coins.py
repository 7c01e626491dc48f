"""Which units to pay with.

Money that is locked to the payee goes first: it can go nowhere else, and it is final to him. Then, the fewer documents
travel, the smaller the code and the more often the money can be handed on. Units are taken from a random position, so
that their numbers tell later hands nothing about how much was spent before; the randomness is an argument.
Rule: protocol/spec/03-payments.md, "choosing pieces".
"""

from collections.abc import Iterable
from typing import Final

from tikicash.book import Ancestor, Holding
from tikicash.chain import LIMITS
from tikicash.errors import Rejected
from tikicash.layout import PIECES_MAX
from tikicash.messages import Certificate, Piece

# What a bundle needs besides its ancestors and its pieces, at most: the frame, the rest of the payment with a memo,
# the payer's certificate with a name, and the openings of name and memo. The sizes of the parts are pinned by a test.
PIECE_BYTES: Final = 36
PAYMENT_BYTES: Final = 150
CERTIFICATE_BYTES: Final = 173
OPENINGS_BYTES: Final = 240


def choose_pieces(holdings: Iterable[Holding], amount: int, *, start: int) -> tuple[Piece, ...]:
    """Return pieces of some holdings (all of one owner, all spendable) that sum to an amount in minor units.

    Locked holdings go first, whole where they are too little. What remains to be paid takes one piece if one holding is
    enough: of the shortest chain, then the smallest holding. Otherwise the fewest pieces of one parent, otherwise of
    several. If that breaks a limit of a bundle, locked holdings are taken like any other. `start` is a random number of
    the caller, 0 or more: it places the one piece that is smaller than its holding.
    Raises Rejected: not_enough_offline_money, payment_above_limit, too_many_pieces.
    """
    assert amount > 0, amount
    assert start >= 0, start
    usable = sorted(holdings, key=_rank)
    if sum(item.count for item in usable) < amount:
        raise Rejected("not_enough_offline_money")
    usable = [item for item in usable if item.terms.payment_max >= amount]
    if sum(item.count for item in usable) < amount:
        raise Rejected("payment_above_limit")
    chosen = _locked_first(usable, amount) or _choose([], usable, amount)
    if chosen is None:
        raise Rejected("too_many_pieces")
    return _cut(chosen, amount, start)


def refund_pieces(
    holdings: Iterable[Holding],
    amount: int,
    *,
    sale_id: bytes,
    payee_id: bytes,
    certificate: Certificate | None,
    now: int,
    start: int,
) -> tuple[Piece, ...]:
    """Return pieces that give an amount of a sale back: of what one owner still holds of it, and of nothing else.

    `sale_id` is the sale's 16 bytes, `payee_id` the key id of whoever paid it, `certificate` the owner's own, `now` in
    unix seconds, `start` as in choose_pieces. The last depth is no limit: the payer can claim what he can't spend.
    Raises Rejected: not_enough_offline_money, certificate_missing, may_not_hand_on, certificate_expired,
    too_many_hands, spend_by_passed, locked_to_another, too_many_pieces.
    """
    held = [item for item in holdings if item.parent_id == sale_id]
    if sum(item.count for item in held) < amount:
        raise Rejected("not_enough_offline_money")
    if certificate is None:
        raise Rejected("certificate_missing")
    if not certificate.may_hand_on:
        raise Rejected("may_not_hand_on")
    if certificate.valid_until < now:
        raise Rejected("certificate_expired")
    if any(item.depth > LIMITS.depth_max for item in held):
        raise Rejected("too_many_hands")
    if any(item.spend_by < now for item in held):
        raise Rejected("spend_by_passed")
    free = [item for item in held if item.terms.audience_id in (None, payee_id)]
    if sum(item.count for item in free) < amount:
        raise Rejected("locked_to_another")
    return choose_pieces(free, amount, start=start)


def _rank(holding: Holding) -> tuple[int, int, int, bytes]:
    return (len(holding.ancestors), holding.count, holding.first, holding.parent_id)


def _locked_first(usable: list[Holding], amount: int) -> list[Holding] | None:
    """Return a choice of locked holdings, or all of them and a choice of the others for the rest; None if neither."""
    locked = [item for item in usable if item.terms.audience_id is not None]
    locked_amount = sum(item.count for item in locked)
    if locked_amount >= amount:
        return _choose([], locked, amount)
    free = [item for item in usable if item.terms.audience_id is None]
    return _choose(locked, free, amount - locked_amount) if _fits(locked) else None


def _choose(given: list[Holding], usable: list[Holding], amount: int) -> list[Holding] | None:
    """Return `given` and the holdings of `usable` that have an amount beside it, or None beyond the limits."""
    return _one(given, usable, amount) or _one_parent(given, usable, amount) or _several(given, usable, amount)


def _one(given: list[Holding], usable: list[Holding], amount: int) -> list[Holding] | None:
    return next(([*given, item] for item in usable if item.count >= amount and _fits([*given, item])), None)


def _one_parent(given: list[Holding], usable: list[Holding], amount: int) -> list[Holding] | None:
    """Return the fewest holdings of one parent that suffice, or None."""
    best: list[Holding] | None = None
    for parent_id in dict.fromkeys(item.parent_id for item in usable):
        group = [item for item in usable if item.parent_id == parent_id]
        found = _fill(given, sorted(group, key=lambda item: -item.count), amount)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
    return best


def _several(given: list[Holding], usable: list[Holding], amount: int) -> list[Holding] | None:
    """Return holdings of several parents that suffice: the largest first, or else those of the shortest chains."""
    largest_first = sorted(usable, key=lambda item: -item.count)
    return _fill(given, largest_first, amount) or _fill(given, usable, amount)


def _fill(given: list[Holding], ordered: list[Holding], amount: int) -> list[Holding] | None:
    chosen = list(given)
    missing = amount
    for item in ordered:
        if missing > 0 and _fits([*chosen, item]):
            chosen.append(item)
            missing -= item.count
    return chosen if missing <= 0 else None


def _fits(chosen: list[Holding]) -> bool:
    """Tell whether a payment of these holdings stays within the limits of a bundle."""
    ancestors: dict[bytes, Ancestor] = {item.id: item for holding in chosen for item in holding.ancestors}
    certified = any(holding.depth > 0 for holding in chosen)
    documents = sum(not item.is_certificate for item in ancestors.values()) + 1
    size = sum(item.size for item in ancestors.values()) + PAYMENT_BYTES + PIECE_BYTES * len(chosen) + OPENINGS_BYTES
    return (
        len(chosen) <= PIECES_MAX
        and documents <= LIMITS.documents_max
        and len(ancestors) + 1 + certified <= LIMITS.signatures_max
        and size + CERTIFICATE_BYTES * certified <= LIMITS.bytes_max
    )


def _cut(chosen: list[Holding], amount: int, start: int) -> tuple[Piece, ...]:
    """Return the holdings as pieces, the last one only as large as needed and placed by the random number."""
    *whole, last = chosen
    rest = amount - sum(item.count for item in whole)
    offset = start % (last.count - rest + 1)
    pieces = [Piece(parent_id=item.parent_id, first=item.first, count=item.count) for item in whole]
    return (*pieces, Piece(parent_id=last.parent_id, first=last.first + offset, count=rest))
