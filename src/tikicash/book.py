"""The book of units of a phone: what it holds, what it handed on, and by which payment.

The book is what keeps an honest phone from spending twice and from accepting a unit twice, so it is kept until
the last date on which a unit can still be claimed. It is immutable: each step returns a new book, and the caller
stores it durably before showing a code. Rules: protocol/spec/03-payments.md, "my book".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tikicash import units
from tikicash.chain import LIMITS, Chain, Trace
from tikicash.errors import Rejected
from tikicash.messages import Payment, Signed, Voucher, key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a voucher says about its units."""

    voucher_id: bytes  # 32 bytes
    cover: int
    payment_max: int
    claim_by: int
    audience_id: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """A document that has to travel with a holding when it is handed on."""

    id: bytes  # 32 bytes
    size: int  # bytes inside a bundle
    is_certificate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Units that one of my keys owns and has not signed away."""

    owner_id: bytes
    parent_id: bytes  # 16 bytes: the voucher or payment that a piece of it will name
    first: int
    count: int
    depth: int  # 0 for my own voucher
    spend_by: int  # the earliest date of the chain
    terms: Terms
    ancestors: tuple[Ancestor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOn:
    """Units that one of my keys signed away, and the last payment that did it."""

    owner_id: bytes
    payment_id: bytes  # 16 bytes
    first: int
    count: int
    depth: int  # of the holding that they came from
    to_operator: bool
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A payment that was accepted, so that it is recognised when it is shown again."""

    payment_id: bytes  # 16 bytes
    claim_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one of my keys can claim of a voucher at its close: units received and still held, or handed back."""

    terms: Terms
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything a phone knows about the units it ever had."""

    holdings: tuple[Holding, ...] = ()
    handed_on: tuple[HandedOn, ...] = ()
    accepted: tuple[Accepted, ...] = ()


def terms_of(voucher: Signed[Voucher]) -> Terms:
    """Return what a voucher says about its units."""
    body = voucher.body
    return Terms(
        voucher_id=voucher.id,
        cover=body.cover,
        payment_max=body.payment_max,
        claim_by=body.claim_by,
        audience_id=None if body.audience_key is None else key_id(body.audience_key),
    )


def load(book: Book, voucher: Signed[Voucher]) -> Book:
    """Return the book with a fresh voucher of my own; a voucher that it knows already changes nothing."""
    entries: tuple[Holding | HandedOn, ...] = (*book.holdings, *book.handed_on)
    if any(entry.terms.voucher_id == voucher.id for entry in entries):
        return book
    holding = Holding(
        owner_id=key_id(voucher.body.key),
        parent_id=voucher.short_id,
        first=voucher.body.first,
        count=voucher.body.count,
        depth=0,
        spend_by=voucher.body.spend_by,
        terms=terms_of(voucher),
        ancestors=(Ancestor(id=voucher.id, size=voucher.size, is_certificate=False),),
    )
    return replace(book, holdings=(*book.holdings, holding))


def check_new(book: Book, ways: Iterable[Trace]) -> None:
    """Check units about to be received against every unit that I ever had.

    Raises Rejected: already_held (I hold it now), spent_twice (I handed it on, and the chain does not contain my last
    payment of it). After either, keep both chains: together they may be a proof (settlement.make_proof).
    """
    ways = tuple(ways)
    for way in ways:
        for holding in book.holdings:
            if _meets(holding, way):
                raise Rejected("already_held", way.payments[-1].short_id.hex())
    for way in ways:
        contained = {payment.short_id for payment in way.payments}
        for entry in book.handed_on:
            if _meets(entry, way) and entry.payment_id not in contained:
                raise Rejected("spent_twice", entry.payment_id.hex())


def new_holdings(chain: Chain, *, spend_by: int) -> tuple[Holding, ...]:
    """Return what an accepted payment brings its payee, piece by piece."""
    documents = [Ancestor(id=item.id, size=item.size, is_certificate=False) for item in chain.sources.values()]
    certificates = [Ancestor(id=item.id, size=item.size, is_certificate=True) for item in chain.certificates]
    return tuple(
        Holding(
            owner_id=chain.payment.body.payee_id,
            parent_id=chain.payment.short_id,
            first=way.units[0],
            count=way.units[1],
            depth=chain.depth,
            spend_by=spend_by,
            terms=terms_of(way.voucher),
            ancestors=(*documents, *certificates),
        )
        for way in chain.traces
    )


