"""Pay with no network: read a request, reserve units and the signed payment durably, then show the code.

A phone that showed a code and forgot it would sign the same units again and look like a cheat. So everything is on the
disk before it is on the screen, a request is answered once, and showing again shows the same bytes.
"""

from dataclasses import dataclass, replace
from sqlite3 import Row
from typing import Any

from tikicash.book import Book, Holding, hand_on, spendable
from tikicash.chain import Limits, is_payment
from tikicash.coins import choose_pieces
from tikicash.errors import Rejected
from tikicash.fields import MEMO
from tikicash.layout import PIECES_MAX
from tikicash.messages import (
    OPENS_MEMO,
    Bundle,
    Certificate,
    Opening,
    Payment,
    Piece,
    Receipt,
    Refusal,
    Request,
    Signed,
    Voucher,
    commitment,
    key_id,
    parse,
    parse_code,
    sign,
    to_code,
)
from tikicash.rules import LIMITS, check_chain, verify_receipt, verify_refusal, verify_request
from tikiwallet.cli.book_table import read_book, write_book
from tikiwallet.cli.problems import (
    AlreadyAnswered,
    MemoInvalid,
    NothingStored,
    NothingToHandBack,
    PayeeIsYou,
    ProtocolSaidNo,
    RequestReused,
    WalletRestored,
)
from tikiwallet.cli.trust import Trust, my_certificate, read_opening, read_trust
from tikiwallet.cli.wallet_folder import Wallet

