"""Pay with no network: read a request, reserve units and the signed payment durably, then show the code.

A phone that showed a code and forgot it would sign the same units again and look like a cheat. So everything is on the
disk before it is on the screen, a request is answered once, and showing again shows the same bytes.
"""

from dataclasses import dataclass, replace

from tikicash.book import Book, Holding, spendable
from tikicash.chain import is_payment
from tikicash.coins import choose_pieces
from tikicash.errors import Rejected
from tikicash.fields import MEMO, NONCE_BYTES
from tikicash.layout import PIECES_MAX
from tikicash.messages import (
    OPENS_MEMO,
    Bundle,
    Certificate,
    Opening,
    Piece,
    Receipt,
    Refusal,
    Request,
    Signed,
    key_id,
    parse_code,
)
from tikicash.rules import LIMITS, verify_receipt, verify_refusal, verify_request
from tikiwallet.cli.book_table import read_book
from tikiwallet.cli.made_payments import Made, Order, explained, made, make_payment, stored_payment
from tikiwallet.cli.problems import (
    AlreadyAnswered,
    MemoInvalid,
    NothingToHandBack,
    PayeeIsYou,
    ProtocolSaidNo,
    RequestReused,
)
from tikiwallet.cli.trust import my_certificate, read_trust
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
    return made(row, shown_again=True)


def pay(wallet: Wallet, asked: Asked, *, memo: str) -> Made:
    """Reserve units, sign and store a payment; then return it. Answers a request once: again gives the same.

    Problems: `ProtocolSaidNo` (not_enough_offline_money, payment_above_limit, too_many_pieces), `MemoInvalid`,
    `RequestReused`, those of `Wallet.signing`.
    """
    if (known := find_made(wallet, asked)) is not None:
        return known
    request = asked.request.body
    signer = wallet.signer()  # unlocks or makes the key before the transaction, so that its questions hold nothing up
    book = read_book(wallet.store)
    certificate, _ = my_certificate(wallet)
    try:
        order = Order(
            pieces=_choose(wallet, book, request, mine=key_id(signer.public_key), certificate=certificate),
            currency=request.currency, payee_key=request.payee_key, payee_name=asked.name, nonce=request.nonce,
            request_id=_request_ref(request), memo=_memo_opening(wallet, memo),
        )  # fmt: skip
        with wallet.signing() as signer:
            make_payment(wallet, signer, order)
    except Rejected as rejected:
        raise explained(wallet, rejected) from rejected
    paid = find_made(wallet, asked)
    assert paid is not None
    return replace(paid, shown_again=False)


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
    with wallet.signing() as signer:
        ids = [
            make_payment(
                wallet,
                signer,
                Order(
                    pieces=pieces, currency=trust.currency_number, payee_key=trust.operator_key, payee_name="",
                    nonce=wallet.edge.random_bytes(NONCE_BYTES), is_hand_back=True,
                    request_id=wallet.edge.random_bytes(HAND_BACK_REF_BYTES),
                ),
                limits=HAND_BACK_LIMITS,
            ).short_id
            for pieces in _pieces_to_hand_back(holdings, wanted_minor)
        ]  # fmt: skip
    return [stored_payment(wallet, payment_id) for payment_id in ids]


def take_answer(wallet: Wallet, answer: Signed[Receipt] | Signed[Refusal], *, code: str) -> Made:
    """Store the payee's receipt or refusal of a payment of mine, verified; the same answer again changes nothing.

    Problems: `NothingStored`, `AlreadyAnswered`, `ProtocolSaidNo`.
    """
    before = stored_payment(wallet, answer.body.payment_id)
    row = wallet.store.row("payment_made", payment_id=answer.body.payment_id)
    bundle = parse_code(before.code)
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
    if before.answer == said:
        return stored_payment(wallet, answer.body.payment_id)
    if before.answer not in {"", "not_taken"}:
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
    before = stored_payment(wallet, payment_id)
    if before.answer not in {"", "not_taken"}:
        raise AlreadyAnswered
    if not before.answer:
        wallet.store.run(
            "add_payment_answer", payment_id=payment_id, answer="not_taken", code="", learned_at=wallet.now()
        )
    return stored_payment(wallet, payment_id)


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


def _request_ref(request: Request) -> bytes:
    """Return what answers a request once: the payee and the nonce that he drew."""
    return key_id(request.payee_key) + request.nonce
