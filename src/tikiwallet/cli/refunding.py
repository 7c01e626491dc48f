"""Give a payment back with no network, all of it or part, to the phone that paid it: one scan, tied to the sale.

Only units of that very payment go back, so a refund can't bring anybody money that he never paid. As with every
payment, all of it is on the disk before it is on the screen, and a refund that nobody confirmed is shown again rather
than signed again: who asks twice by mistake must not give back twice.
"""

from dataclasses import dataclass, replace
from typing import Final

from tikicash.chain import is_payment, payer_id, sale_nonce
from tikicash.coins import refund_pieces
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Payment, Signed, Voucher, key_id, parse_code
from tikiwallet.cli.book_table import read_book
from tikiwallet.cli.made_payments import Made, Order, explained, made, make_payment, stored_payment
from tikiwallet.cli.paying import START_BYTES
from tikiwallet.cli.problems import NothingStored, ProtocolSaidNo, RefundWaiting
from tikiwallet.cli.trust import my_certificate, read_trust
from tikiwallet.cli.wallet_folder import Wallet
from tikiwallet.platform.money import format_decimal

NUMBER_BYTES: Final = 8
ONLINE: Final = "Pay it back online: `tiki pay`."
# The sentences of the protocol speak to somebody who is paid; these to whoever gives back.
TOLD: Final = {
    "certificate_missing": "This phone isn't registered yet. Run `tiki sync`, then give it back.",
    "certificate_expired": "This phone was offline for too long. Run `tiki sync`, then give it back.",
    "may_not_hand_on": f"This phone may receive money but not pass it on, so it can't give back offline. {ONLINE}",
    "too_many_hands": f"This came back to you through too many hands to be given on offline. {ONLINE}",
    "spend_by_passed": f"This offline money is too old to be passed on. {ONLINE}",
    "locked_to_another": "This money is locked to this phone. Run `tiki unload`, then pay it back online: `tiki pay`.",
    "too_many_pieces": f"This payment came in too many parts to go back in one code. {ONLINE}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """A payment that I received, and what of it can still go back. Amounts in minor units."""

    payment_id: bytes  # 16 bytes
    payer_key: bytes
    payer_name: str  # "" if the operator certified none
    currency: int  # ISO 4217 numeric
    nonce: bytes  # of every refund of it
    amount_minor: int
    held_minor: int
    refunds: tuple[Made, ...]  # what was given back before, oldest first

    @property
    def waiting(self) -> Made | None:
        """The newest refund that nobody answered, or None."""
        return next((item for item in reversed(self.refunds) if not item.answer), None)


def refundable(wallet: Wallet, payment_id: bytes) -> Refundable:
    """Return a payment that I received, as one that may go back. Problems: `NothingStored`, `NeverOnline`."""
    row = wallet.store.row("payment_received", payment_id=payment_id)
    if row is None:
        raise NothingStored("Only a payment that you received can be given back. Run `tiki offline show` for the list.")
    bundle = parse_code(row["code"])
    assert isinstance(bundle, Bundle)
    sale = bundle.documents[-1]
    assert is_payment(sale)
    held = [item.count for item in read_book(wallet.store).holdings if item.parent_id == payment_id]
    return Refundable(
        payment_id=payment_id, payer_key=_payer_key(bundle, sale), payer_name=row["payer_name"],
        currency=sale.body.currency, nonce=sale_nonce(sale), amount_minor=sale.body.total, held_minor=sum(held),
        refunds=tuple(made(item, shown_again=True) for item in wallet.store.run("refunds_made", sale_id=payment_id)),
    )  # fmt: skip


def shown_before(sale: Refundable, amount_minor: int | None) -> Made | None:
    """Return the refund that waits for its receipt, to be shown again, or None if a new one may be made.

    Problem: `RefundWaiting` if another amount is asked for now.
    """
    waiting = sale.waiting
    if waiting is not None and amount_minor not in {None, waiting.amount_minor}:
        raise RefundWaiting(waiting_id=waiting.payment_id, waiting_minor=waiting.amount_minor)
    return waiting


def give_back(wallet: Wallet, sale: Refundable, amount_minor: int) -> Made:
    """Reserve units of a sale, sign and store its refund; then return it.

    Problems: `ProtocolSaidNo` (the codes of tikicash's `refund_pieces`), those of `Wallet.signing`.
    """
    mine = key_id(wallet.signer().public_key)  # unlocks the key before the transaction
    certificate, _ = my_certificate(wallet)
    holdings = [item for item in read_book(wallet.store).holdings if item.owner_id == mine]
    start = int.from_bytes(wallet.edge.random_bytes(START_BYTES), "big")
    try:
        pieces = refund_pieces(
            holdings, amount_minor, sale_id=sale.payment_id, payee_id=key_id(sale.payer_key), now=wallet.now(),
            certificate=certificate.body if certificate else None, start=start,
        )  # fmt: skip
        order = Order(
            pieces=pieces, currency=sale.currency, payee_key=sale.payer_key, payee_name=sale.payer_name,
            nonce=sale.nonce, refund_of=sale.payment_id,
            # The n-th refund of a sale is signed once, even by two commands at one time.
            request_id=sale.payment_id + len(sale.refunds).to_bytes(NUMBER_BYTES, "big"),
        )  # fmt: skip
        with wallet.signing() as signer:
            payment = make_payment(wallet, signer, order)
    except Rejected as rejected:
        raise _said(wallet, rejected, sale) from rejected
    return replace(stored_payment(wallet, payment.short_id), shown_again=False)


def _payer_key(bundle: Bundle, sale: Signed[Payment]) -> bytes:
    """Return the public key that signed a sale: it stands in a voucher or a certificate of its bundle."""
    sources = {item.short_id: item for item in bundle.documents if isinstance(item.body, Voucher | Payment)}
    payer = payer_id(sale, sources)
    keys = [item.body.key for item in sources.values() if isinstance(item.body, Voucher)]
    keys += [item.body.key for item in bundle.certificates]
    return next(key for key in keys if key_id(key) == payer)


def _said(wallet: Wallet, rejected: Rejected, sale: Refundable) -> Exception:
    """Return why nothing goes back offline, with what to do instead."""
    problem = explained(wallet, rejected)
    if not isinstance(problem, ProtocolSaidNo):
        return problem
    if rejected.code == "not_enough_offline_money":
        currency = read_trust(wallet.store).currency
        left = f"{format_decimal(sale.held_minor, currency)} {currency}"
        return ProtocolSaidNo(rejected, f"Only {left} of this payment is still on this phone. Give back that, or less.")
    return ProtocolSaidNo(rejected, TOLD[rejected.code])
