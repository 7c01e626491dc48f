"""The operator's keys: who signs vouchers, certificates, signed times and revocation lists.

Whoever holds these keys can make money that every phone believes. So they stand behind a small port: files here, a
hardware module elsewhere; and the root key, which only says which signing keys are the operator's, may be taken away
from this machine after the first start.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tikicash.bodies import Body
from tikicash.cose import PrivateKeySigner, Signer
from tikicash.errors import Rejected
from tikicash.messages import IssuerKey, Signed, key_id, parse, sign
from tikicash.validity import check_issuer_key
from tikiwallet.platform.config import ConfigError

ISSUER_KEY_SECONDS: Final = 2 * 366 * 24 * 3600  # a signing key lives longer than everything it signs
CLOCK_SKEW_SECONDS: Final = 3600  # a machine whose clock is a little behind may sign at once

T = TypeVar("T", bound=Body)


class IssuerKeys(Protocol):
    """Where the operator's keys are. `documents` lists every signing key that phones should know, the newest last."""

    @property
    def root_key(self) -> bytes:
        """The public root key, 33 bytes: what a phone trusts."""
        ...

    @property
    def documents(self) -> tuple[Signed[IssuerKey], ...]:
        """The signing keys, each signed by the root key."""
        ...

    @property
    def signer(self) -> Signer:
        """The signing key of the newest document."""
        ...


def network_id(root_key: bytes) -> int:
    """Return the number of the network that a root key founds: the same for everybody who knows the key."""
    return int.from_bytes(hashlib.sha256(root_key).digest()[:4], "big") or 1


class Issuer:
    """Signs what the operator says. Everything it needs is read once, at start."""

    def __init__(self, keys: IssuerKeys) -> None:
        self.root_key = keys.root_key
        self.net = network_id(keys.root_key)
        self.documents = keys.documents
        # Checked like a phone would: a wrong folder must stop the start and not the first payment.
        self.issuer_keys = tuple(_checked(document, keys.root_key) for document in keys.documents)
        current = self.issuer_keys[-1]
        if current.key != keys.signer.public_key:
            raise ConfigError("The newest issuer document is of another key than the signing key.")
        if any(item.net != self.net for item in self.issuer_keys):
            raise ConfigError("An issuer document belongs to another network than the root key.")
        self.number = current.number
        self.operator_key = current.key
        self.operator_ids = frozenset(key_id(item.key) for item in self.issuer_keys)
        self._signer = keys.signer

    def sign(self, body: T) -> Signed[T]:
        """Return `body` (of this network and this issuer number) signed. The same body gives the same bytes."""
        return sign(body, self._signer)


def _checked(document: Signed[IssuerKey], root_key: bytes) -> IssuerKey:
    try:
        return check_issuer_key(document, root_key=root_key)
    except Rejected as error:
        raise ConfigError("An issuer document isn't signed by the root key beside it.") from error


class KeyFolder(msgspec.Struct, frozen=True, kw_only=True):
    """Keys in files: `root.pub`, `issuer-1.pem` and `issuer-1.tk1`, and `root.pem` unless it was taken away."""

    root_key: bytes
    documents: tuple[Signed[IssuerKey], ...]
    signer: Signer


def open_key_folder(folder: Path, *, now: datetime) -> KeyFolder:
    """Return the keys in `folder`, made on the first start (folder 0700, files 0600).

    Safe when several processes start at once: the first complete set of files wins. Raises `ConfigError` for files
    that can't be read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_missing(folder, now=now)
    try:
        root_key = bytes.fromhex((folder / "root.pub").read_text().strip())
        documents = tuple(_read_document(path) for path in _numbered(folder, "tk1"))
        signer = PrivateKeySigner(_read_private_key(_numbered(folder, "pem")[-1]))
    except (OSError, ValueError, TypeError, IndexError, Rejected) as error:
        raise ConfigError(f"The offline keys in {folder} can't be read: restore the folder from a copy.") from error
    return KeyFolder(root_key=root_key, documents=documents, signer=signer)


def _numbered(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"issuer-*.{suffix}"), key=lambda path: int(path.stem.removeprefix("issuer-")))


def _make_missing(folder: Path, *, now: datetime) -> None:
    """Make a fresh root and the first signing key, unless the folder holds a root already."""
    if (folder / "root.pub").exists():
        return
    _write_once(folder / "root.pem", _pem(ec.generate_private_key(ec.SECP256R1())))
    root = PrivateKeySigner(_read_private_key(folder / "root.pem"))
    _write_once(folder / "issuer-1.pem", _pem(ec.generate_private_key(ec.SECP256R1())))
    signer = PrivateKeySigner(_read_private_key(folder / "issuer-1.pem"))
    second = int(now.timestamp())
    document = sign(
        IssuerKey(
            net=network_id(root.public_key),
            number=1,
            key=signer.public_key,
            valid_from=second - CLOCK_SKEW_SECONDS,
            valid_until=second + ISSUER_KEY_SECONDS,
        ),
        root,
    )
    _write_once(folder / "issuer-1.tk1", document.to_bytes())
    # Written last: its presence says that the set is complete, so a crash before leaves something to go on with.
    _write_once(folder / "root.pub", root.public_key.hex().encode() + b"\n")


def _write_once(path: Path, content: bytes) -> None:
    """Write a file durably unless another process was first; nobody ever sees half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with _private_file(draft) as descriptor:
        os.write(descriptor, content)
        os.fsync(descriptor)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


@contextlib.contextmanager
def _private_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others; make it private (chmod 600) and ask who may have copied it.")
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path} holds no P-256 key.")
    return key


def _read_document(path: Path) -> Signed[IssuerKey]:
    document = parse(path.read_bytes())
    if not isinstance(document, Signed) or not isinstance(document.body, IssuerKey):
        raise ConfigError(f"{path} holds no issuer document.")
    return document
