"""The documents: what each one says, how it is written, and how strictly it is read.

A body is a frozen value; `Signed` is a body with the exact bytes that were signed. Reading checks every field before
anybody can act on it, so that the rules (rules.py) deal only with money and never with malformed input.
Fields, units and limits: protocol/spec/02-documents.md and protocol/tikicash.cddl.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeAlias, TypeVar

from tikicash import cose
from tikicash import fields as kind
from tikicash.bodies import (
    Body,
    Certificate,
    IssuerKey,
    Opening,
    Payment,
    Piece,
    Receipt,
    Refusal,
    Request,
    Revocations,
    SignedTime,
    Voucher,
)
from tikicash.cose import Signer, short_id
from tikicash.encoding import Value, decode, encode, from_text, size_of_head, to_text
from tikicash.errors import Rejected
from tikicash.glance import one_piece_payment, two_documents
from tikicash.layout import OPENS_MEMO, OPENS_NAME, checked, doc_type, read_body, read_opening, write_body

__all__ = [
    "OPENS_MEMO",
    "OPENS_NAME",
    "Body",
    "Bundle",
    "Certificate",
    "IssuerKey",
    "Message",
    "Opening",
    "Payment",
    "Piece",
    "Proof",
    "Receipt",
    "Refusal",
    "Request",
    "Revocations",
    "Signed",
    "SignedTime",
    "Voucher",
    "commitment",
    "doc_type",
    "key_id",
    "memo_commitment",
    "name_commitment",
    "parse",
    "parse_code",
    "sign",
    "signed",
    "to_code",
]

BUNDLE: Final = 7
PROOF: Final = 8
KEYS_REMEMBERED_MAX: Final = 512
PAYLOADS_REMEMBERED_MAX: Final = 2048

_ISSUED: Final = {bytes([cose.VOUCHER]), bytes([cose.CERTIFICATE])}  # what stands after the head of such a payload
_COMMIT_TAG: Final = {OPENS_NAME: b"TK1/name", OPENS_MEMO: b"TK1/memo"}


T = TypeVar("T", bound=Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Generic[T]):
    """A body, the exact payload bytes, the signature (r and s) and the 32-byte identity of what was signed."""

    body: T
    payload: bytes
    signature: bytes
    id: bytes

    @property
    def short_id(self) -> bytes:
        """The 16 bytes of the identity that go on the wire."""
        return short_id(self.id)

    @property
    def message(self) -> bytes:
        """The bytes that the signature is over (the Sig_structure)."""
        return cose.sig_structure(doc_type(self.body), self.payload)

    @property
    def size(self) -> int:
        """How many bytes the document takes inside a bundle."""
        return 1 + _size(self.payload) + _size(self.signature)

    def to_bytes(self) -> bytes:
        """Return the COSE_Sign1 of the document."""
        return cose.to_sign1(self.payload, self.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a request code or a payment code carries: documents (each once, parents first), certificates, openings."""

    documents: tuple["Signed[Voucher] | Signed[Payment] | Signed[Request]", ...]
    certificates: tuple[Signed[Certificate], ...] = ()
    openings: tuple[Opening, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes the bundle takes."""
        lists: tuple[tuple[Any, ...], ...] = (self.documents, self.certificates, self.openings)
        openings = sum(2 + _size(item.salt) + _size(item.text.encode()) for item in self.openings)
        documents = sum(item.size for item in (*self.documents, *self.certificates))
        return 2 + sum(size_of_head(len(items)) for items in lists) + documents + openings

    def to_bytes(self) -> bytes:
        """Return the CBOR array of the bundle."""
        openings: list[Value] = [[item.opens, item.salt, item.text] for item in self.openings]
        return encode([BUNDLE, _pairs(self.documents), _pairs(self.certificates), openings])


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Two payments that prove a double spend, with their chains and the issuer keys, so that a root key is enough."""

    first_id: bytes  # 32 bytes
    second_id: bytes
    documents: tuple["Signed[Voucher] | Signed[Payment]", ...]
    certificates: tuple[Signed[Certificate], ...]
    issuer_keys: tuple[Signed[IssuerKey], ...]

    def to_bytes(self) -> bytes:
        """Return the CBOR array of the proof."""
        lists: list[Value] = [_pairs(self.documents), _pairs(self.certificates), _pairs(self.issuer_keys)]
        return encode([PROOF, self.first_id, self.second_id, *lists])


Message: TypeAlias = (
    Bundle
    | Proof
    | Signed[Voucher]
    | Signed[Certificate]
    | Signed[Request]
    | Signed[Payment]
    | Signed[Receipt]
    | Signed[Refusal]
    | Signed[SignedTime]
    | Signed[Revocations]
    | Signed[IssuerKey]
)


# The same few keys are named again and again in one chain.
@lru_cache(maxsize=KEYS_REMEMBERED_MAX)
def key_id(public_key: bytes) -> bytes:
    """Return the 16-byte name of a public key: the start of the SHA-256 of its 33 bytes."""
    return hashlib.sha256(public_key).digest()[: cose.SHORT_ID_BYTES]


def commitment(opening: Opening) -> bytes:
    """Return the 16 bytes that hide a name or a memo: the start of SHA-256(tag, salt, UTF-8 text)."""
    tag = _COMMIT_TAG[opening.opens]
    return hashlib.sha256(tag + opening.salt + opening.text.encode()).digest()[: kind.COMMIT_BYTES]


def name_commitment(salt: bytes, name: str) -> bytes:
    """Return the commitment of a name under a 16-byte salt, for a voucher or a certificate."""
    return commitment(Opening(opens=OPENS_NAME, salt=salt, text=name))


def memo_commitment(salt: bytes, memo: str) -> bytes:
    """Return the commitment of a memo under a 16-byte salt, for a payment."""
    return commitment(Opening(opens=OPENS_MEMO, salt=salt, text=memo))


def sign(body: T, signer: Signer) -> Signed[T]:
    """Return a body as a signed document.

    Raises Rejected("bad_field" or "bad_key") for a body that no reader would take, ValueError for an integer
    outside 0..2^53-1.
    """
    payload = write_body(body)
    read_body(payload)
    signature = cose.sign_document(doc_type(body), payload, signer)
    return Signed(body=body, payload=payload, signature=signature, id=cose.document_id(doc_type(body), payload))


def signed(payload: bytes, signature: bytes) -> Signed[Any]:
    """Return the document of a payload and a signature, every field checked, the signature not yet.

    Raises Rejected: bad_cbor, unknown_document, bad_field, bad_key.
    """
    body, identity = _read_issued(payload) if payload[1:2] in _ISSUED else _read_payload(payload)
    return Signed(body=body, payload=payload, signature=signature, id=identity)


def _read_payload(payload: bytes) -> tuple[Any, bytes]:
    """Return the body of a payload and the identity of the document that it is of."""
    body = one_piece_payment(payload) or read_body(payload)
    return body, cose.document_id(doc_type(body), payload)


# Vouchers and certificates come again with every payment that is made with them.
_read_issued = lru_cache(maxsize=PAYLOADS_REMEMBERED_MAX)(_read_payload)


def parse(data: bytes) -> Message:
    """Return the document, bundle or proof that some bytes are.

    Raises Rejected: bad_header, bad_cbor, unknown_document, bad_field, bad_key.
    """
    if cose.is_sign1(data):
        return signed(*cose.from_sign1(data))
    if (pairs := two_documents(data)) is not None:
        return Bundle(documents=_of_types([signed(*pair) for pair in pairs], Voucher, Payment, Request))
    match decode(data):
        case [7, documents, certificates, list(openings)]:
            return Bundle(
                documents=_documents(documents, Voucher, Payment, Request),
                certificates=_documents(certificates, Certificate),
                openings=tuple(read_opening(item) for item in openings),
            )
        case [8, bytes(first_id), bytes(second_id), documents, certificates, issuer_keys]:
            return Proof(
                first_id=checked("first_id", kind.ID, first_id),
                second_id=checked("second_id", kind.ID, second_id),
                documents=_documents(documents, Voucher, Payment),
                certificates=_documents(certificates, Certificate),
                issuer_keys=_documents(issuer_keys, IssuerKey),
            )
    raise Rejected("unknown_document")


def parse_code(text: str) -> Message:
    """Return what a scanned code says. Raises what from_text and parse raise."""
    return parse(from_text(text))


def to_code(message: Message) -> str:
    """Return the text of the code that carries a document, bundle or proof."""
    return to_text(message.to_bytes())


def _size(data: bytes) -> int:
    return size_of_head(len(data)) + len(data)


def _pairs(documents: Iterable[Signed[Any]]) -> list[Value]:
    return [[item.payload, item.signature] for item in documents]


def _documents(value: Value, *bodies: type[Any]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise Rejected("bad_field", "documents")
    return _of_types([signed(*cose.from_pair(item)) for item in value], *bodies)


def _of_types(found: list[Signed[Any]], *bodies: type[Any]) -> tuple[Any, ...]:
    if not all(isinstance(item.body, bodies) for item in found):
        raise Rejected("unknown_document", "of a type that does not belong here")
    return tuple(found)
