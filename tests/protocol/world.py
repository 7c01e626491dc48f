"""Asha, Ben, Chi, Dan and the operator, with fixed keys, so that tests and vectors tell a story in a few lines."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric import ec

from tikicash.book import Book
from tikicash.chain import gather
from tikicash.cose import PrivateKeySigner
from tikicash.errors import Rejected
from tikicash.messages import (
    Bundle,
    Certificate,
    IssuerKey,
    Opening,
    Payment,
    Piece,
    Request,
    Revocations,
    Signed,
    Voucher,
    key_id,
    name_commitment,
    sign,
)
from tikicash.rules import AcceptContext

NET = 1
EUR = 978
NOW = 1_767_603_600  # 5 January 2026, 09:00 UTC
HOUR = 3600
DAY = 24 * HOUR
FIRST = 0x1A2B3C4D5E6000  # an aligned block below 2^53


def salt(name: str) -> bytes:
    return hashlib.sha256(b"salt " + name.encode()).digest()[:16]


def nonce(name: str) -> bytes:
    return hashlib.sha256(b"nonce " + name.encode()).digest()[:8]


def code_of(call: Callable[[], object]) -> str | None:
    """The code with which a call is refused, or None if it is not."""
    try:
        call()
    except Rejected as rejected:
        return rejected.code
    return None


class Key:
    """A person's phone or one of the operator's keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        secret = int.from_bytes(hashlib.sha256(b"tikicash test key " + name.encode()).digest(), "big")
        self.signer = PrivateKeySigner(ec.derive_private_key(secret % 2**255 + 1, ec.SECP256R1()))
        self.public = self.signer.public_key
        self.id = key_id(self.public)

    @property
    def opening(self) -> Opening:
        return Opening(opens=1, salt=salt(self.name), text=self.name)


ROOT, ISSUER = Key("root"), Key("issuer")
ASHA, BEN, CHI, DAN, EVE, MALLORY = (Key(name) for name in ("Asha", "Ben", "Chi", "Dan", "Eve", "Mallory"))
ISSUER_KEY = sign(
    IssuerKey(net=NET, number=1, key=ISSUER.public, valid_from=NOW - 90 * DAY, valid_until=NOW + 90 * DAY), ROOT.signer
)


def voucher(owner: Key, *, by: Key = ISSUER, named: bool = False, **changes: object) -> Signed[Voucher]:
    body = Voucher(
        net=NET,
        issuer=1,
        currency=EUR,
        first=FIRST,
        count=5000,
        key=owner.public,
        issued_at=NOW - DAY,
        spend_by=NOW + 6 * DAY,
        claim_by=NOW + 13 * DAY,
        payment_max=2000,
        cover=2000,
        tier=2,
        name_commit=name_commitment(salt(owner.name), owner.name) if named else None,
        audience_key=None,
    )
    return sign(replace(body, **changes), by.signer)


def certificate(owner: Key, *, by: Key = ISSUER, named: bool = False, **changes: object) -> Signed[Certificate]:
    body = Certificate(
        net=NET,
        issuer=1,
        key=owner.public,
        issued_at=NOW - DAY,
        valid_until=NOW + 30 * DAY,
        tier=2,
        cover_budget=2000,
        may_hand_on=True,
        name_commit=name_commitment(salt(owner.name), owner.name) if named else None,
    )
    return sign(replace(body, **changes), by.signer)


def request(payee: Key, amount: int, *, by: Key | None = None, **changes: object) -> Signed[Request]:
    body = Request(
        net=NET, currency=EUR, amount=amount, nonce=nonce(payee.name), payee_key=payee.public, asked_at=NOW, name=None
    )
    return sign(replace(body, **changes), (by or payee).signer)


def piece(parent: Signed, first: int | None = None, count: int | None = None) -> Piece:
    """A piece of a voucher or of the first piece of a payment; all of it unless told."""
    source = parent.body if isinstance(parent.body, Voucher) else parent.body.pieces[0]
    return Piece(
        parent_id=parent.short_id,
        first=source.first if first is None else first,
        count=source.count if count is None else count,
    )


def pay(payer: Key, payee: Key, *pieces: Piece, **changes: object) -> Signed[Payment]:
    body = Payment(
        net=NET,
        currency=EUR,
        pieces=pieces,
        total=sum(item.count for item in pieces),
        payee_id=payee.id,
        nonce=nonce(payee.name),
        paid_at=NOW,
        memo_commit=None,
    )
    return sign(replace(body, **changes), payer.signer)


def bundle(payment: Signed[Payment], *pool: Signed, openings: tuple[Opening, ...] = ()) -> Bundle:
    """The bundle of a payment, its documents found among some."""
    certificates = [item for item in pool if isinstance(item.body, Certificate)]
    documents, needed = gather((payment,), pool, certificates)
    return Bundle(documents=documents, certificates=needed, openings=openings)


def context(payee: Key, amount: int, **changes: object) -> AcceptContext:
    base = AcceptContext(
        net=NET,
        now=NOW,
        newest_signed_time=NOW - HOUR,
        open_requests=(request(payee, amount).body,),
        issuer_keys=(ISSUER_KEY.body,),
        revocations=Revocations(net=NET, issuer=1, epoch=7, now=NOW - HOUR, entries=()),
        my_keys=(payee.public,),
        my_certificate=certificate(payee).body,
        book=Book(),
    )
    return replace(base, **changes)


@dataclass
class Chained:
    """Asha's voucher handed on to Ben, to Chi and to Dan: 12.50 each time."""

    voucher: Signed[Voucher]
    to_ben: Signed[Payment]
    to_chi: Signed[Payment]
    to_dan: Signed[Payment]
    certificates: tuple[Signed[Certificate], ...]

    @property
    def documents(self) -> tuple[Signed, ...]:
        return (self.voucher, self.to_ben, self.to_chi, self.to_dan, *self.certificates)

    def bundle(self, depth: int) -> Bundle:
        return bundle((self.to_ben, self.to_chi, self.to_dan)[depth - 1], *self.documents)


def chained(amount: int = 1250, **voucher_changes: object) -> Chained:
    of_asha = voucher(ASHA, **voucher_changes)
    to_ben = pay(ASHA, BEN, piece(of_asha, FIRST + 700, amount))
    to_chi = pay(BEN, CHI, piece(to_ben))
    to_dan = pay(CHI, DAN, piece(to_chi))
    return Chained(of_asha, to_ben, to_chi, to_dan, (certificate(BEN), certificate(CHI)))
