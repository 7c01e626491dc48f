"""Where each field stands on the wire, and what it may hold.

One table says the order and the check of every field, so that writing and reading cannot drift apart and the
JavaScript twin has the same table. Text of the rule: protocol/spec/02-documents.md, protocol/tikicash.cddl.
"""

from dataclasses import fields
from typing import Any, Final, TypeAlias

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
from tikicash.encoding import INTEGER_MAX, Value, decode, encode
from tikicash.errors import Rejected

OPENS_NAME: Final = 1
OPENS_MEMO: Final = 2
PIECES_MAX: Final = 16

_OF_UNITS: Final = (Piece, Voucher)  # a union would be made anew at each look

Checks: TypeAlias = tuple[tuple[str, kind.Check], ...]


def _pieces(value: Value) -> tuple[Piece, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= PIECES_MAX:
        raise ValueError(f"is not a list of 1 to {PIECES_MAX} pieces")
    return tuple(_read(Piece, _PIECE, piece) for piece in value)


_PIECE: Final[Checks] = (("parent_id", kind.SHORT_ID), ("first", kind.AMOUNT_OR_ZERO), ("count", kind.AMOUNT))
_OPENING: Final[Checks] = (("opens", kind.whole(OPENS_NAME, OPENS_MEMO)), ("salt", kind.SALT), ("text", kind.MEMO))
_ISSUED: Final[Checks] = (("net", kind.NET), ("issuer", kind.ISSUER))

# The order of the fields on the wire, after the type number.
_CHECKS: Final[dict[int, tuple[type[Any], Checks]]] = {
    cose.VOUCHER: (
        Voucher,
        (
            *_ISSUED,
            ("currency", kind.CURRENCY),
            ("first", kind.AMOUNT_OR_ZERO),
            ("count", kind.AMOUNT),
            ("key", kind.public_key),
            ("issued_at", kind.TIME),
            ("spend_by", kind.TIME),
            ("claim_by", kind.TIME),
            ("payment_max", kind.AMOUNT),
            ("cover", kind.AMOUNT_OR_ZERO),
            ("tier", kind.TIER),
            ("name_commit", kind.optional(kind.COMMIT)),
            ("audience_key", kind.optional(kind.public_key)),
        ),
    ),
    cose.CERTIFICATE: (
        Certificate,
        (
            *_ISSUED,
            ("key", kind.public_key),
            ("issued_at", kind.TIME),
            ("valid_until", kind.TIME),
            ("tier", kind.TIER),
            ("cover_budget", kind.AMOUNT_OR_ZERO),
            ("may_hand_on", kind.yes_no),
            ("name_commit", kind.optional(kind.COMMIT)),
        ),
    ),
    cose.REQUEST: (
        Request,
        (
            ("net", kind.NET),
            ("currency", kind.CURRENCY),
            ("amount", kind.AMOUNT),
            ("nonce", kind.NONCE),
            ("payee_key", kind.public_key),
            ("asked_at", kind.TIME),
            ("name", kind.optional(kind.NAME)),
        ),
    ),
    cose.PAYMENT: (
        Payment,
        (
            ("net", kind.NET),
            ("currency", kind.CURRENCY),
            ("pieces", _pieces),
            ("total", kind.AMOUNT),
            ("payee_id", kind.SHORT_ID),
            ("nonce", kind.NONCE),
            ("paid_at", kind.TIME),
            ("memo_commit", kind.optional(kind.COMMIT)),
        ),
    ),
    cose.RECEIPT: (Receipt, (("payment_id", kind.SHORT_ID), ("accepted_at", kind.TIME))),
    cose.REFUSAL: (Refusal, (("payment_id", kind.SHORT_ID), ("reason", kind.reason))),
    cose.SIGNED_TIME: (SignedTime, (*_ISSUED, ("now", kind.TIME))),
    cose.REVOCATIONS: (
        Revocations,
        (*_ISSUED, ("epoch", kind.EPOCH), ("now", kind.TIME), ("entries", kind.revoked)),
    ),
    cose.ISSUER_KEY: (
        IssuerKey,
        (
            ("net", kind.NET),
            ("number", kind.ISSUER),
            ("key", kind.public_key),
            ("valid_from", kind.TIME),
            ("valid_until", kind.TIME),
        ),
    ),
}
_TYPE_OF: Final = {cls: doc_type for doc_type, (cls, _) in _CHECKS.items()}


def doc_type(body: Body) -> int:
    """Return the type number of a body: the first element of its payload."""
    return _TYPE_OF[type(body)]


def write_body(body: Body) -> bytes:
    """Return the payload of a body: its type number, then its fields in order, as one array."""
    values: list[Value] = [doc_type(body), *(_plain(getattr(body, field.name)) for field in fields(body))]
    return encode(values)


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Piece):
        return [value.parent_id, value.first, value.count]
    plain: Value = value
    return plain


def read_body(payload: bytes) -> Any:
    """Return the body of a payload, every field checked.

    Raises Rejected: bad_cbor, unknown_document, bad_field, bad_key.
    """
    match decode(payload):
        case [int(number), *values] if number in _CHECKS:
            cls, checks = _CHECKS[number]
            body = _read(cls, checks, values)
            return body if number == cose.PAYMENT else _ordered(body)
    raise Rejected("unknown_document")


def read_opening(value: Value) -> Opening:
    """Return the opening that a decoded value is, or raise Rejected("bad_field")."""
    opening: Opening = _read(Opening, _OPENING, value)
    if opening.opens == OPENS_NAME:
        checked("text", kind.NAME, opening.text)
    return opening


def _read(cls: type[Any], checks: Checks, values: Value) -> Any:
    if not isinstance(values, list) or len(values) != len(checks):
        raise Rejected("bad_field", f"{cls.__name__} does not have {len(checks)} fields")
    try:
        read = cls(**{name: check(value) for (name, check), value in zip(checks, values, strict=True)})
    except ValueError:
        for (name, check), value in zip(checks, values, strict=True):
            checked(name, check, value)  # once more, to say which field it was
        raise
    if isinstance(read, _OF_UNITS) and read.first + read.count - 1 > INTEGER_MAX:
        raise Rejected("bad_field", "units above 2^53-1")
    return read


def checked(name: str, check: kind.Check, value: Value) -> Any:
    """Return what a check makes of a value, or raise Rejected("bad_field") with the name of the field."""
    try:
        return check(value)
    except ValueError as wrong:
        raise Rejected("bad_field", f"{name} {wrong}") from None


def _ordered(body: Any) -> Any:
    """Return a body whose dates are in their order, or raise Rejected("bad_field")."""
    match body:
        case Voucher():
            ordered = body.issued_at < body.spend_by <= body.claim_by
        case Certificate():
            ordered = body.issued_at < body.valid_until
        case IssuerKey():
            ordered = body.valid_from < body.valid_until
        case _:
            ordered = True
    if not ordered:
        raise Rejected("bad_field", "dates out of order")
    return body
