"""The operator's keys in files, and the making of new ones.

A folder holds `root.pub`; `root.pem` unless it was taken to a safe place; and for each signing key `issuer-N.pem` and
`issuer-N.tk1`, its document. The document is written last and never changed: its presence says that a key is complete,
so that a crash between two files, or a process that reads in between, finds the keys of before. Several processes may
share the folder; each looks at it before it signs.
"""

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tikicash.cose import PrivateKeySigner, Signer
from tikicash.errors import Rejected
from tikicash.messages import IssuerKey, Signed, parse, sign
from tikiwallet.offline.issuer import Issuer, KeySet, network_id
from tikiwallet.platform.config import ConfigError

ISSUER_KEY_SECONDS: Final = 2 * 366 * 24 * 3600  # how long a key signs; what it signed stays good
CLOCK_SKEW_SECONDS: Final = 3600  # a machine whose clock is a little behind may sign at once
NUMBER_MAX: Final = 65535  # protocol/spec/02-documents.md
KEY_FILE: Final = re.compile(r"root\.pub|issuer-(\d+)\.(pem|tk1)")

Stamp: TypeAlias = tuple[tuple[str, int, int], ...]


class KeyFolder:
    """The port `IssuerKeys` over a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = _stamp(folder)
        self._keys = read_keys(folder)

    def read(self) -> KeySet:
        """Return the keys in the folder; they are read again only when a file came, went or changed."""
        stamp = _stamp(self._folder)
        if stamp != self._stamp:
            self._stamp = stamp
            self._keys = read_keys(self._folder)
        return self._keys


def open_key_folder(folder: Path, *, now: datetime) -> KeyFolder:
    """Return the keys in `folder`, made on the first start (folder 0700, files 0600).

    Safe when several processes start at once: the first complete set of files wins. Raises `ConfigError` for files
    that can't be read.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_missing(folder, now=now)
    return KeyFolder(folder)


def read_keys(folder: Path) -> KeySet:
    """Return what the files of a folder hold. Raises `ConfigError` for any that can't be read."""
    try:
        root_key = bytes.fromhex((folder / "root.pub").read_text().strip())
        documents = {number: _read_document(path) for number, path in _numbered(folder, "tk1").items()}
        # A key without a document is one that is being made.
        signers: dict[int, Signer] = {
            number: PrivateKeySigner(_read_private_key(path))
            for number, path in _numbered(folder, "pem").items()
            if number in documents
        }
    except (OSError, ValueError, TypeError, Rejected) as error:
        raise ConfigError(f"The offline keys in {folder} can't be read: restore the folder from a copy.") from error
    if any(document.body.number != number for number, document in documents.items()):
        raise ConfigError(f"An issuer document in {folder} has another number than its file: restore the folder.")
    return KeySet(root_key=root_key, documents=tuple(documents.values()), signers=signers)


def rotate_issuer_key(folder: Path, *, root_file: Path, now: datetime, overlap_seconds: int) -> IssuerKey:
    """Make the next signing key, which begins to sign after the overlap, and return what its document says.

    Until it begins, running servers make it known to every phone that syncs; nothing has to be started again. Raises
    `ConfigError` for a root key that is missing, can be read by others, or is of another network, and for a folder that
    can't be written.
    """
    issuer = Issuer(KeyFolder(folder))
    root = _read_root(root_file, public_key=issuer.root_key)
    try:
        with _opened(folder, os.O_RDONLY) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # two rotations at once make two keys, one after the other
            number = issuer.issuer_keys[-1].number + 1
            if number > NUMBER_MAX:
                raise ConfigError(f"A network has at most {NUMBER_MAX} signing keys.")
            # A key without a document was left by a rotation that died. Who knows who read it since: it is never used.
            (folder / f"issuer-{number}.pem").unlink(missing_ok=True)
            return _make_key(folder, number=number, valid_from=int(now.timestamp()) + overlap_seconds, root=root)
    except OSError as error:
        raise ConfigError(f"The new key can't be written to {folder}: {error.strerror}.") from error


def _read_root(path: Path, *, public_key: bytes) -> PrivateKeySigner:
    try:
        root = PrivateKeySigner(_read_private_key(path))
    except OSError as error:
        raise ConfigError(
            f"The root key isn't at {path}: bring it back from its safe place, or say where it is."
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} holds no private key.") from error
    if root.public_key != public_key:
        raise ConfigError(f"{path} is the root key of another network than root.pub says.")
    return root


def _make_missing(folder: Path, *, now: datetime) -> None:
    """Make a fresh root and the first signing key, unless the folder holds a root already."""
    if (folder / "root.pub").exists():
        return
    _write_once(folder / "root.pem", _pem(ec.generate_private_key(ec.SECP256R1())))
    root = PrivateKeySigner(_read_private_key(folder / "root.pem"))
    _make_key(folder, number=1, valid_from=int(now.timestamp()) - CLOCK_SKEW_SECONDS, root=root)
    # Written last: its presence says that the set is complete, so a crash before leaves something to go on with.
    _write_once(folder / "root.pub", root.public_key.hex().encode() + b"\n")


def _make_key(folder: Path, *, number: int, valid_from: int, root: PrivateKeySigner) -> IssuerKey:
    """Make a signing key and its document, or find those of whoever was first; returns what the document says."""
    key_file, document_file = folder / f"issuer-{number}.pem", folder / f"issuer-{number}.tk1"
    _write_once(key_file, _pem(ec.generate_private_key(ec.SECP256R1())))
    signer = PrivateKeySigner(_read_private_key(key_file))
    document = sign(
        IssuerKey(
            net=network_id(root.public_key),
            number=number,
            key=signer.public_key,
            valid_from=valid_from,
            valid_until=valid_from + ISSUER_KEY_SECONDS,
        ),
        root,
    )
    _write_once(document_file, document.to_bytes())
    return _read_document(document_file).body


def _stamp(folder: Path) -> Stamp:
    """Return what differs as soon as a key file came, went, changed or got other permissions."""
    try:
        with os.scandir(folder) as entries:
            files = [(entry.name, entry.stat()) for entry in entries if KEY_FILE.fullmatch(entry.name)]
    except OSError:
        return ()
    return tuple(sorted((name, stat.st_ctime_ns, stat.st_size) for name, stat in files))


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    found = (KEY_FILE.fullmatch(path.name) for path in folder.iterdir())
    numbers = sorted(int(name[1]) for name in found if name is not None and name[2] == suffix)
    return {number: folder / f"issuer-{number}.{suffix}" for number in numbers}


def _write_once(path: Path, content: bytes) -> None:
    """Write a file durably unless another process was first; nobody ever sees half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with _opened(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        os.write(descriptor, content)
        os.fsync(descriptor)
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    # The name too: a key that is lost in a power cut after it signed would make its vouchers nobody's.
    with _opened(path.parent, os.O_RDONLY) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o600)
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
