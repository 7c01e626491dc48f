"""From a payment back to its vouchers: the checks that a payee and the settlement share.

A payment is as good as the chain of documents below it. The payee judges it with no network (rules.py), the operator
judges it days later (check_chain). If the two judged differently, an honest payee could hold money that is never paid,
so the steps are here, once, and both call them. Order and codes: protocol/spec/03-payments.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeGuard

from tikicash import units
from tikicash.errors import Rejected
from tikicash.fields import NONCE_BYTES
from tikicash.messages import (
    OPENS_NAME,
    Bundle,
    Certificate,
    IssuerKey,
    Message,
    Opening,
    Payment,
    Piece,
    Signed,
    Voucher,
    commitment,
    key_id,
)

Source: TypeAlias = Signed[Voucher] | Signed[Payment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a bundle may be. Enforced before any signature is verified, so that no code keeps a phone busy."""

    documents_max: int = 12
    signatures_max: int = 16  # of documents and certificates
    bytes_max: int = 2048
    depth_max: int = 3  # hands; a hand-back to the operator is not a hand


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The way of one piece: the voucher that its units are of, and the payments since, the last one included."""

    units: units.Units
    voucher: Signed[Voucher]
    payments: tuple[Signed[Payment], ...]

    @property
    def lineage(self) -> tuple[bytes, ...]:
        """The key ids through which the units went: the voucher's key, then every payee."""
        return (key_id(self.voucher.body.key), *(payment.body.payee_id for payment in self.payments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A payment with everything below it, in the order of the bundle."""

    payment: Signed[Payment]
    sources: Mapping[bytes, Source]  # vouchers and payments by their 16-byte ids, parents first
    vouchers: tuple[Signed[Voucher], ...]
    payments: tuple[Signed[Payment], ...]  # parents first; the last one is the payment itself
    certificates: tuple[Signed[Certificate], ...]
    payer_id: bytes  # key id of the owner of the first piece
    depth: int  # the most hands that a unit of the payment went through

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The way of each piece of the payment. Only for a chain whose pieces have been checked."""
        return traces(self.payment, self.sources)


def is_voucher(document: Signed[Any]) -> TypeGuard[Signed[Voucher]]:
    """Tell whether a document is a voucher."""
    return isinstance(document.body, Voucher)


def is_payment(document: Signed[Any]) -> TypeGuard[Signed[Payment]]:
    """Tell whether a document is a payment."""
    return isinstance(document.body, Payment)


def owner_id(source: Source) -> bytes:
    """Return the key id of whoever owns what a voucher or a payment brings."""
    return key_id(source.body.key) if isinstance(source.body, Voucher) else source.body.payee_id


def operator_ids(issuer_keys: Iterable[IssuerKey]) -> frozenset[bytes]:
    """Return the key ids of the operator: a payment to one of them is a hand-back."""
    return frozenset(key_id(item.key) for item in issuer_keys)


def enclosing(source: Source, piece: Piece) -> Piece | None:
    """Return the piece of a payment that a child's piece lies in (for a voucher: that itself), or None if outside."""
    body, inner = source.body, (piece.first, piece.count)
    if isinstance(body, Voucher):
        return piece if units.contains((body.first, body.count), inner) else None
    for candidate in body.pieces:
        if units.contains((candidate.first, candidate.count), inner):
            return candidate
    return None


def trace(piece: Piece, sources: Mapping[bytes, Source]) -> tuple[Signed[Voucher], tuple[Signed[Payment], ...]]:
    """Return the voucher that a piece is of, and the payments between, root first.

    A piece lies inside one piece of its parent, so the way back is a line. Raises Rejected("piece_outside_parent").
    """
    way: list[Signed[Payment]] = []
    at = piece
    while True:
        source = sources[at.parent_id]
        found = enclosing(source, at)
        if found is None:
            raise Rejected("piece_outside_parent")
        if is_voucher(source):
            return source, tuple(reversed(way))
        assert is_payment(source)
        way.append(source)
        at = found


def traces(payment: Signed[Payment], sources: Mapping[bytes, Source]) -> tuple[Trace, ...]:
    """Return the way of each piece of a payment. Raises Rejected("piece_outside_parent")."""
    ways = []
    for piece in payment.body.pieces:
        voucher, between = trace(piece, sources)
        ways.append(Trace(units=(piece.first, piece.count), voucher=voucher, payments=(*between, payment)))
    return tuple(ways)


def as_bundle(message: Message, code: str) -> Bundle:
    """Return a scanned message that is a bundle, or raise Rejected with the code that the caller has for others."""
    if not isinstance(message, Bundle):
        raise Rejected(code)
    return message


def read_chain(bundle: Bundle, *, limits: Limits, operator: frozenset[bytes]) -> Chain:
    """Return the chain that a bundle holds, having verified no signature: limits, then shape.

    Raises Rejected, in this order: too_many_documents, too_many_signatures, bundle_too_large, not_a_payment,
    document_repeated, parent_missing, unrelated_document, opening_matches_nothing, too_many_hands.
    """
    check_size(bundle, limits)
    if not bundle.documents or not is_payment(bundle.documents[-1]):
        raise Rejected("not_a_payment")
    sources = read_sources(bundle.documents, bundle.certificates)
    payment = bundle.documents[-1]
    check_related((payment,), sources, bundle.certificates)
    check_openings(payment, sources, bundle)
    return Chain(
        payment=payment,
        sources=sources,
        vouchers=tuple(item for item in sources.values() if is_voucher(item)),
        payments=tuple(item for item in sources.values() if is_payment(item)),
        certificates=bundle.certificates,
        payer_id=payer_id(payment, sources),
        depth=check_depth(sources, limits, operator),
    )


def check_size(bundle: Bundle, limits: Limits) -> None:
    """Raise Rejected (too_many_documents, too_many_signatures, bundle_too_large) for a bundle above the limits."""
    check_counts(len(bundle.documents), len(bundle.certificates), limits)
    check_bytes(bundle.size, limits)


def check_counts(documents: int, others: int, limits: Limits) -> None:
    """Raise Rejected (too_many_documents, too_many_signatures) for too many signed things."""
    if documents > limits.documents_max:
        raise Rejected("too_many_documents", str(documents))
    if documents + others > limits.signatures_max:
        raise Rejected("too_many_signatures", str(documents + others))


def check_bytes(size: int, limits: Limits) -> None:
    """Raise Rejected("bundle_too_large") for more bytes than the limit."""
    if size > limits.bytes_max:
        raise Rejected("bundle_too_large", f"{size} bytes")


def read_sources(
    documents: Iterable[Signed[Any]], certificates: tuple[Signed[Certificate], ...]
) -> dict[bytes, Source]:
    """Return vouchers and payments by their 16-byte ids, each once, parents first.

    Raises Rejected: document_repeated, unrelated_document (a request), parent_missing.
    """
    if len({item.id for item in certificates}) < len(certificates):
        raise Rejected("document_repeated", "certificate")
    sources: dict[bytes, Source] = {}
    for item in documents:
        if item.short_id in sources:
            raise Rejected("document_repeated", item.short_id.hex())
        if is_payment(item):
            for piece in item.body.pieces:
                if piece.parent_id not in sources:
                    raise Rejected("parent_missing", piece.parent_id.hex())
        elif not is_voucher(item):
            raise Rejected("unrelated_document", "a request")
        sources[item.short_id] = item
    return sources


def payer_id(payment: Signed[Payment], sources: Mapping[bytes, Source]) -> bytes:
    """Return the key id that has to have signed a payment: the owner of its first piece."""
    return owner_id(sources[payment.body.pieces[0].parent_id])


def check_related(
    payments: Iterable[Signed[Payment]], sources: Mapping[bytes, Source], certificates: Iterable[Signed[Certificate]]
) -> None:
    """Raise Rejected("unrelated_document") unless everything is below the payments or certifies a payer in them."""
    related = {payment.short_id for payment in payments}
    payers = set()
    for source in reversed(tuple(sources.values())):
        if source.short_id not in related:
            raise Rejected("unrelated_document", source.short_id.hex())
        if is_payment(source):
            related.update(piece.parent_id for piece in source.body.pieces)
            payers.add(payer_id(source, sources))
    for certificate in certificates:
        if key_id(certificate.body.key) not in payers:
            raise Rejected("unrelated_document", "certificate")


def name_commits(
    payer: bytes, sources: Mapping[bytes, Source], certificates: Iterable[Signed[Certificate]]
) -> frozenset[bytes | None]:
    """Return the name commitments that the operator signed for a key, null among them if one has none."""
    issued: list[Signed[Voucher] | Signed[Certificate]] = [item for item in sources.values() if is_voucher(item)]
    issued.extend(certificates)
    return frozenset(item.body.name_commit for item in issued if key_id(item.body.key) == payer)


def check_openings(payment: Signed[Payment], sources: Mapping[bytes, Source], bundle: Bundle) -> None:
    """Raise Rejected("opening_matches_nothing") for an opening of anything but the payer's name or the memo."""
    names = name_commits(payer_id(payment, sources), sources, bundle.certificates)
    for opening in bundle.openings:
        hidden = names if opening.opens == OPENS_NAME else {payment.body.memo_commit}
        if commitment(opening) not in hidden:
            raise Rejected("opening_matches_nothing")


def opened(openings: Iterable[Opening], opens: int) -> str | None:
    """Return the text that an opening of a kind shows (the first, if several do), or None."""
    return next((opening.text for opening in openings if opening.opens == opens), None)


def check_depth(sources: Mapping[bytes, Source], limits: Limits, operator: frozenset[bytes]) -> int:
    """Return through how many hands the units of the last payment went, at most: 1 straight from a voucher.

    A hand-back does not count, so that money at the last depth can still be handed back. One hand more is let through
    if it is a refund to the signer of its parents. Raises Rejected("too_many_hands").
    """
    depths: dict[bytes, int] = {}
    depth = 0
    for source in sources.values():
        depth = 0
        if is_payment(source):
            handed_on = source.body.payee_id not in operator
            depth = max(depths[piece.parent_id] for piece in source.body.pieces) + handed_on
            refund = depth == limits.depth_max + 1 and is_refund(source, sources)
            if handed_on and depth > limits.depth_max and not refund:
                raise Rejected("too_many_hands", str(depth))
        depths[source.short_id] = depth
    return depth


def is_refund(payment: Signed[Payment], sources: Mapping[bytes, Source]) -> bool:
    """Tell whether a payment goes back to whoever signed every one of its parents."""
    parents = [sources[piece.parent_id] for piece in payment.body.pieces]
    return all(is_payment(parent) and payer_id(parent, sources) == payment.body.payee_id for parent in parents)


def sale_nonce(sale: Signed[Payment]) -> bytes:
    """Return the nonce of every refund of a sale: the first 8 bytes of the sale's identity."""
    return sale.id[:NONCE_BYTES]


def refunded_sale(payment: Signed[Payment], sources: Mapping[bytes, Source]) -> Signed[Payment] | None:
    """Return the payment that another gives back, all or part of it, or None if it gives none back.

    A refund of a sale has pieces of the sale alone, goes to whoever paid it, and bears its nonce.
    """
    parents = {piece.parent_id for piece in payment.body.pieces}
    sale = sources[payment.body.pieces[0].parent_id]
    if len(parents) > 1 or not is_payment(sale):
        return None
    is_tied = payment.body.payee_id == payer_id(sale, sources) and payment.body.nonce == sale_nonce(sale)
    return sale if is_tied else None


def gather(
    payments: Iterable[Signed[Payment]],
    documents: Iterable[Signed[Any]],
    certificates: Iterable[Signed[Certificate]],
) -> tuple[tuple[Source, ...], tuple[Signed[Certificate], ...]]:
    """Return what payments need to be judged: everything below them, parents first, and their payers' certificates.

    Of several certificates of one key, takes the newest that may hand on. Raises Rejected("parent_missing").
    """
    pool = {item.short_id: item for item in documents if is_voucher(item) or is_payment(item)}
    sources: dict[bytes, Source] = {}
    payers = set()

    def add(short_id: bytes) -> None:
        if short_id in sources:
            return
        source = pool.get(short_id)
        if source is None:
            raise Rejected("parent_missing", short_id.hex())
        if is_payment(source):
            for piece in source.body.pieces:
                add(piece.parent_id)
            if any(is_payment(sources[piece.parent_id]) for piece in source.body.pieces):
                payers.add(payer_id(source, sources))
        sources[short_id] = source

    for payment in payments:
        pool[payment.short_id] = payment
        add(payment.short_id)
    best: dict[bytes, Signed[Certificate]] = {}
    for item in sorted(certificates, key=lambda item: (item.body.may_hand_on, item.body.issued_at, item.id)):
        best[key_id(item.body.key)] = item
    return tuple(sources.values()), tuple(best[payer] for payer in sorted(payers) if payer in best)