def receive(book: Book, holdings: tuple[Holding, ...]) -> Book:
    """Return the book with the holdings of one accepted payment; units that came back are no longer handed on."""
    handed_on = book.handed_on
    for holding in holdings:
        handed_on = tuple(left for entry in handed_on for left in _without(entry, holding))
    claim_by = max(holding.terms.claim_by for holding in holdings)
    accepted = Accepted(payment_id=holdings[0].parent_id, claim_by=claim_by)
    return Book(holdings=(*book.holdings, *holdings), handed_on=handed_on, accepted=(*book.accepted, accepted))


def hand_on(book: Book, payment: Signed[Payment], *, operator: frozenset[bytes]) -> Book:
    """Return the book after signing a payment of mine. Store it before the code is shown.

    Raises Rejected("not_enough_offline_money") for a piece that is not held: it must not be shown to anybody.
    """
    holdings = book.holdings
    handed_on = list(book.handed_on)
    for piece in payment.body.pieces:
        source = next((item for item in holdings if _holds(item, piece.parent_id, (piece.first, piece.count))), None)
        if source is None:
            raise Rejected("not_enough_offline_money", piece.parent_id.hex())
        handed_on.append(
            HandedOn(
                owner_id=source.owner_id,
                payment_id=payment.short_id,
                first=piece.first,
                count=piece.count,
                depth=source.depth,
                to_operator=payment.body.payee_id in operator,
                terms=source.terms,
            )
        )
        left = [
            replace(source, first=first, count=count)
            for first, count in units.subtract((source.first, source.count), (piece.first, piece.count))
        ]
        holdings = (*(item for item in holdings if item is not source), *left)
    return replace(book, holdings=holdings, handed_on=tuple(handed_on))


def spendable(book: Book, *, owner_id: bytes, payee_id: bytes, now: int, may_hand_on: bool) -> tuple[Holding, ...]:
    """Return the holdings that a key may pay a payee with, at a time in unix seconds.

    Leaves out what is too old, locked to another, at the last depth, or received by a key that may not hand on.
    """
    return tuple(
        item
        for item in book.holdings
        if item.owner_id == owner_id
        and item.spend_by >= now
        and item.terms.audience_id in (None, payee_id)
        and item.depth < LIMITS.depth_max
        and (item.depth == 0 or may_hand_on)
    )


def claims(book: Book, *, owner_id: bytes) -> tuple[Claim, ...]:
    """Return what a key can claim: units received and still held, or handed back; never units of its own vouchers."""
    entries: tuple[Holding | HandedOn, ...] = (*book.holdings, *(item for item in book.handed_on if item.to_operator))
    return tuple(
        Claim(terms=entry.terms, count=entry.count)
        for entry in entries
        if entry.owner_id == owner_id and entry.depth > 0
    )


def forget_closed(book: Book, *, now: int) -> Book:
    """Return the book without what can no longer be claimed, at a time in unix seconds."""
    return Book(
        holdings=tuple(item for item in book.holdings if item.terms.claim_by >= now),
        handed_on=tuple(item for item in book.handed_on if item.terms.claim_by >= now),
        accepted=tuple(item for item in book.accepted if item.claim_by >= now),
    )


def _meets(entry: Holding | HandedOn, way: Trace) -> bool:
    same_voucher = entry.terms.voucher_id == way.voucher.id
    return same_voucher and units.overlap((entry.first, entry.count), way.units) is not None


def _holds(holding: Holding, parent_id: bytes, wanted: units.Units) -> bool:
    return holding.parent_id == parent_id and units.contains((holding.first, holding.count), wanted)


def _without(entry: HandedOn, holding: Holding) -> tuple[HandedOn, ...]:
    if entry.terms.voucher_id != holding.terms.voucher_id:
        return (entry,)
    left = units.subtract((entry.first, entry.count), (holding.first, holding.count))
    return tuple(replace(entry, first=first, count=count) for first, count in left)