START_BYTES = 7  # a random position below 2^56: units are below 2^53
SALT_BYTES = 16
HAND_BACK_REF_BYTES = 24
# A hand-back never goes by QR code, and money at its limits must still be able to go home (docs/api.md).
HAND_BACK_LIMITS = replace(LIMITS, documents_max=24, signatures_max=36, bytes_max=2 * LIMITS.bytes_max)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the payer sees it before saying yes."""

    request: Signed[Request]
    name: str  # what to call the payee
    name_is_verified: bool  # certified by the operator, not only claimed


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
    shown_again: bool


def read_request(wallet: Wallet, bundle: Bundle) -> Asked:
    """Return what a request asks for, verified. Problems: `NeverOnline`, `PayeeIsYou`, `ProtocolSaidNo`."""
    trust = read_trust(wallet.store)
    try:
        asked = verify_request(
            bundle,
            net=trust.net,
            now=wallet.now(),
            newest_signed_time=trust.newest_signed_time,
            issuer_keys=trust.issuer_keys,
            revocations=trust.revocations,
        )
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected) from rejected
    request = asked.request.body
    if request.currency != trust.currency_number:
        raise ProtocolSaidNo(Rejected("wrong_currency"), "This request is in another currency than your wallet's.")
    row = wallet.key()
    if row is not None and request.payee_key == row["public_key"]:
        raise PayeeIsYou
    name = asked.verified_name or request.name or "a phone without a name"
    return Asked(request=asked.request, name=name, name_is_verified=asked.verified_name is not None)


def find_made(wallet: Wallet, asked: Asked) -> Made | None:
    """Return the payment that answered a request already, or None. Problem: `RequestReused`."""
    row = wallet.store.row("payment_for_request", request_id=_request_ref(asked.request.body))
    if row is None:
        return None
    if row["amount_minor"] != asked.request.body.amount:
        raise RequestReused
    return _made(row, shown_again=True)


def pay(wallet: Wallet, asked: Asked, *, memo: str) -> Made:
    """Reserve units, sign and store a payment; then return it. Answers a request once: again gives the same.

    Problems: `ProtocolSaidNo` (not_enough_offline_money, payment_above_limit, too_many_pieces), `MemoInvalid`,
    `RequestReused`, those of `Wallet.signing`.
    """
    if (made := find_made(wallet, asked)) is not None:
        return made
    trust, request = read_trust(wallet.store), asked.request.body
    signer = wallet.signer()  # unlocks or makes the key before the transaction, so that its questions hold nothing up
    book = read_book(wallet.store)
    certificate, _ = my_certificate(wallet)
    try:
        pieces = _choose(wallet, book, request, mine=key_id(signer.public_key), certificate=certificate)
        memo_opening = _memo_opening(wallet, memo)
        with wallet.signing() as signer:
            body = Payment(
                net=trust.net, currency=request.currency, pieces=pieces, total=request.amount,
                payee_id=key_id(request.payee_key), nonce=request.nonce, paid_at=wallet.now(),
                memo_commit=commitment(memo_opening) if memo_opening else None,
            )  # fmt: skip
            signed = sign(body, signer)
            bundle = assemble(wallet, book, signed, mine=key_id(signer.public_key), memo=memo_opening)
            _check_own_work(bundle, trust, limits=LIMITS)
            _store(
                wallet, trust, book, signed, bundle, request_id=_request_ref(request), payee_key=request.payee_key,
                payee_name=asked.name, memo=memo, is_hand_back=False,
            )  # fmt: skip
    except Rejected as rejected:
        raise _explained(wallet, rejected) from rejected
    made = find_made(wallet, asked)
    assert made is not None
    return replace(made, shown_again=False)


def hand_back(wallet: Wallet, amount_minor: int | None) -> list[Made]:
    """Sign offline money back to the operator, all of it or an amount in minor units; it completes at a sync.

    One payment for each voucher or payment that the units came by, deepest first, since that money is the first to
    grow too old to be passed on. Problems: `NeverOnline`, `NothingToHandBack`, `ProtocolSaidNo`
    (not_enough_offline_money, certificate_missing), those of `Wallet.signing`.
    """
    trust = read_trust(wallet.store)
    mine = key_id(wallet.signer().public_key)
    holdings = sorted(
        (item for item in read_book(wallet.store).holdings if item.owner_id == mine),
        key=lambda item: (-item.depth, item.spend_by, item.parent_id, item.first),
    )
    held_minor = sum(item.count for item in holdings)
    if held_minor == 0:
        raise NothingToHandBack
    if holdings[0].depth > 0 and my_certificate(wallet)[0] is None:
        raise ProtocolSaidNo(
            Rejected("certificate_missing"), "This phone isn't registered yet. Run `tiki sync`, then hand back."
        )
    wanted_minor = held_minor if amount_minor is None else amount_minor
    if wanted_minor > held_minor:
        raise ProtocolSaidNo(Rejected("not_enough_offline_money"))
    made = []
    with wallet.signing() as signer:
        for pieces in _pieces_to_hand_back(holdings, wanted_minor):
            book = read_book(wallet.store)
            body = Payment(
                net=trust.net, currency=trust.currency_number, pieces=pieces, total=sum(item.count for item in pieces),
                payee_id=key_id(trust.operator_key), nonce=wallet.edge.random_bytes(8), paid_at=wallet.now(),
                memo_commit=None,
            )  # fmt: skip
            signed = sign(body, signer)
            bundle = assemble(wallet, book, signed, mine=mine, memo=None)
            _check_own_work(bundle, trust, limits=HAND_BACK_LIMITS)
            _store(
                wallet, trust, book, signed, bundle, request_id=wallet.edge.random_bytes(HAND_BACK_REF_BYTES),
                payee_key=trust.operator_key, payee_name="", memo="", is_hand_back=True,
            )  # fmt: skip
            made.append(signed.short_id)
    return [stored_payment(wallet, payment_id) for payment_id in made]


def take_answer(wallet: Wallet, answer: Signed[Receipt] | Signed[Refusal], *, code: str) -> Made:
    """Store the payee's receipt or refusal of a payment of mine, verified; the same answer again changes nothing.

    Problems: `NothingStored`, `AlreadyAnswered`, `ProtocolSaidNo`.
    """
    made = stored_payment(wallet, answer.body.payment_id)
    row = wallet.store.row("payment_made", payment_id=answer.body.payment_id)
    bundle = parse_code(made.code)
    assert row is not None
    assert isinstance(bundle, Bundle)
    payment = bundle.documents[-1]
    assert is_payment(payment)
    said = "received" if isinstance(answer.body, Receipt) else "refused"
    try:
        if isinstance(answer.body, Receipt):
            verify_receipt(answer, payment=payment, payee_key=row["payee_key"])
        else:
            verify_refusal(answer, payment=payment, payee_key=row["payee_key"])
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected) from rejected
    if made.answer == said:
        return stored_payment(wallet, answer.body.payment_id)
    if made.answer not in {"", "not_taken"}:
        raise AlreadyAnswered
    with wallet.store.transaction():
        wallet.store.run(
            "add_payment_answer", payment_id=payment.short_id, answer=said, code=code, learned_at=wallet.now()
        )
        if said == "refused":
            body = answer.to_bytes()
            wallet.store.run("add_to_outbox", payment_id=payment.short_id, kind="refusal", body=body)
    return stored_payment(wallet, payment.short_id)


def say_not_taken(wallet: Wallet, payment_id: bytes) -> Made:
    """Note that a payment's code was never scanned: it isn't brought to the operator, and its units come home later.

    Problems: `NothingStored`, `AlreadyAnswered`.
    """
    made = stored_payment(wallet, payment_id)
    if made.answer not in {"", "not_taken"}:
        raise AlreadyAnswered
    if not made.answer:
        wallet.store.run(
            "add_payment_answer", payment_id=payment_id, answer="not_taken", code="", learned_at=wallet.now()
        )
    return stored_payment(wallet, payment_id)


def stored_payment(wallet: Wallet, payment_id: bytes) -> Made:
    """Return a payment of mine as it was stored. Problem: `NothingStored`."""
    row = wallet.store.row("payment_made", payment_id=payment_id)
    if row is None:
        raise NothingStored
    return _made(row, shown_again=True)


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


def _choose(
    wallet: Wallet, book: Book, request: Request, *, mine: bytes, certificate: Signed[Certificate] | None
) -> tuple[Piece, ...]:
    in_date = certificate is not None and certificate.body.valid_until >= wallet.now()
    may_hand_on = certificate is not None and in_date and certificate.body.may_hand_on
    usable = spendable(
        book, owner_id=mine, payee_id=key_id(request.payee_key), now=wallet.now(), may_hand_on=may_hand_on
    )
    start = int.from_bytes(wallet.edge.random_bytes(START_BYTES), "big")
    return choose_pieces(usable, request.amount, start=start)


def _memo_opening(wallet: Wallet, memo: str) -> Opening | None:
    if not memo:
        return None
    try:
        MEMO(memo)  # the payment only holds its commitment, so nobody but us would notice before the payee
    except ValueError as error:
        raise MemoInvalid from error
    return Opening(opens=OPENS_MEMO, salt=wallet.edge.random_bytes(SALT_BYTES), text=memo)


def _pieces_to_hand_back(holdings: list[Holding], wanted_minor: int) -> list[tuple[Piece, ...]]:
    """Return the pieces of each hand-back: units of one parent together, at most 16 pieces each."""
    groups: dict[tuple[bytes, int], list[Piece]] = {}
    for item in holdings:
        count = min(item.count, wanted_minor)
        if count == 0:
            break
        wanted_minor -= count
        number = sum(len(pieces) for (parent, _), pieces in groups.items() if parent == item.parent_id) // PIECES_MAX
        piece = Piece(parent_id=item.parent_id, first=item.first, count=count)
        groups.setdefault((item.parent_id, number), []).append(piece)
    return [tuple(pieces) for pieces in groups.values()]


def _store(
    wallet: Wallet, trust: Trust, book: Book, payment: Signed[Payment], bundle: Bundle, *, request_id: bytes,
    payee_key: bytes, payee_name: str, memo: str, is_hand_back: bool,
) -> None:  # fmt: skip
    """Write units, document and payment together; the caller's transaction makes them durable at once."""
    claim_by = min(_holding_of(book, piece).terms.claim_by for piece in payment.body.pieces)
    write_book(wallet.store, hand_on(book, payment, operator=trust.operator))
    wallet.store.run(
        "add_payment_made", payment_id=payment.short_id, request_id=request_id, payee_key=payee_key,
        payee_name=payee_name, amount_minor=payment.body.total, memo=memo, made_at=payment.body.paid_at,
        claim_by=claim_by, is_hand_back=int(is_hand_back), code=to_code(bundle), refund_of=None,
    )  # fmt: skip
    wallet.store.run("add_to_outbox", payment_id=payment.short_id, kind="bundle", body=bundle.to_bytes())


