"""A phone for tests: real keys, real documents, the real rules of tikicash, and HTTP to the wallet."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tikicash import book as books
from tikicash.book import Book
from tikicash.chain import gather, operator_ids, sale_nonce
from tikicash.coins import choose_pieces, refund_pieces
from tikicash.cose import PrivateKeySigner
from tikicash.errors import Rejected
from tikicash.messages import (
    Bundle,
    Certificate,
    IssuerKey,
    Payment,
    Piece,
    Refusal,
    Request,
    Revocations,
    Signed,
    SignedTime,
    Voucher,
    key_id,
    parse,
    sign,
)
from tikicash.rules import Acceptance, AcceptContext, accept
from tikicash.validity import check_issuer_key
from tikiwallet.offline.wire import from_base64url, to_base64url
from world import Someone, World, body_of, money

SGD = 702


def read_document(text: str) -> Any:
    data = from_base64url(text)
    assert data is not None
    return parse(data)


class Phone:
    """One person's phone: it keeps every document it saw and its book of units."""

    def __init__(self, owner: Someone, world: World, label: str) -> None:
        self.owner, self.world, self.label = owner, world, label
        secret = int.from_bytes(hashlib.sha256(f"{owner.username}/{label}".encode()).digest(), "big")
        self.signer = PrivateKeySigner(ec.derive_private_key(secret % 2**255 + 1, ec.SECP256R1()))
        self.public_key = self.signer.public_key
        self.id = key_id(self.public_key)
        self.book = Book()
        self.documents: dict[bytes, Signed[Any]] = {}  # vouchers and payments by their id
        self.certificates: dict[bytes, Signed[Certificate]] = {}
        self.bundles: list[Bundle] = []  # what the next sync brings
        self.certificate: Signed[Certificate] | None = None
        self.device_id = ""
        self.signed_at = 0
        self.revocations: Revocations | None = None
        self._nonces = 0

    # -- online --------------------------------------------------------------------------------------------------

    async def register(self, *, receive_only: bool = False) -> "Phone":
        issuer = body_of(await self.world.http.get("/v1/offline/issuer"), 200)
        root_key = from_base64url(issuer["root_key"])
        assert root_key is not None
        self.net, self.root_key = issuer["network_id"], root_key
        self._learn_keys(issuer)
        self.operator_key = from_base64url(issuer["operator_key"])
        self.signed_at = read_document(issuer["signed_time"]).body.now
        answer = body_of(await self.owner.post("/v1/offline/devices", await self.order(receive_only=receive_only)), 201)
        self.device_id = answer["device_id"]
        self._keep_certificate(answer["certificate"])
        return self

    async def order(self, *, receive_only: bool = False) -> dict[str, Any]:
        """A registration with a fresh challenge."""
        challenge = body_of(await self.owner.post("/v1/offline/devices/challenges"), 201)
        data = from_base64url(challenge["challenge"])
        assert data is not None
        return {
            "challenge_id": challenge["challenge_id"],
            "public_key": to_base64url(self.public_key),
            "signature": to_base64url(self.signer.sign(b"TK1/device" + data + self.public_key)),
            "name": self.label,
            "receive_only": receive_only,
        }

    async def load(self, text: str, *, key: str | None = None, audience_key: bytes | None = None) -> dict[str, Any]:
        """Load an amount ("20.00") and keep the voucher; with `audience_key` for the phone with that key only."""
        answer: dict[str, Any] = body_of(await self.try_load(text, key=key, audience_key=audience_key), 201)
        self._keep_voucher(read_document(answer["voucher"]))
        return answer

    async def try_load(self, text: str, *, key: str | None = None, audience_key: bytes | None = None) -> Any:
        order = {"device_id": self.device_id, "amount": money(text)}
        if audience_key is not None:
            order["audience_key"] = to_base64url(audience_key)
        return await self.owner.post("/v1/offline/vouchers", order, key=key)

    async def sync(
        self, *bundles: Bundle, wanted: str = "", refusals: Iterable[Signed[Refusal]] = ()
    ) -> dict[str, Any]:
        """Bring what wasn't brought yet (or these bundles) and take home what comes."""
        order = self.sync_order(*bundles, wanted=wanted, refusals=refusals)
        answer: dict[str, Any] = body_of(await self.owner.post("/v1/offline/sync", order), 200)
        if not bundles:
            self.bundles = []
        for voucher in answer["vouchers"]:
            self._keep_voucher(read_document(voucher["voucher"]))
        if answer["certificate"] is not None:
            self._keep_certificate(answer["certificate"])
        signed_time: SignedTime = read_document(answer["signed_time"]).body
        self.signed_at = max(self.signed_at, signed_time.now)
        self.revocations = read_document(answer["revocations"]).body
        self._learn_keys(answer)
        return answer

    def _learn_keys(self, answer: dict[str, Any]) -> None:
        self.issuer_keys: tuple[IssuerKey, ...] = tuple(
            check_issuer_key(read_document(text), root_key=self.root_key) for text in answer["issuer_keys"]
        )
        self.operator = operator_ids(self.issuer_keys)

    def sync_order(
        self, *bundles: Bundle, wanted: str = "", refusals: Iterable[Signed[Refusal]] = ()
    ) -> dict[str, Any]:
        return {
            "device_id": self.device_id or None,
            "bundles": [to_base64url(item.to_bytes()) for item in bundles or self.bundles],
            "refusals": [to_base64url(item.to_bytes()) for item in refusals],
            "offline_balance_wanted": money(wanted) if wanted else None,
        }

    # -- offline -------------------------------------------------------------------------------------------------

    def request(self, amount_minor: int) -> Request:
        self._nonces += 1
        nonce = hashlib.sha256(self.id + bytes([self._nonces])).digest()[:8]
        return Request(
            net=self.net, currency=SGD, amount=amount_minor, nonce=nonce, payee_key=self.public_key,
            asked_at=self._now(), name=None,
        )  # fmt: skip

    def pay(self, request: Request) -> Bundle:
        """Pay a request honestly: from what the book holds, written down before it is shown."""
        holdings = books.spendable(
            self.book, owner_id=self.id, payee_id=key_id(request.payee_key), now=self._now(), may_hand_on=True
        )
        pieces = choose_pieces(holdings, request.amount, start=0)
        return self._reserve(self.sign_payment(request, pieces))

    def _reserve(self, bundle: Bundle) -> Bundle:
        payment: Any = bundle.documents[-1]
        self.book = books.hand_on(self.book, payment, operator=self.operator)
        self.bundles.append(bundle)
        return bundle

    def sign_payment(self, request: Request, pieces: tuple[Piece, ...]) -> Bundle:
        """Sign a payment without asking the book: what a cheat's phone does."""
        payment = sign(
            Payment(
                net=self.net, currency=SGD, pieces=pieces, total=sum(piece.count for piece in pieces),
                payee_id=key_id(request.payee_key), nonce=request.nonce, paid_at=self._now(), memo_commit=None,
            ),
            self.signer,
        )  # fmt: skip
        return self.bundle_of(payment)

    def bundle_of(self, payment: Signed[Payment]) -> Bundle:
        self.documents[payment.id] = payment
        documents, certificates = gather((payment,), self.documents.values(), self.certificates.values())
        return Bundle(documents=documents, certificates=certificates)

    def hand_back(self, amount_minor: int) -> Bundle:
        """Give units back to the operator."""
        assert self.operator_key is not None
        request = replace(self.request(amount_minor), payee_key=self.operator_key)
        holdings = [item for item in self.book.holdings if item.owner_id == self.id]
        return self._reserve(self.sign_payment(request, choose_pieces(holdings, amount_minor, start=0)))

    def hand_back_pieces(self, received: Acceptance) -> Bundle:
        """Give the operator all of one payment, however deep."""
        request = replace(self.request(received.payment.body.total), payee_key=self.issuer_keys[-1].key)
        ranges = [(item.first, item.count) for item in books.new_holdings(received.chain, spend_by=0)]
        parent_id = received.payment.short_id
        return self.sign_payment(
            request, tuple(Piece(parent_id=parent_id, first=first, count=count) for first, count in ranges)
        )

    def give_back(self, sale: Acceptance, amount_minor: int, *, from_book: bool = True) -> Bundle:
        """Give back part of what was received; a cheat doesn't ask his book and gives back what he spent."""
        payment = sale.payment
        held = self.book.holdings if from_book else books.new_holdings(sale.chain, spend_by=sale.how_safe.spend_by)
        certificate = self.certificate.body if self.certificate is not None else None
        pieces = refund_pieces(
            held, amount_minor, sale_id=payment.short_id, payee_id=sale.payer_id, certificate=certificate,
            now=self._now(), start=0,
        )  # fmt: skip
        refund = sign(
            replace(
                payment.body, pieces=pieces, total=amount_minor, payee_id=sale.payer_id, nonce=sale_nonce(payment),
                paid_at=self._now(), memo_commit=None,
            ),
            self.signer,
        )  # fmt: skip
        bundle = self.bundle_of(refund)
        if from_book:
            self.book = books.hand_on(self.book, refund, operator=self.operator)
        self.bundles.append(bundle)
        return bundle

    def accept(
        self, bundle: Bundle, request: Request | None, *, check: Callable[..., Acceptance] = accept
    ) -> Acceptance:
        """Take a payment that answers a request, or a refund if there is none."""
        acceptance = check(
            bundle,
            context=AcceptContext(
                net=self.net,
                now=self._now(),
                newest_signed_time=self.signed_at,
                open_requests=() if request is None else (request,),
                issuer_keys=self.issuer_keys,
                revocations=self.revocations,
                my_keys=(self.public_key,),
                my_certificate=self.certificate.body if self.certificate is not None else None,
                book=self.book,
            ),
        )
        self.book = acceptance.book
        self.keep(bundle)
        self.bundles.append(bundle)
        return acceptance

    def keep(self, bundle: Bundle) -> None:
        self.documents.update({item.id: item for item in bundle.documents})
        self.certificates.update({item.id: item for item in bundle.certificates})

    def refuse(self, bundle: Bundle, reason: str = "wrong_amount") -> Signed[Refusal]:
        return sign(Refusal(payment_id=bundle.documents[-1].short_id, reason=reason), self.signer)

    def paid_by(self, payer: "Phone", amount_minor: int) -> Acceptance:
        """The whole meeting: request, payment, receipt."""
        request = self.request(amount_minor)
        return self.accept(payer.pay(request), request)

    @property
    def voucher(self) -> Signed[Voucher]:
        """The oldest voucher of this phone."""
        return next(item for item in self.documents.values() if isinstance(item.body, Voucher))

    def voucher_piece(self, offset: int, count: int) -> Piece:
        """Units of the oldest voucher, whatever the book says."""
        body = self.voucher.body
        return Piece(parent_id=self.voucher.short_id, first=body.first + offset, count=count)

    def _now(self) -> int:
        return int(self.world.clock.now.timestamp())

    def _keep_voucher(self, voucher: Signed[Voucher]) -> None:
        if voucher.body.key == self.public_key and voucher.id not in self.documents:
            self.documents[voucher.id] = voucher
            self.book = books.load(self.book, voucher)

    def _keep_certificate(self, text: str) -> None:
        self.certificate = read_document(text)
        self.certificates[self.certificate.id] = self.certificate


def double_spend(cheat: Phone, first: Phone, second: Phone, amount_minor: int) -> tuple[Acceptance, Acceptance]:
    """The cheat pays two people with the same units; both accept, each with no way to know."""
    found = []
    for payee in (first, second):
        request = payee.request(amount_minor)
        found.append(payee.accept(cheat.sign_payment(request, (cheat.voucher_piece(0, amount_minor),)), request))
    return found[0], found[1]


__all__ = ["Phone", "Rejected", "double_spend", "read_document"]
