"""Documents of the simulated people: the real bodies, bytes and identities, with real signatures or with cheap ones.

Signing and verifying would be nine tenths of the time. Which rule protects whom does not depend on them, so the large
run signs with random bytes that always verify, and a small run with real keys shows that nothing else differs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from tikicash import messages
from tikicash.cose import PrivateKeySigner, document_id, verify_signature
from tikicash.layout import doc_type, write_body
from tikicash.messages import Body, Bundle, Certificate, IssuerKey, Signed, key_id

T = TypeVar("T", bound=Body)

NET = 1
CURRENCY = 978
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
START = 1_767_571_200  # 5 January 2026, 00:00 UTC
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Keys:
    """A key pair; `signer` is None where signatures are stubbed."""

    public: bytes
    id: bytes
    signer: PrivateKeySigner | None


class Paper:
    """Makes keys and signs documents, from one seed. No two districts have a key in common."""

    def __init__(self, seed: str, *, real: bool) -> None:
        # A repeatable world, and no secret depends on it.
        self._random = Random(f"paper {seed}")  # noqa: S311
        self.real = real
        self.verify: Callable[[bytes, bytes, bytes], bool] = verify_signature if real else _says_yes
        root, self.operator = self.keys(), self.keys()
        issuer = IssuerKey(net=NET, number=1, key=self.operator.public, valid_from=START - DAY, valid_until=START * 2)
        self.issuer_keys = (self.sign(issuer, root).body,)

    def keys(self) -> Keys:
        """Return a fresh key pair."""
        secret = self._random.randrange(1, 2**255)
        if not self.real:
            public = b"\2" + secret.to_bytes(32, "big")
            return Keys(public, key_id(public), None)
        signer = PrivateKeySigner(ec.derive_private_key(secret, ec.SECP256R1()))
        return Keys(signer.public_key, key_id(signer.public_key), signer)

    def bundle(self, documents: tuple[Any, ...], certificates: tuple[Signed[Certificate], ...] = ()) -> Bundle:
        """Return documents as one bundle."""
        return (Bundle if self.real else Sheaf)(documents=documents, certificates=certificates)

    def sign(self, body: T, keys: Keys) -> Signed[T]:
        """Return a body as a document that a key signed."""
        if keys.signer is not None:
            return messages.sign(body, keys.signer)
        payload = write_body(body)
        # A browser's signatures are random: the same payload never gets the same bytes twice.
        signature = self._random.randbytes(64)
        return Unchecked(body=body, payload=payload, signature=signature, id=identity(body, payload, signature))


class Unchecked(Signed[T]):
    """A document whose signature nobody looks at, so that the bytes under it are not written out again and again."""

    __slots__ = ()

    @property
    def message(self) -> bytes:
        """Nothing: every signature verifies."""
        return b""

    @property
    def size(self) -> int:
        """How many bytes the document takes inside a bundle: an array of two byte strings."""
        return 1 + (2 if len(self.payload) < 256 else 3) + len(self.payload) + 2 + len(self.signature)


class Sheaf(Bundle):
    """A bundle of unchecked documents, which only its length is asked of."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Return as many bytes as the bundle has."""
        lists = (self.documents, self.certificates)
        heads = 3 + sum(1 + (len(items) > 23) for items in lists)
        return bytes(heads + sum(item.size for items in lists for item in items))


def twin(document: Signed[T]) -> Signed[T]:
    """Return the same document with the other signature that verifies: (r, n - s). Anybody can make it."""
    s = int.from_bytes(document.signature[32:], "big") % _ORDER
    signature = document.signature[:32] + (_ORDER - s).to_bytes(32, "big")
    known = identity(document.body, document.payload, signature)
    return type(document)(body=document.body, payload=document.payload, signature=signature, id=known)


def identity(body: Body, payload: bytes, signature: bytes) -> bytes:  # noqa: ARG001 - a mutant listens to it
    """Return the identity that a reader computes for a document: of what was signed, never of the signature."""
    return document_id(doc_type(body), payload)


def _says_yes(public_key: bytes, message: bytes, signature: bytes) -> bool:  # noqa: ARG001
    return True