def _check_own_work(bundle: Bundle, trust: Trust, *, limits: Limits) -> None:
    """Judge a payment as the operator will, before it is shown: a mistake of ours must not cost anybody money."""
    try:
        read_back = parse(bundle.to_bytes())
        assert isinstance(read_back, Bundle)
        check_chain(read_back, net=trust.net, issuer_keys=trust.issuer_keys, limits=limits)
    except Rejected as rejected:
        raise AssertionError(f"made a payment that nobody takes: {rejected}") from rejected


def _explained(wallet: Wallet, rejected: Rejected) -> Exception:
    """Return why nothing was paid: a freshly retired key says more than an empty wallet."""
    restored = next((notice for notice in wallet.notices if isinstance(notice, WalletRestored)), None)
    if rejected.code == "not_enough_offline_money" and restored is not None:
        wallet.notices.remove(restored)
        return restored
    return ProtocolSaidNo(rejected)


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


def _request_ref(request: Request) -> bytes:
    """Return what answers a request once: the payee and the nonce that he drew."""
    return key_id(request.payee_key) + request.nonce


def _made(row: Row, *, shown_again: bool) -> Made:
    return Made(
        payment_id=row["payment_id"].hex(),
        code=row["code"],
        payee_name=row["payee_name"],
        amount_minor=row["amount_minor"],
        memo=row["memo"],
        made_at=row["made_at"],
        claim_by=row["claim_by"],
        answer=row["answer"] or "",
        shown_again=shown_again,
    )
