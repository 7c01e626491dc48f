"""Signatures: COSE_Sign1 with one algorithm, one header and one public key format.

Every option of a signature format is a way to forge, so nothing here can be chosen: ESP256 (P-256 with SHA-256),
a constant protected header, an empty unprotected header, and an external_aad that names the document type, so that a
signature on one type is never valid on another. A document is named by the hash of what was signed and never by its
signature: ECDSA is randomised, and (r, n - s) verifies as well as (r, s).
Sources: RFC 9052 section 4.4, RFC 9864 section 2.1, SEC 1 section 2.3.3; protocol/spec/01-encoding.md.
"""

import hashlib
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tikicash.encoding import Value, decode, encode, encode_bytes
from tikicash.errors import Rejected

VOUCHER: Final = 1
CERTIFICATE: Final = 2
REQUEST: Final = 3
PAYMENT: Final = 4
RECEIPT: Final = 5
REFUSAL: Final = 6
SIGNED_TIME: Final = 9
REVOCATIONS: Final = 10
ISSUER_KEY: Final = 11

EXTERNAL_AAD: Final = {
    VOUCHER: b"TK1/voucher",
    CERTIFICATE: b"TK1/certificate",
    REQUEST: b"TK1/request",
    PAYMENT: b"TK1/payment",
    RECEIPT: b"TK1/receipt",
    REFUSAL: b"TK1/refusal",
    SIGNED_TIME: b"TK1/signed-time",
    REVOCATIONS: b"TK1/revocations",
    ISSUER_KEY: b"TK1/issuer-key",
}

KEY_BYTES: Final = 33
SIGNATURE_BYTES: Final = 64
ID_BYTES: Final = 32
SHORT_ID_BYTES: Final = 16
POINTS_REMEMBERED_MAX: Final = 1024

PROTECTED: Final = bytes.fromhex("a10128")  # {1: -9}, the algorithm ESP256
# The profile has no maps, so the constant start of a COSE_Sign1 is compared and written as bytes:
# array of 4, the protected header as a byte string, the empty map.
_SIGN1_START: Final = bytes.fromhex("8443a10128a0")
_PAIR_START: Final = bytes.fromhex("82")
# The same for what is signed: array of 4, the context, the protected header, the external_aad; the payload comes last.
_SIGNED_START: Final = {
    doc_type: b"\x84" + encode("Signature1") + encode(PROTECTED) + encode(aad) for doc_type, aad in EXTERNAL_AAD.items()
}

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SHA256: Final = ec.ECDSA(hashes.SHA256())
_DETERMINISTIC: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class Signer(Protocol):
    """Whoever holds a private key: a phone's key store, a file, a hardware module."""

    @property
    def public_key(self) -> bytes:
        """The compressed point, 33 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the ESP256 signature of a message: r and s, 32 bytes each."""


class PrivateKeySigner:
    """A Signer over a private key in memory. RFC 6979, low s: the same message gives the same 64 bytes."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(private_key.curve, ec.SECP256R1):
            raise TypeError("only P-256 keys sign")
        self._private_key = private_key
        self._public_key = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    @property
    def public_key(self) -> bytes:
        """The compressed point, 33 bytes."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the ESP256 signature of a message: r and s, 32 bytes each, with s in the lower half."""
        r, s = decode_dss_signature(self._private_key.sign(message, _DETERMINISTIC))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")


def check_point(public_key: bytes) -> bytes:
    """Return a public key that is a compressed point on P-256, or raise Rejected("bad_key")."""
    _load_point(public_key)
    return public_key


# The keys of the operator and of a few phones come again and again, and finding the second coordinate of a point takes
# as long as verifying a signature.
@lru_cache(maxsize=POINTS_REMEMBERED_MAX)
def _load_point(public_key: bytes) -> ec.EllipticCurvePublicKey:
    if len(public_key) != KEY_BYTES or public_key[0] not in (2, 3):
        raise Rejected("bad_key", "not a compressed point")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public_key)
    except ValueError:
        raise Rejected("bad_key", "not on the curve") from None


def sig_structure(doc_type: int, payload: bytes) -> bytes:
    """Return the bytes that are signed and hashed: RFC 9052 section 4.4, with the external_aad of the type."""
    return _SIGNED_START[doc_type] + encode_bytes(payload)


def document_id(doc_type: int, payload: bytes) -> bytes:
    """Return the 32-byte identity of a document: the SHA-256 of its Sig_structure, signature not included."""
    return hashlib.sha256(sig_structure(doc_type, payload)).digest()


def short_id(document: bytes) -> bytes:
    """Return the 16 bytes of a 32-byte identity that go on the wire."""
    return document[:SHORT_ID_BYTES]


def sign_document(doc_type: int, payload: bytes, signer: Signer) -> bytes:
    """Return the 64-byte signature of a payload as a document of a type."""
    signature = signer.sign(sig_structure(doc_type, payload))
    assert len(signature) == SIGNATURE_BYTES, len(signature)
    return signature


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a 64-byte signature of a message is of a key; both (r, s) and (r, n - s) are.

    Raises Rejected("bad_key") for bytes that are no key.
    """
    point = _load_point(public_key)
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        point.verify(encode_dss_signature(r, s), message, _SHA256)
    except InvalidSignature:
        return False
    return True


def to_sign1(payload: bytes, signature: bytes) -> bytes:
    """Return an untagged COSE_Sign1 (RFC 9052 section 4.2) that any COSE library reads."""
    return _SIGN1_START + encode(payload) + encode(signature)


def is_sign1(data: bytes) -> bool:
    """Tell whether bytes begin as a COSE_Sign1 does: an array of four that starts with a byte string."""
    return data[:1] == _SIGN1_START[:1] and len(data) > 1 and data[1] >> 5 == 2


def from_sign1(data: bytes) -> tuple[bytes, bytes]:
    """Return payload and signature of a COSE_Sign1 with exactly our header.

    Raises Rejected: bad_header, bad_cbor, bad_field.
    """
    if not data.startswith(_SIGN1_START):
        raise Rejected("bad_header")
    return from_pair(decode(_PAIR_START + data[len(_SIGN1_START) :]))


def from_pair(value: Value) -> tuple[bytes, bytes]:
    """Return payload and signature of a document inside a bundle: [payload, signature], headers left out.

    The headers are constant, so a bundle saves their 5 bytes per document. Raises Rejected("bad_field").
    """
    if type(value) is list and len(value) == 2:
        payload, signature = value
        if type(payload) is bytes and type(signature) is bytes and len(signature) == SIGNATURE_BYTES:
            return payload, signature
    raise Rejected("bad_field", "document")
