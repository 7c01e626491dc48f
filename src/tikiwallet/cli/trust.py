"""What this wallet believes of the operator, and how it learned it.

The root key is believed at first contact and pinned: from then on everything that the operator says has to be signed
by a key that the root signed, so a server that somebody slipped in between can stop a wallet and not fool it.
"""

import json
from dataclasses import dataclass
from typing import Any

from tikicash.book import forget_closed, load
from tikicash.chain import operator_ids
from tikicash.errors import Rejected
from tikicash.messages import Certificate, IssuerKey, Opening, Revocations, Signed, SignedTime, Voucher, key_id, parse
from tikicash.validity import check_issued, check_issuer_key
from tikiwallet.cli.book_table import read_book, write_book
from tikiwallet.cli.problems import NetworkChanged, NeverOnline, ServerUnexpected
from tikiwallet.cli.store import Store
from tikiwallet.cli.wallet_folder import Wallet
from tikiwallet.platform.money import numeric_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a wallet knows without a network."""

    net: int
    currency: str  # ISO 4217 letters
    issuer_keys: tuple[IssuerKey, ...]
    operator_key: bytes
    revocations: Revocations | None
    newest_signed_time: int

    @property
    def list_signed_at(self) -> int:
        """When the operator signed the list of blocked phones that this wallet has, in unix seconds; 0 without one.

        What a payment brings along may be younger, and says nothing about who was blocked since.
        """
        return self.revocations.now if self.revocations else 0

    @property
    def currency_number(self) -> int:
        """The currency as documents carry it (ISO 4217 numeric)."""
        return numeric_code(self.currency)

    @property
    def operator(self) -> frozenset[bytes]:
        """The key ids of the operator: a payment to one of them is a hand-back."""
        return operator_ids(self.issuer_keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the operator said in one answer: documents as bytes, openings as he gave them."""

    issuer_keys: tuple[bytes, ...] = ()
    signed_time: bytes | None = None
    revocations: bytes | None = None
    certificate: bytes | None = None
    certificate_opening: Opening | None = None
    vouchers: tuple[tuple[bytes, Opening | None], ...] = ()


def read_trust(store: Store) -> Trust:
    """Return what this wallet believes. Problem: `NeverOnline`."""
    currency, operator_key = store.setting("currency"), store.setting("operator_key")
    keys = _issuer_keys(store)
    if not currency or not operator_key or not keys:
        raise NeverOnline
    revocations = store.setting("revocations")
    return Trust(
        net=int(store.setting("net")),
        currency=currency,
        issuer_keys=keys,
        operator_key=bytes.fromhex(operator_key),
        revocations=_body(bytes.fromhex(revocations), Revocations) if revocations else None,
        newest_signed_time=int(store.setting("newest_signed_time") or 0),
    )


def pin_network(store: Store, *, net: int, root_key: bytes, operator_key: bytes) -> None:
    """Believe a root key at first contact, and no other afterwards. Problem: `NetworkChanged`."""
    pinned = (store.setting("net"), store.setting("root_key"))
    if pinned != ("", "") and pinned != (str(net), root_key.hex()):
        raise NetworkChanged
    store.remember("net", str(net))
    store.remember("root_key", root_key.hex())
    store.remember("operator_key", operator_key.hex())


def check_said(store: Store, said: Said) -> tuple[Signed[Any], ...]:
    """Return what the operator said as documents, every signature verified back to the pinned root key.

    Problem: `ServerUnexpected` for anything that the operator didn't sign or that is of another network.
    """
    root_key, net = bytes.fromhex(store.setting("root_key")), int(store.setting("net"))
    try:
        keys = tuple(_parsed(item, IssuerKey) for item in said.issuer_keys)
        known = tuple(check_issuer_key(item, root_key=root_key) for item in keys)
        known += _issuer_keys(store)
        wanted: list[tuple[bytes | None, type[Any]]] = [
            (said.signed_time, SignedTime),
            (said.revocations, Revocations),
            (said.certificate, Certificate),
            *((voucher, Voucher) for voucher, _ in said.vouchers),
        ]
        documents = tuple(_parsed(data, kind) for data, kind in wanted if data is not None)
        for document in documents:
            check_issued(document, issuer_keys=known)
    except Rejected as rejected:
        raise ServerUnexpected(
            f"The server sent something that the operator didn't sign ({rejected.code})."
        ) from rejected
    if any(item.body.net != net for item in (*keys, *documents)):
        raise NetworkChanged
    return (*keys, *documents)


