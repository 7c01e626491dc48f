"""What a phone does when two people meet: the steps of tikicash in the order of the standard, and nothing of their own.

Each step is a function of its own name, so that a mutant can leave one out (mutants.py).
"""

from collections.abc import Iterable

from sim.paper import CURRENCY, NET, Paper
from sim.people import Phone
from tikicash import rules
from tikicash.book import Holding, hand_on, load, spendable
from tikicash.chain import gather, is_payment
from tikicash.coins import choose_pieces
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Payment, Piece, Request, Signed, Voucher, key_id
from tikicash.rules import Acceptance, AcceptContext


def payment_of(bundle: Bundle) -> Signed[Payment]:
    """Return the payment that a bundle carries."""
    payment = bundle.documents[-1]
    assert is_payment(payment)
    return payment


def take_voucher(phone: Phone, voucher: Signed[Voucher], *, paper: Paper) -> None:
    """Put a fresh voucher into the phone."""
    phone.book = load(phone.book, voucher)
    phone.chains[voucher.short_id] = paper.bundle((voucher,))


def can_pay_with(phone: Phone, payee_id: bytes, now: int) -> tuple[Holding, ...]:
    """Return what a phone may pay somebody with."""
    allowed = phone.certificate is not None and phone.certificate.body.may_hand_on
    return spendable(phone.book, owner_id=phone.keys.id, payee_id=payee_id, now=now, may_hand_on=allowed)


def ask(payee: Phone, amount: int, nonce: bytes, now: int) -> Request:
    """Return the request that a payee shows."""
    return Request(
        net=NET, currency=CURRENCY, amount=amount, nonce=nonce, payee_key=payee.keys.public, asked_at=now, name=None
    )


def write(
    phone: Phone, pieces: tuple[Piece, ...], *, payee_id: bytes, nonce: bytes, paid_at: int, paper: Paper
) -> Bundle:
    """Return a signed payment with the chain below it; the book is not touched."""
    body = Payment(
        net=NET,
        currency=CURRENCY,
        pieces=pieces,
        total=sum(item.count for item in pieces),
        payee_id=payee_id,
        nonce=nonce,
        paid_at=paid_at,
        memo_commit=None,
    )
    payment = paper.sign(body, phone.keys)
    below = [phone.chains[parent] for parent in dict.fromkeys(item.parent_id for item in pieces)]
    certificates = [item for bundle in below for item in bundle.certificates]
    if phone.certificate is not None:
        certificates.append(phone.certificate)
    pool = [item for bundle in below for item in bundle.documents]
    documents, needed = gather((payment,), pool, certificates)
    return paper.bundle(documents, needed)


def prepare(
    phone: Phone, holdings: Iterable[Holding], request: Request, *, start: int, now: int, paper: Paper
) -> Bundle | None:
    """Return a payment that answers a request, or None if the wallet finds no pieces for it."""
    try:
        pieces = choose_pieces(holdings, request.amount, start=start)
    except Rejected:
        return None
    payee_id = key_id(request.payee_key)
    return write(phone, pieces, payee_id=payee_id, nonce=request.nonce, paid_at=now, paper=paper)


def reserve_and_show(phone: Phone, bundle: Bundle, *, paper: Paper, crashes: bool) -> Bundle | None:
    """Store the payment, then show it. A phone that crashes in between has shown nothing, and knows what it signed."""
    phone.book = hand_on(phone.book, payment_of(bundle), operator=frozenset({paper.operator.id}))
    return None if crashes else bundle


def receive(payee: Phone, bundle: Bundle, request: Request, *, now: int, paper: Paper) -> Acceptance:
    """Accept a payment that answers a request: store it, then it may be acknowledged. Raises Rejected."""
    acceptance = rules.accept(bundle, context=context_of(payee, request, now=now, paper=paper), verify=paper.verify)
    payee.book = acceptance.book
    payee.newest_signed_time = acceptance.newest_signed_time
    payee.chains[acceptance.payment.short_id] = bundle
    payee.outbox.append(bundle)
    return acceptance


def context_of(payee: Phone, request: Request, *, now: int, paper: Paper) -> AcceptContext:
    """Return all that a phone knows when it judges a payment."""
    return AcceptContext(
        net=NET,
        now=now + payee.clock_error_seconds,
        newest_signed_time=payee.newest_signed_time,
        open_requests=(request,),
        issuer_keys=paper.issuer_keys,
        revocations=payee.revocations,
        my_keys=(payee.keys.public,),
        my_certificate=None if payee.certificate is None else payee.certificate.body,
        book=payee.book,
    )
