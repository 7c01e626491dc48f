"""Be paid with no network: show a request, judge the payment, store it, then give the receipt.

The verdict is tikicash's and not ours: the same on every phone and at settlement. What is refused is kept where it may
be worth something: two payments of the same units prove a double spend, and a refund too deep to hold is a claim.

A refund needs no request: it names the payment of mine that it gives back, and my key has signed that.
"""

from dataclasses import dataclass, replace
from sqlite3 import Row
from typing import Any, Final

from tikicash.chain import LIMITS
from tikicash.errors import Rejected
from tikicash.fields import reason as check_reason
from tikicash.messages import (
    Bundle,
    Payment,
    Receipt,
    Refusal,
    Request,
    Signed,
    key_id,
    parse,
    parse_code,
    sign,
    to_code,
)
from tikicash.rules import Acceptance, AcceptContext, accept, accept_claim
from tikiwallet.cli.book_table import read_book, write_book
from tikiwallet.cli.problems import AlreadyAccepted, AlreadyRefused, NotForYou, ProtocolSaidNo, ReasonInvalid
from tikiwallet.cli.trust import my_certificate, read_trust
from tikiwallet.cli.wallet_folder import Wallet

NONCE_BYTES: Final = 8
# A payment refused for one of these reasons is brought to the operator all the same.
KEPT_ALTHOUGH_REFUSED: Final = {"already_held", "spent_twice", "refund_is_claim_only"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MyRequest:
    """A stored request of mine and its code."""

    nonce: str  # hex
    code: str
    amount_minor: int
    asked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A payment of mine that is given back."""

    payment_id: str  # hex
    payee_name: str  # "" if this wallet has no record of it
    amount_minor: int
    made_at: int  # unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An accepted payment, how safe it is, and the code of its receipt. Amounts in minor units, times in seconds."""

    payment_id: str  # hex
    sale: Sale | None  # what it gives back; None: it answers a request
    is_claim_only: bool  # too deep to be paid on: it can only be brought to the operator
    payer_name: str  # "" if the operator certified none
    amount_minor: int
    memo: str
    final_minor: int
    protected_minor: int
    at_risk_minor: int
    spend_by: int
    claim_by: int
    accepted_at: int
    code: str
    receipt_code: str
    shown_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused payment and the code of the signed refusal."""

    payment_id: str  # hex
    amount_minor: int
    reason: str
    refused_at: int
    code: str
    shown_again: bool


def ask(wallet: Wallet, amount_minor: int) -> MyRequest:
    """Sign and store a request; then return it. Problems: `NeverOnline`, those of `Wallet.signing`."""
    trust = read_trust(wallet.store)
    with wallet.signing() as signer:
        request = sign(
            Request(
                net=trust.net,
                currency=trust.currency_number,
                amount=amount_minor,
                nonce=wallet.edge.random_bytes(NONCE_BYTES),
                payee_key=signer.public_key,
                asked_at=wallet.now(),
                name=wallet.store.setting("username") or None,
            ),
            signer,
        )
        certificate, opening = my_certificate(wallet)
        if certificate is not None and certificate.body.valid_until < wallet.now():
            certificate, opening = None, None  # an old certificate would make the payer's phone refuse the request
        bundle = Bundle(
            documents=(request,),
            certificates=(certificate,) if certificate else (),
            openings=(opening,) if opening else (),
        )
        wallet.store.run(
            "add_asked", nonce=request.body.nonce, key_id=key_id(signer.public_key), request=request.to_bytes(),
            code=to_code(bundle), amount_minor=amount_minor, asked_at=request.body.asked_at,
        )  # fmt: skip
    return MyRequest(
        nonce=request.body.nonce.hex(), code=to_code(bundle), amount_minor=amount_minor, asked_at=request.body.asked_at
    )


def judge(wallet: Wallet, bundle: Bundle) -> Received:
    """Return how safe a payment is, having stored nothing: what the payee sees before he takes it.

    Problems: `NeverOnline`, `AlreadyRefused`, `ProtocolSaidNo` with the reason.
    """
    if bundle.documents and (known := find_received(wallet, bundle.documents[-1].short_id)) is not None:
        return known
    acceptance = _accept(wallet, bundle)
    safe = acceptance.how_safe
    return Received(
        payment_id=acceptance.payment.short_id.hex(), sale=_sale(wallet, acceptance.sale),
        is_claim_only=_is_claim_only(acceptance), payer_name=acceptance.payer_name or "",
        amount_minor=acceptance.payment.body.total, memo=acceptance.memo or "", final_minor=safe.final,
        protected_minor=safe.protected, at_risk_minor=safe.at_risk, spend_by=safe.spend_by, claim_by=safe.claim_by,
        accepted_at=0, code=to_code(bundle), receipt_code="", shown_again=False,
    )  # fmt: skip


def take_payment(wallet: Wallet, bundle: Bundle) -> Received:
    """Judge a payment, store it with its receipt, then return both. The same payment again gives the same receipt.

    Problems: those of `judge`, those of `Wallet.signing`.
    """
    if bundle.documents and (known := find_received(wallet, bundle.documents[-1].short_id)) is not None:
        return known
    acceptance = _accept(wallet, bundle)
    with wallet.signing() as signer:
        receipt = sign(Receipt(payment_id=acceptance.payment.short_id, accepted_at=wallet.now()), signer)
        _store(wallet, bundle, acceptance, receipt)
    taken = find_received(wallet, acceptance.payment.short_id)
    assert taken is not None
    return replace(taken, shown_again=False)


def _accept(wallet: Wallet, bundle: Bundle) -> Acceptance:
    if bundle.documents and find_refused(wallet, bundle.documents[-1].short_id) is not None:
        raise AlreadyRefused
    trust, row = read_trust(wallet.store), wallet.key()
    certificate, _ = my_certificate(wallet)
    context = AcceptContext(
        net=trust.net,
        now=wallet.now(),
        newest_signed_time=trust.list_signed_at,
        open_requests=open_requests(wallet),
        issuer_keys=trust.issuer_keys,
        revocations=trust.revocations,
        my_keys=(row["public_key"],) if row else (),
        my_certificate=certificate.body if certificate else None,
        book=read_book(wallet.store),
    )
    try:
        return _judge(bundle, context)
    except Rejected as rejected:
        raise _kept(wallet, bundle, rejected) from rejected


def _judge(bundle: Bundle, context: AcceptContext) -> Acceptance:
    """Accept a payment, or as a claim a refund of mine that went through too many hands. Raises Rejected."""
    try:
        return accept(bundle, context=context)
    except Rejected as rejected:
        if rejected.code != "refund_is_claim_only":
            raise
        too_deep = rejected
    try:
        return accept_claim(bundle, context=context)
    except Rejected as rejected:
        # Not tied to a payment of mine: a refund all the same, and worth something to whoever is its payee.
        raise (too_deep if rejected.code == "no_open_request" else rejected) from rejected


def open_requests(wallet: Wallet) -> tuple[Request, ...]:
    """Return the requests of the key in use that nobody paid yet."""
    found = (parse(item["request"]) for item in wallet.store.run("open_requests"))
    return tuple(item.body for item in found if isinstance(item, Signed) and isinstance(item.body, Request))


def refuse(wallet: Wallet, bundle: Bundle, *, reason: str) -> Refused:
    """Sign and store that nothing is claimed from a payment to me; again gives the same.

    Problems: `NotForYou`, `AlreadyAccepted`, `ReasonInvalid`, `ProtocolSaidNo` (not_a_payment), those of
    `Wallet.signing`.
    """
    payment = bundle.documents[-1] if bundle.documents else None
    if payment is None or not isinstance(payment.body, Payment):
        raise ProtocolSaidNo(Rejected("not_a_payment"))
    if (known := find_refused(wallet, payment.short_id)) is not None:
        return known
    if find_received(wallet, payment.short_id) is not None:
        raise AlreadyAccepted
    row = wallet.key()
    if row is None or payment.body.payee_id != row["key_id"]:
        raise NotForYou
    try:
        check_reason(reason)
    except ValueError as error:
        raise ReasonInvalid from error
    with wallet.signing() as signer:
        refusal = sign(Refusal(payment_id=payment.short_id, reason=reason), signer)
        wallet.store.run(
            "add_payment_refused", payment_id=payment.short_id, amount_minor=payment.body.total, reason=reason,
            refused_at=wallet.now(), code=to_code(refusal),
        )  # fmt: skip
        # The payment goes along: the operator can't void what he has never seen.
        for kind, body in (("bundle", bundle.to_bytes()), ("refusal", refusal.to_bytes())):
            wallet.store.run("add_to_outbox", payment_id=payment.short_id, kind=kind, body=body)
    found = find_refused(wallet, payment.short_id)
    assert found is not None
    return replace(found, shown_again=False)


def find_received(wallet: Wallet, payment_id: bytes) -> Received | None:
    """Return an accepted payment as it was stored, or None."""
    row = wallet.store.row("payment_received", payment_id=payment_id)
    return None if row is None else _received(wallet, row)


def find_refused(wallet: Wallet, payment_id: bytes) -> Refused | None:
    """Return a refused payment as it was stored, or None."""
    row = wallet.store.row("payment_refused", payment_id=payment_id)
    if row is None:
        return None
    return Refused(
        payment_id=payment_id.hex(), amount_minor=row["amount_minor"], reason=row["reason"],
        refused_at=row["refused_at"], code=row["code"], shown_again=True,
    )  # fmt: skip


def _store(wallet: Wallet, bundle: Bundle, acceptance: Acceptance, receipt: Signed[Receipt]) -> None:
    """Write the payment, its chain, the units and the receipt together; the caller's transaction makes them durable."""
    store = wallet.store
    for document in (*acceptance.chain.sources.values(), *acceptance.chain.certificates):
        store.run("add_document", document_id=document.id, body=document.to_bytes(), opening=None)
    write_book(store, acceptance.book)
    store.remember("newest_signed_time", str(max(wallet.newest_signed_time(), acceptance.newest_signed_time)))
    safe, sale = acceptance.how_safe, acceptance.sale
    store.run(
        "add_payment_received", payment_id=acceptance.payment.short_id,
        nonce=acceptance.payment.body.nonce if sale is None else None, refund_of=sale.short_id if sale else None,
        is_claim_only=int(_is_claim_only(acceptance)),
        payer_name=acceptance.payer_name or "", amount_minor=acceptance.payment.body.total,
        memo=acceptance.memo or "", final_minor=safe.final, protected_minor=safe.protected,
        at_risk_minor=safe.at_risk, spend_by=safe.spend_by, claim_by=safe.claim_by,
        accepted_at=receipt.body.accepted_at, code=to_code(bundle), receipt_code=to_code(receipt),
    )  # fmt: skip
    store.run("add_to_outbox", payment_id=acceptance.payment.short_id, kind="bundle", body=bundle.to_bytes())


def _kept(wallet: Wallet, bundle: Bundle, rejected: Rejected) -> ProtocolSaidNo:
    """Keep a refused payment that is evidence or a claim, and return the problem that says so."""
    if rejected.code not in KEPT_ALTHOUGH_REFUSED:
        return ProtocolSaidNo(rejected, headline="REFUSED")
    payment_id = bundle.documents[-1].short_id
    wallet.store.run("add_to_outbox", payment_id=payment_id, kind="bundle", body=bundle.to_bytes())
    kept = f"{rejected.sentence} It is kept, and `tiki sync` brings it to the operator."
    return ProtocolSaidNo(rejected, kept, headline="REFUSED")


def _is_claim_only(acceptance: Acceptance) -> bool:
    return acceptance.chain.depth > LIMITS.depth_max


def _sale(wallet: Wallet, sale: Signed[Payment] | None) -> Sale | None:
    if sale is None:
        return None
    known = wallet.store.row("payment_made", payment_id=sale.short_id)
    return Sale(
        payment_id=sale.short_id.hex(), payee_name=known["payee_name"] if known else "",
        amount_minor=sale.body.total, made_at=sale.body.paid_at,
    )  # fmt: skip


def _received(wallet: Wallet, row: Row) -> Received:
    carried = parse_code(row["code"]) if row["refund_of"] else None
    documents: tuple[Signed[Any], ...] = carried.documents if isinstance(carried, Bundle) else ()
    sale = next((item for item in documents if item.short_id == row["refund_of"]), None)
    return Received(
        payment_id=row["payment_id"].hex(), sale=_sale(wallet, sale), is_claim_only=bool(row["is_claim_only"]),
        payer_name=row["payer_name"], amount_minor=row["amount_minor"],
        memo=row["memo"], final_minor=row["final_minor"], protected_minor=row["protected_minor"],
        at_risk_minor=row["at_risk_minor"], spend_by=row["spend_by"], claim_by=row["claim_by"],
        accepted_at=row["accepted_at"], code=row["code"], receipt_code=row["receipt_code"], shown_again=True,
    )  # fmt: skip
