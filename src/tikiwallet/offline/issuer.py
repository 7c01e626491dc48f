"""The operator's word: who signs vouchers, certificates, signed times and revocation lists, and with which key.

Whoever holds a signing key can make money that every phone believes. So the keys stand behind a small port: files here
(key_folder.py), a hardware module elsewhere. Which key signs is decided at each signature by the clock of the caller:
a new key is made known long before it signs, and begins by itself in every process, with no restart in between.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

import msgspec
import structlog

from tikicash.cose import Signer
from tikicash.errors import Rejected
from tikicash.messages import Certificate, IssuerKey, Revocations, Signed, SignedTime, Voucher, key_id, sign
from tikicash.validity import check_issuer_key
from tikiwallet.platform.config import ConfigError

# A new key has to be made before the last one ends, and phones need the overlap to learn it: said this long before.
ENDS_SOON_SECONDS: Final = 90 * 24 * 3600

T = TypeVar("T", bound=Voucher | Certificate | SignedTime | Revocations)
log = structlog.get_logger()


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's keys at one moment. `documents` are in the order of their numbers."""

    root_key: bytes  # public, 33 bytes: what a phone trusts
    documents: tuple[Signed[IssuerKey], ...]  # every signing key that phones should know, signed by the root key
    signers: dict[int, Signer]  # by number; one that doesn't sign any more may be gone


class IssuerKeys(Protocol):
    """Where the operator's keys are."""

    def read(self) -> KeySet:
        """Return the keys as they are now; the same object as long as nothing changed. Cheap: asked for all the time.

        Raises `ConfigError` once for each change that can't be read, and goes on with what was read before it.
        """
        ...


def network_id(root_key: bytes) -> int:
    """Return the number of the network that a root key founds: the same for everybody who knows the key."""
    return int.from_bytes(hashlib.sha256(root_key).digest()[:4], "big") or 1


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that passed every check that a phone would make."""

    keys: KeySet
    issuer_keys: tuple[IssuerKey, ...]
    operator_ids: frozenset[bytes]


class Issuer:
    """Signs what the operator says, and tells which keys are the operator's.

    Keys that are added while a process runs are taken up at once; if they are wrong that is logged, and the process
    goes on with those it has. Raises `ConfigError` if they are wrong from the start.
    """

    def __init__(self, keys: IssuerKeys) -> None:
        self._keys = keys
        self._known = _check(keys.read())
        self._refused: KeySet | None = None  # said once, and not at every signature
        self._said: dict[type[Any], tuple[Signer, Signed[Any]]] = {}  # the last document of each sort
        self.root_key = self._known.keys.root_key
        self.net = network_id(self.root_key)

    @property
    def documents(self) -> tuple[Signed[IssuerKey], ...]:
        """The signing keys, past, present and next, each signed by the root key: what phones have to know."""
        return self._look().keys.documents

    @property
    def issuer_keys(self) -> tuple[IssuerKey, ...]:
        """What `documents` say."""
        return self._look().issuer_keys

    @property
    def operator_ids(self) -> frozenset[bytes]:
        """The ids of all signing keys: a payment to any of them is a hand-back, however old the key is."""
        return self._look().operator_ids

    def number_at(self, now: datetime) -> int:
        """Return the number that a document issued at `now` has to carry: of the newest key that has begun."""
        return self._key_at(now).number

    def operator_key_at(self, now: datetime) -> bytes:
        """Return the key to which phones hand back at `now`, 33 bytes."""
        return self._key_at(now).key

    def ends_at(self, now: datetime) -> datetime:
        """Return until when something can be issued with the keys that there are, those that begin later included."""
        end = self._key_at(now).valid_until
        for key in self._look().issuer_keys:
            if key.valid_from <= end:
                end = max(end, key.valid_until)
        return datetime.fromtimestamp(end, UTC)

    def can_issue(self, now: datetime) -> bool:
        """Tell whether phones would believe what is signed at `now`: whether a key has begun and hasn't ended.

        If not, claims are still taken and closes still run; only nothing new may be issued.
        """
        key = self._key_at(now)
        return key.valid_from <= now.timestamp() <= key.valid_until

    def sign(self, body: T) -> Signed[T]:
        """Return `body` (with the number of `number_at`) signed: the same body gives the same bytes."""
        signer = self._look().keys.signers[body.issuer]
        # What every phone is told of today is the same for all that ask in one second.
        said = self._said.get(type(body))
        if said is None or said[0] is not signer or said[1].body != body:
            said = self._said[type(body)] = signer, sign(body, signer)
        document: Signed[T] = said[1]
        return document

    def _key_at(self, now: datetime) -> IssuerKey:
        known = self._look()
        second = now.timestamp()
        ours = [key for key in known.issuer_keys if key.number in known.keys.signers]
        in_force = [key for key in ours if key.valid_from <= second <= key.valid_until]
        begun = [key for key in ours if key.valid_from <= second]
        return (in_force or begun or ours[:1])[-1]

    def _look(self) -> _Known:
        try:
            keys = self._keys.read()
            if keys is not self._known.keys and keys is not self._refused:
                self._refused = keys
                self._known = _check(keys, root_key=self.root_key)
                log.info("offline keys read again", numbers=[key.number for key in self._known.issuer_keys])
        except ConfigError as error:
            log.error("new offline keys are not used", reason=str(error))  # noqa: TRY400 -- the sentence is the reason
        return self._known


def _check(keys: KeySet, *, root_key: bytes | None = None) -> _Known:
    """Check keys like a phone would: a wrong folder must stop the start and not the first payment."""
    if root_key is not None and keys.root_key != root_key:
        raise ConfigError("The root key is another one than at the start; a network never changes its root key.")
    issuer_keys = tuple(_checked(document, keys.root_key) for document in keys.documents)
    if not issuer_keys or issuer_keys[-1].number not in keys.signers:
        raise ConfigError("The newest issuer document has no signing key beside it.")
    if any(key.number in keys.signers and keys.signers[key.number].public_key != key.key for key in issuer_keys):
        raise ConfigError("An issuer document is of another key than the signing key of its number.")
    if any(key.net != network_id(keys.root_key) for key in issuer_keys):
        raise ConfigError("An issuer document belongs to another network than the root key.")
    numbers = [key.number for key in issuer_keys]
    if numbers != sorted(set(numbers)):
        raise ConfigError("Two issuer documents have one number, or a file has the number of another document.")
    return _Known(
        keys=keys, issuer_keys=issuer_keys, operator_ids=frozenset(key_id(key.key) for key in issuer_keys)
    )  # fmt: skip


def _checked(document: Signed[IssuerKey], root_key: bytes) -> IssuerKey:
    try:
        return check_issuer_key(document, root_key=root_key)
    except Rejected as error:
        raise ConfigError("An issuer document isn't signed by the root key beside it.") from error
