"""What each document says, as frozen values: no bytes, no signatures, no rules.

Fields, units and limits: protocol/spec/02-documents.md.
"""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """The operator says: these numbered minor units belong to this key, until these dates."""

    net: int
    issuer: int  # the number of the signing key
    currency: int  # ISO 4217 numeric
    first: int  # the number of the first unit
    count: int  # minor units
    key: bytes
    issued_at: int  # unix seconds, like every time here
    spend_by: int
    claim_by: int
    payment_max: int  # minor units in one payment
    cover: int  # minor units the operator promises to a payee of this voucher
    tier: int
    name_commit: bytes | None
    audience_key: bytes | None  # the only key that may receive these units


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The operator says: this phone is registered, may or may not hand on, and is covered up to a budget."""

    net: int
    issuer: int
    key: bytes
    issued_at: int
    valid_until: int
    tier: int
    cover_budget: int  # minor units, over all vouchers
    may_hand_on: bool
    name_commit: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The payee says: pay this amount to this key. The name is what he calls himself; nobody has checked it."""

    net: int
    currency: int
    amount: int
    nonce: bytes
    payee_key: bytes
    asked_at: int
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Units first .. first + count - 1 of one voucher or of one earlier payment."""

    parent_id: bytes  # the first 16 bytes of the parent's identity
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The owner of some units says: they belong to this payee now."""

    net: int
    currency: int
    pieces: tuple[Piece, ...]
    total: int
    payee_id: bytes  # key_id of the payee's key
    nonce: bytes  # of the request that it answers
    paid_at: int
    memo_commit: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The payee says: I have this payment."""

    payment_id: bytes  # 16 bytes
    accepted_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The payee says: I claim nothing from this payment, and why. It is not a payment back."""

    payment_id: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTime:
    """The operator says what time it is, so that a phone's clock cannot be turned back behind it."""

    net: int
    issuer: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """The operator says which keys to take no money from any more. Entries are the first 8 bytes of key ids."""

    net: int
    issuer: int
    epoch: int
    now: int
    entries: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """The root key says: this key signs for the operator under this number, for documents issued between two dates."""

    net: int
    number: int
    key: bytes
    valid_from: int
    valid_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a commitment hides: the salt and the text, and whether it is a name or a memo."""

    opens: int  # OPENS_NAME or OPENS_MEMO
    salt: bytes
    text: str


Body: TypeAlias = Voucher | Certificate | Request | Payment | Receipt | Refusal | SignedTime | Revocations | IssuerKey
