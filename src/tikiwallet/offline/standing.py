"""Who stands where on every unit of one voucher, judged from the set of payments alone.

The units form trees of lineages: the voucher's key, then payee after payee. What a key can claim are the ends of those
trees; where there are several ends the unit was spent twice. The result depends on the set of documents and never on
their order or on who brought them, so that the view before the close and the close itself can't disagree.
Rule: the design of offline money, section 7 (bad, leaf, keep).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

from tikicash.chain import Source, is_payment, is_voucher, traces
from tikicash.messages import Payment, Signed, Voucher, key_id
from tikicash.units import Units

Lineage: TypeAlias = tuple[bytes, ...]
AccountOf: TypeAlias = Callable[[bytes], object]  # key id to whatever names its account


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one key can claim of a voucher through one payment, or (payment None) what its owner never spent."""

    key_id: bytes
    payment: Signed[Payment] | None
    payer_id: bytes | None  # key id of whoever signed that payment
    count: int  # units, those shared with others included
    shared: int  # of these, units that somebody else claims too
    handed_back: tuple[Units, ...]  # of the unshared ones, those that were given back to the operator


@dataclass(slots=True)
class _Tally:
    payer_id: bytes | None = None
    count: int = 0
    shared: int = 0
    handed_back: list[Units] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    units: Units
    lineage: Lineage
    payment: Signed[Payment]
    is_hand_back: bool


def claims_on(
    voucher: Signed[Voucher],
    documents: Iterable[Signed[Any]],
    *,
    operator: frozenset[bytes],
    refused: frozenset[bytes],
    account_of: AccountOf,
) -> tuple[Claim, ...]:
    """Return the claims on a voucher, ordered by key and payment.

    `documents` are valid, in time, and hold everything below each payment that touches the voucher. `refused` holds the
    ids (32 bytes) of payments that their payee refused: they give him nothing unless he handed the units on or back.
    """
    pool: dict[bytes, Source] = {item.short_id: item for item in documents if is_voucher(item) or is_payment(item)}
    ways = _ways(voucher, pool, operator=operator)
    tallies: dict[tuple[bytes, bytes], _Tally] = defaultdict(_Tally)
    payments = {way.payment.id: way.payment for way in ways}
    for units, covering in _segments(voucher, ways):
        _tally(units, covering, tallies, root=(key_id(voucher.body.key),), refused=refused, account_of=account_of)
    return tuple(
        Claim(
            key_id=key,
            payment=payments.get(payment_id),
            payer_id=tally.payer_id,
            count=tally.count,
            shared=tally.shared,
            handed_back=tuple(tally.handed_back),
        )
        for (key, payment_id), tally in sorted(tallies.items(), key=lambda item: item[0])
    )


def _ways(voucher: Signed[Voucher], pool: Mapping[bytes, Source], *, operator: frozenset[bytes]) -> list[_Way]:
    """Return how units of this voucher went, one entry for each piece of each payment."""
    return [
        _Way(units=way.units, lineage=way.lineage, payment=payment, is_hand_back=payment.body.payee_id in operator)
        for payment in pool.values()
        if is_payment(payment)
        for way in traces(payment, pool)
        if way.voucher.id == voucher.id
    ]


def _segments(voucher: Signed[Voucher], ways: list[_Way]) -> Iterable[tuple[Units, list[_Way]]]:
    """Cut the voucher where any piece begins or ends; each segment comes with the pieces that cover it."""
    first, end = voucher.body.first, voucher.body.first + voucher.body.count
    cuts = sorted({first, end, *(cut for way in ways for cut in (way.units[0], sum(way.units)))})
    waiting = sorted(ways, key=lambda way: way.units[0], reverse=True)
    covering: list[_Way] = []
    for at, until in pairwise(cuts):
        covering = [way for way in covering if sum(way.units) > at]
        while waiting and waiting[-1].units[0] == at:
            covering.append(waiting.pop())
        yield (at, until - at), covering


def _tally(
    units: Units,
    covering: list[_Way],
    tallies: dict[tuple[bytes, bytes], _Tally],
    *,
    root: Lineage,
    refused: frozenset[bytes],
    account_of: AccountOf,
) -> None:
    """Add the claims on one segment, on which every unit has the same history."""
    handed_back = {way.lineage[:-1] for way in covering if way.is_hand_back}
    nodes: dict[Lineage, bytes] = {root: b""}
    for way in sorted((way for way in covering if not way.is_hand_back), key=lambda way: way.payment.id):
        if way.payment.id not in refused:
            nodes.setdefault(way.lineage, way.payment.id)
    for way in covering:
        # A refused payment still carries what its payee handed on or back: those who took it from him keep it.
        goes_on = any(len(other) > len(way.lineage) and other[: len(way.lineage)] == way.lineage for other in nodes)
        if not way.is_hand_back and (goes_on or way.lineage in handed_back):
            nodes.setdefault(way.lineage, way.payment.id)
    keep = _kept(nodes, account_of=account_of)
    for lineage in keep:
        tally = tallies[lineage[-1], nodes[lineage]]
        tally.payer_id = lineage[-2] if len(lineage) > 1 else None
        tally.count += units[1]
        tally.shared += units[1] if len(keep) > 1 else 0
        if lineage in handed_back and len(keep) == 1:
            tally.handed_back.append(units)


def _kept(nodes: Iterable[Lineage], *, account_of: AccountOf) -> list[Lineage]:
    """Return the ends of the tree, less those of accounts that own a double spend above them (if none is left: all)."""
    children: dict[Lineage, int] = defaultdict(int)
    for lineage in nodes:
        children[lineage[:-1]] += 1
    leaves = [lineage for lineage in nodes if lineage not in children]
    honest = [
        leaf
        for leaf in leaves
        if not any(
            children.get(leaf[:length], 0) > 1 and account_of(leaf[length - 1]) == account_of(leaf[-1])
            for length in range(1, len(leaf))
        )
    ]
    return sorted(honest or leaves)
