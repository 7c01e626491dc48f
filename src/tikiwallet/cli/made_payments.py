"""A payment of mine: signed, stored whole, and read again.

Whatever it is for (a request, a refund, money on its way home), it becomes durable in one way: units, document and
payment in one transaction, judged as the operator will judge it, before anybody sees its code.
"""

from dataclasses import dataclass
from sqlite3 import Row
from typing import Any

from tikicash.book import Book, Holding, hand_on
from tikicash.chain import Limits
from tikicash.cose import Signer
from tikicash.errors import Rejected
from tikicash.messages import (
    Bundle,
    Certificate,
    Opening,
    Payment,
    Piece,
    Signed,
    Voucher,
    commitment,
    key_id,
    parse,
    sign,
    to_code,
)
from tikicash.rules import LIMITS, check_chain
from tikiwallet.cli.book_table import read_book, write_book
from tikiwallet.cli.problems import NothingStored, ProtocolSaidNo, WalletRestored
from tikiwallet.cli.trust import Trust, my_certificate, read_opening, read_trust
from tikiwallet.cli.wallet_folder import Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A stored payment and its code."""

    payment_id: str  # hex
    code: str
    payee_name: str
    amount_minor: int
    memo: str
    made_at: int
    claim_by: int
    answer: str  # "", "received", "refused" or "not_taken"
    refund_of: str  # the id of the payment that this one gives back, or ""
    shown_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to sign: which units, to whom, and what it answers."""

    pieces: tuple[Piece, ...]
    currency: int  # ISO 4217 numeric
    payee_key: bytes
    payee_name: str
    nonce: bytes
    request_id: bytes  # what is answered once, as the store knows it
    memo: Opening | None = None
    is_hand_back: bool = False
    refund_of: bytes | None = None  # the 16 bytes of the sale


def make_payment(wallet: Wallet, signer: Signer, order: Order, *, limits: Limits = LIMITS) -> Signed[Payment]:
    """Sign a payment and write units, document and payment together; the caller's `signing` makes them durable.

    Raises Rejected("not_enough_offline_money") for a piece that isn't held.
    """
    trust, book = read_trust(wallet.store), read_book(wallet.store)
    body = Payment(
        net=trust.net, currency=order.currency, pieces=order.pieces, total=sum(item.count for item in order.pieces),
        payee_id=key_id(order.payee_key), nonce=order.nonce, paid_at=wallet.now(),
        memo_commit=commitment(order.memo) if order.memo else None,
    )  # fmt: skip
    payment = sign(body, signer)
    bundle = assemble(wallet, book, payment, mine=key_id(signer.public_key), memo=order.memo)
    _check_own_work(bundle, trust, limits=limits)
    write_book(wallet.store, hand_on(book, payment, operator=trust.operator))
    wallet.store.run(
        "add_payment_made", payment_id=payment.short_id, request_id=order.request_id, payee_key=order.payee_key,
        payee_name=order.payee_name, amount_minor=body.total, memo=order.memo.text if order.memo else "",
        made_at=body.paid_at, claim_by=min(_holding_of(book, piece).terms.claim_by for piece in order.pieces),
        is_hand_back=int(order.is_hand_back), refund_of=order.refund_of, code=to_code(bundle),
    )  # fmt: skip
    wallet.store.run("add_to_outbox", payment_id=payment.short_id, kind="bundle", body=bundle.to_bytes())
    return payment


def stored_payment(wallet: Wallet, payment_id: bytes) -> Made:
    """Return a payment of mine as it was stored. Problem: `NothingStored`."""
    row = wallet.store.row("payment_made", payment_id=payment_id)
    if row is None:
        raise NothingStored
    return made(row, shown_again=True)


def explained(wallet: Wallet, rejected: Rejected) -> Exception:
    """Return why nothing was paid: a freshly retired key says more than an empty wallet."""
    restored = next((notice for notice in wallet.notices if isinstance(notice, WalletRestored)), None)
    if rejected.code == "not_enough_offline_money" and restored is not None:
        wallet.notices.remove(restored)
        return restored
    return ProtocolSaidNo(rejected)


def assemble(wallet: Wallet, book: Book, payment: Signed[Payment], *, mine: bytes, memo: Opening | None) -> Bundle:
    """Return what the payment's code carries: ancestors (parents first), certificates, the payment, openings."""
    documents: dict[bytes, Signed[Voucher] | Signed[Payment]] = {}
    certificates: dict[bytes, Signed[Certificate]] = {}
    openings: list[Opening] = []
    received = False
    for piece in payment.body.pieces:
        holding = _holding_of(book, piece)
        received = received or holding.depth > 0
        for ancestor in holding.ancestors:
            document, opening = _document(wallet, ancestor.id)
            if ancestor.is_certificate:
                certificates[document.id] = document
                continue
            documents[document.id] = document
            if isinstance(document.body, Voucher) and key_id(document.body.key) == mine and opening:
                openings.append(opening)
    if received:
        certificate, opening = my_certificate(wallet)
        if certificate is not None:
            certificates[certificate.id] = certificate
            openings.extend([opening] if opening else [])
    return Bundle(
        documents=(*documents.values(), payment),
        certificates=tuple(certificates.values()),
        openings=(*openings[:1], *([memo] if memo else [])),
    )


def _check_own_work(bundle: Bundle, trust: Trust, *, limits: Limits) -> None:
    """Judge a payment as the operator will, before it is shown: a mistake of ours must not cost anybody money."""
    try:
        read_back = parse(bundle.to_bytes())
        assert isinstance(read_back, Bundle)
        check_chain(read_back, net=trust.net, issuer_keys=trust.issuer_keys, limits=limits)
    except Rejected as rejected:
        raise AssertionError(f"made a payment that nobody takes: {rejected}") from rejected


def _holding_of(book: Book, piece: Piece) -> Holding:
    return next(
        item
        for item in book.holdings
        if item.parent_id == piece.parent_id
        and item.first <= piece.first
        and piece.first + piece.count <= item.first + item.count
    )


def _document(wallet: Wallet, document_id: bytes) -> tuple[Any, Opening | None]:
    row = wallet.store.row("document", document_id=document_id)
    assert row is not None, document_id.hex()
    return parse(row["body"]), read_opening(row["opening"])


def made(row: Row, *, shown_again: bool) -> Made:
    """Return a row of `payment_made` as it is shown."""
    return Made(
        payment_id=row["payment_id"].hex(),
        code=row["code"],
        payee_name=row["payee_name"],
        amount_minor=row["amount_minor"],
        memo=row["memo"],
        made_at=row["made_at"],
        claim_by=row["claim_by"],
        answer=row["answer"] or "",
        refund_of=row["refund_of"].hex() if row["refund_of"] else "",
        shown_again=shown_again,
    )
