"""A wallet is a folder: a key file, a store, a session. This is the only code that opens one.

Opening judges whether the folder is the one that signed last (install.py); signing goes through `Wallet.signing`, which
makes the change durable in both places before anything is shown. Randomness and the clock are the caller's.
"""

import base64
import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tikicash.cose import PrivateKeySigner
from tikicash.messages import key_id
from tikiwallet.cli import book_table
from tikiwallet.cli.install import Record, Verdict, judge, place_of, read_record, write_durably, write_record
from tikiwallet.cli.problems import (
    KeyDamaged,
    KeyMissing,
    PassphraseMissing,
    PassphraseWrong,
    PermissionsTooOpen,
    Problem,
    WalletMissing,
    WalletRestored,
    WalletUnreadable,
)
from tikiwallet.cli.store import Store

KEY_FILE = "key-{}.pem"  # the first 16 hex digits of the key id
STORE_FILE = "wallet.sqlite"
SESSION_FILE = "session"
MARK_BYTES = 16
DEVICE_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What a wallet needs from outside: where the second place is, secrets, the clock and chance."""

    state_dir: Path
    passphrase: Callable[[bool], str]  # asked for a new one (True) or for the one of a key; "" for none
    now: Callable[[], int]  # unix seconds
    random_bytes: Callable[[int], bytes]
    wait_seconds: float = 5.0  # for another command to be done


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The tokens of a session: one that the server takes for minutes, and the one for the next two.

    `exchange_key` names an exchange that has begun, so that one whose answer was lost is the same when asked again; ""
    if there is none.
    """

    token: str
    expires_at: str  # RFC 3339
    refresh_token: str = ""
    exchange_key: str = ""
    refresh_at: int = 0  # unix seconds, by this machine's clock