def learn(wallet: Wallet, said: Said) -> int:
    """Store what the operator said, durably and at once; return how many minor units of fresh vouchers came.

    A voucher is taken into the book once for ever, even if it is sent again. Problems: those of `check_said`.
    """
    store = wallet.store
    documents = check_said(store, said)
    fresh_minor = 0
    with store.transaction():
        known = json.loads(store.setting("issuer_keys") or "[]")
        added = [item.hex() for item in said.issuer_keys if item.hex() not in known]
        store.remember("issuer_keys", json.dumps([*known, *added]))
        said_times = [item.body.now for item in documents if isinstance(item.body, SignedTime | Revocations)]
        newest_signed_time = max([wallet.newest_signed_time(), *said_times])
        store.remember("newest_signed_time", str(newest_signed_time))
        if said.revocations is not None:
            _learn_revocations(store, said.revocations)
        # By the operator's time only: a phone whose clock is a year ahead must not forget what it holds.
        book = forget_closed(read_book(store), now=newest_signed_time)
        row = wallet.key()
        mine = row["public_key"] if row else b""
        openings = dict(said.vouchers)
        for item in documents:
            if isinstance(item.body, Certificate) and item.body.key == mine:
                opening = opening_text(said.certificate_opening)
                store.run("set_certificate", key_id=key_id(mine), certificate=item.to_bytes(), opening=opening)
            if (
                isinstance(item.body, Voucher)
                and item.body.key == mine
                and not store.run("document", document_id=item.id)
            ):
                body = item.to_bytes()
                store.run("add_document", document_id=item.id, body=body, opening=opening_text(openings[body]))
                book = load(book, item)
                fresh_minor += item.body.count
        write_book(store, book)
    return fresh_minor


def my_certificate(wallet: Wallet) -> tuple[Signed[Certificate] | None, Opening | None]:
    """Return the certificate of the key in use, with the opening of its name, if there are any."""
    row = wallet.key()
    if row is None or row["certificate"] is None:
        return None, None
    return _parsed(row["certificate"], Certificate), read_opening(row["certificate_opening"])


def opening_text(opening: Opening | None) -> str | None:
    """Return an opening as the store keeps it."""
    if opening is None:
        return None
    return json.dumps({"opens": opening.opens, "salt": opening.salt.hex(), "text": opening.text})


def read_opening(text: str | None) -> Opening | None:
    """Return an opening that the store kept."""
    if not text:
        return None
    found = json.loads(text)
    return Opening(opens=found["opens"], salt=bytes.fromhex(found["salt"]), text=found["text"])


def _learn_revocations(store: Store, data: bytes) -> None:
    """Keep the newest list, by epoch and then by date: an older one can't unblock a phone or make this list older."""
    known = store.setting("revocations")
    if not known or _age(_body(data, Revocations)) >= _age(_body(bytes.fromhex(known), Revocations)):
        store.remember("revocations", data.hex())


def _age(revocations: Revocations) -> tuple[int, int]:
    return revocations.epoch, revocations.now


def issuer_documents(store: Store) -> tuple[Signed[IssuerKey], ...]:
    """Return the operator's signing keys as the root key signed them, each verified when it was learned."""
    return tuple(_parsed(bytes.fromhex(item), IssuerKey) for item in json.loads(store.setting("issuer_keys") or "[]"))


def _issuer_keys(store: Store) -> tuple[IssuerKey, ...]:
    return tuple(item.body for item in issuer_documents(store))


def _parsed(data: bytes, kind: type[Any]) -> Signed[Any]:
    document = parse(data)
    if not isinstance(document, Signed) or not isinstance(document.body, kind):
        raise Rejected("unknown_document", kind.__name__)
    return document


def _body(data: bytes, kind: type[Any]) -> Any:
    return _parsed(data, kind).body
