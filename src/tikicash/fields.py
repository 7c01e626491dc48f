"""What a field of a document may hold: one small check for each kind of field.

Every check takes the decoded value and returns it, or raises ValueError with what is wrong; layout.py adds the name
of the field. Ranges are part of the standard (protocol/tikicash.cddl), so that a reader never meets an amount of zero,
a date beyond the calendar or a name that turns the text around it upside down.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from tikicash.cose import ID_BYTES, KEY_BYTES, SHORT_ID_BYTES, check_point
from tikicash.encoding import INTEGER_MAX, Value

NET_MAX: Final = 2**32 - 1
ISSUER_MAX: Final = 65_535
CURRENCY_MAX: Final = 999  # ISO 4217 numeric
TIME_MAX: Final = 253_402_300_799  # the last second of the year 9999: later ones break calendars
TIER_MAX: Final = 23
NAME_BYTES_MAX: Final = 64
MEMO_BYTES_MAX: Final = 128
REASON_CHARACTERS_MAX: Final = 40
NONCE_BYTES: Final = 8
SALT_BYTES: Final = 16
COMMIT_BYTES: Final = 16
REVOKED_BYTES: Final = 8

Check = Callable[[Value], Any]

_REASON: Final = re.compile(rf"[a-z][a-z_]{{0,{REASON_CHARACTERS_MAX - 1}}}")
# Control characters, and the marks that reorder or hide text: a name could otherwise show as another person's.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def whole(low: int, high: int) -> Check:
    """Return a check for an integer from low to high, both included."""

    def check(value: Value) -> int:
        if type(value) is not int or not low <= value <= high:  # exactly: True is no integer here
            raise ValueError(f"is not an integer from {low} to {high}")
        return value

    return check


def octets(size: int) -> Check:
    """Return a check for a byte string of one size."""

    def check(value: Value) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise ValueError(f"is not {size} bytes")
        return value

    return check


def text(bytes_max: int) -> Check:
    """Return a check for text of 1 to bytes_max bytes of UTF-8 in which every character can be seen."""

    def check(value: Value) -> str:
        if not isinstance(value, str) or not 1 <= len(value.encode("utf-8", "surrogatepass")) <= bytes_max:
            raise ValueError(f"is not text of 1 to {bytes_max} bytes")
        if _UNSEEN.search(value):
            raise ValueError("has characters that cannot be seen")
        return value

    return check


def optional(inner: Check) -> Check:
    """Return a check for null or what the inner check lets through."""
    return lambda value: None if value is None else inner(value)


def yes_no(value: Value) -> bool:
    """Check 0 or 1 and return it as a truth value: the profile has no booleans."""
    return bool(WHOLE_BIT(value))


def public_key(value: Value) -> bytes:
    """Check a compressed point on P-256; raises Rejected("bad_key") for 33 bytes that are none."""
    return check_point(octets(KEY_BYTES)(value))


def reason(value: Value) -> str:
    """Check a refusal's reason: a code of errors.md, or one of a newer version, in the same letters."""
    if not isinstance(value, str) or not _REASON.fullmatch(value):
        raise ValueError("is not a code")
    return value


def revoked(value: Value) -> tuple[bytes, ...]:
    """Check the entries of a revocation list: starts of key ids, 8 bytes each, ascending, each once."""
    if not isinstance(value, list):
        raise ValueError("is not a list")  # noqa: TRY004 - a wrong type is the peer's mistake here, like a wrong range
    entries = tuple(octets(REVOKED_BYTES)(entry) for entry in value)
    if any(entry >= after for entry, after in pairwise(entries)):
        raise ValueError("is not ascending")
    return entries


WHOLE_BIT: Final = whole(0, 1)
NET: Final = whole(1, NET_MAX)
ISSUER: Final = whole(1, ISSUER_MAX)
CURRENCY: Final = whole(1, CURRENCY_MAX)
AMOUNT: Final = whole(1, INTEGER_MAX)
AMOUNT_OR_ZERO: Final = whole(0, INTEGER_MAX)
TIME: Final = whole(1, TIME_MAX)
TIER: Final = whole(0, TIER_MAX)
EPOCH: Final = whole(0, NET_MAX)
NONCE: Final = octets(NONCE_BYTES)
ID: Final = octets(ID_BYTES)
SHORT_ID: Final = octets(SHORT_ID_BYTES)
COMMIT: Final = octets(COMMIT_BYTES)
SALT: Final = octets(SALT_BYTES)
NAME: Final = text(NAME_BYTES_MAX)
MEMO: Final = text(MEMO_BYTES_MAX)