class Wallet:
    """One person's wallet on one phone, open for one command."""

    def __init__(self, folder: Path, store: Store, edge: Edge) -> None:
        self.folder = folder
        self.store = store
        self.edge = edge
        self.notices: list[Problem] = []
        self._signer: PrivateKeySigner | None = None

    def now(self) -> int:
        """Return the time in unix seconds, never before the newest time that the operator signed."""
        return max(self.edge.now(), self.newest_signed_time())

    def newest_signed_time(self) -> int:
        """Return the newest time that this wallet saw the operator sign, in unix seconds; 0 if none."""
        return int(self.store.setting("newest_signed_time") or 0)

    def key(self) -> sqlite3.Row | None:
        """Return the row of the key in use, or None before the first and after a retired one."""
        return self.store.row("key_in_use")

    def signer(self) -> PrivateKeySigner:
        """Return the key in use, unlocked; make one if there is none.

        Problems: `KeyMissing`, `KeyDamaged`, `PassphraseMissing`, `PassphraseWrong`, `PermissionsTooOpen`.
        """
        if self._signer is None:
            row = self.key()
            self._signer = self._make_key() if row is None else self._load_key(row)
        return self._signer

    @contextlib.contextmanager
    def signing(self) -> Iterator[PrivateKeySigner]:
        """Make what the block signs and stores durable in both places; only then may its code be shown.

        Problems: those of `signer`, `StateUnwritable`.
        """
        signer = self.signer()
        with self.store.transaction():
            yield signer
            self.store.run("count_signing", mark=self.edge.random_bytes(MARK_BYTES))
        self._record_install()

    def retire_key(self, because: str) -> None:
        """Give the key in use up for ever: what it held is not spent from here and comes home by its date.

        Safe to repeat; without a key in use nothing happens.
        """
        row = self.key()
        if row is None:
            return
        with self.store.transaction():
            book_table.send_home(self.store, owner_id=row["key_id"])
            self.store.run("retire_key", now=self.edge.now(), because=because)
        self._signer = None
        # The file goes too, so that no later mistake can sign with it.
        self._key_path(row["key_id"]).unlink(missing_ok=True)

    def check_install(self) -> None:
        """Retire the key if this folder is a copy or an older state, and leave a notice. Problem: `StateUnwritable`."""
        row = self.key()
        if row is None:
            return
        verdict = judge(
            signed_count=row["signed_count"],
            mark=row["mark"].hex(),
            mark_before=row["mark_before"].hex(),
            place=place_of(self.folder),
            state=(state := read_record(self.edge.state_dir, row["key_id"])),
        )
        if verdict in {Verdict.RESTORED, Verdict.COPIED}:
            self.retire_key(verdict)
            self.notices.append(WalletRestored())
        elif state != self._record_now(row):
            self._record_install()

    def device_secret(self) -> str:
        """Return the secret by which the server knows this folder again, made at the first call. It is no key."""
        secret = self.store.setting("device_secret")
        if not secret:
            secret = base64.urlsafe_b64encode(self.edge.random_bytes(DEVICE_SECRET_BYTES)).rstrip(b"=").decode()
            self.store.remember("device_secret", secret)
        return secret

    def session(self) -> Session | None:
        """Return the stored session, or None. Problem: `PermissionsTooOpen`."""
        path = self.folder / SESSION_FILE
        try:
            check_private(path)
            return msgspec.json.decode(path.read_bytes(), type=Session)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep_session(self, session: Session) -> None:
        """Store a session, readable by its owner only."""
        write_durably(self.folder / SESSION_FILE, msgspec.json.encode(session))

    def forget_session(self) -> None:
        """Remove the stored session; money and evidence stay."""
        (self.folder / SESSION_FILE).unlink(missing_ok=True)

    def _key_path(self, of: bytes) -> Path:
        return self.folder / KEY_FILE.format(of.hex()[:16])

    def _make_key(self) -> PrivateKeySigner:
        """Make a key: file, then second place, then store. A crash in between leaves a file that nothing names."""
        private_key = ec.generate_private_key(ec.SECP256R1())
        signer = PrivateKeySigner(private_key)
        passphrase = self.edge.passphrase(True)
        lock = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        pem = private_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        mine, mark = key_id(signer.public_key), self.edge.random_bytes(MARK_BYTES)
        write_durably(self._key_path(mine), pem)
        place = place_of(self.folder)
        record = Record(signed_count=0, mark=mark.hex(), path=place.path, inode=place.inode)
        write_record(self.edge.state_dir, mine, record)
        self.store.run("add_key", key_id=mine, public_key=signer.public_key, made_at=self.edge.now(), mark=mark)
        return signer

    def _load_key(self, row: sqlite3.Row) -> PrivateKeySigner:
        path = self._key_path(row["key_id"])
        try:
            check_private(path)
            pem = path.read_bytes()
        except FileNotFoundError:
            raise KeyMissing from None
        except OSError as error:
            raise WalletUnreadable from error
        locked = b"ENCRYPTED" in pem
        passphrase = self.edge.passphrase(False) if locked else ""
        if locked and not passphrase:
            raise PassphraseMissing
        try:
            private_key = serialization.load_pem_private_key(pem, passphrase.encode() if locked else None)
            assert isinstance(private_key, ec.EllipticCurvePrivateKey)
            signer = PrivateKeySigner(private_key)
        except (ValueError, TypeError, AssertionError, UnsupportedAlgorithm) as error:
            raise (PassphraseWrong if locked else KeyDamaged) from error
        if key_id(signer.public_key) != row["key_id"]:
            raise KeyDamaged
        return signer

    def _record_now(self, row: sqlite3.Row) -> Record:
        place = place_of(self.folder)
        return Record(
            signed_count=row["signed_count"], mark=row["mark"].hex(), path=place.path, inode=place.inode
        )  # fmt: skip

    def _record_install(self) -> None:
        row = self.key()
        assert row is not None
        write_record(self.edge.state_dir, row["key_id"], self._record_now(row))


@contextlib.contextmanager
def open_wallet(folder: Path, edge: Edge, *, create: bool = False) -> Iterator[Wallet]:
    """Open the wallet in a folder for one command; `create` makes the folder and an empty store first.

    Problems: `WalletMissing`, `WalletBusy`, `WalletDamaged`, `WalletUnreadable`, `PermissionsTooOpen`,
    `StateUnwritable`.
    """
    path = folder / STORE_FILE
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        check_private(path)
    except FileNotFoundError:
        raise WalletMissing from None
    except OSError as error:
        raise WalletUnreadable from error
    store = Store(path, wait_seconds=edge.wait_seconds)
    try:
        wallet = Wallet(folder, store, edge)
        wallet.check_install()
        yield wallet
    finally:
        store.close()


def check_private(path: Path) -> None:
    """Refuse a secret that others may read. Raises `FileNotFoundError`; problem: `PermissionsTooOpen`."""
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PermissionsTooOpen(PermissionsTooOpen.sentence().replace("chmod 600", f"chmod 600 {path}"))
