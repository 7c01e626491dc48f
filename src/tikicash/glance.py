"""A payment and the bundle that brings it, read at a glance: the same values as the reader's, without a tree of them.

Nearly everything that is brought is one voucher and one payment of one piece, and reading those step by step costs the
settlement nearly as much as their signatures. Here their only spelling is matched whole. Whatever isn't plainly that is
for the reader (encoding.py, layout.py), which stays the rule and says what is wrong.
"""

import re
from typing import Final

from tikicash.bodies import Payment, Piece
from tikicash.encoding import INTEGER_MAX
from tikicash.fields import CURRENCY_MAX, NET_MAX, TIME_MAX

# An integer up to 2^53-1 in its shortest form: in its head, or in 1, 2, 4 or 8 bytes after it.
_INTEGER: Final = (
    rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00).{2}|\x1a(?!\x00\x00).{4}|\x1b(?!\x00{4})\x00[\x00-\x1f].{6})"
)
# An array of 9: type, net, currency, one piece (parent, first, count), total, payee, nonce, time, memo or null.
_PAYMENT: Final = re.compile(
    rb"\x89\x04" + 2 * _INTEGER + rb"\x81\x83\x50(.{16})" + 3 * _INTEGER
    + rb"\x50(.{16})\x48(.{8})" + _INTEGER + rb"(?:\xf6|\x50(.{16}))",
    re.DOTALL,
)  # fmt: skip

_BUNDLE_START: Final = b"\x84\x07\x82"  # an array of 4: type, an array of two documents ...
_BUNDLE_END: Final = b"\x80\x80"  # ... no certificates, no openings
_DOCUMENT_START: Final = b"\x82\x58"  # an array of 2: the payload, a byte string of a length that takes a byte ...
_SIGNATURE_HEAD: Final = b"\x58\x40"  # ... and the signature, 64 bytes
_SHORT_MAX: Final = 23  # a length that takes no byte of its own
_BESIDE_PAYLOADS_BYTES: Final = 143  # of a bundle of two documents


def two_documents(data: bytes) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]] | None:
    """Return payload and signature of both documents of a bundle that has just those, or None: then decode it."""
    if len(data) < _BESIDE_PAYLOADS_BYTES or data[:3] != _BUNDLE_START or data[3:5] != _DOCUMENT_START:
        return None
    first_end = 6 + data[5]
    second_at = first_end + 66
    if data[5] <= _SHORT_MAX or data[first_end : first_end + 2] != _SIGNATURE_HEAD or len(data) < second_at + 3:
        return None
    second_end = second_at + 3 + data[second_at + 2]
    if (
        data[second_at : second_at + 2] != _DOCUMENT_START
        or data[second_at + 2] <= _SHORT_MAX
        or data[second_end : second_end + 2] != _SIGNATURE_HEAD
        or len(data) != second_end + 68
        or data[-2:] != _BUNDLE_END
    ):
        return None
    return (
        (data[6:first_end], data[first_end + 2 : second_at]),
        (data[second_at + 3 : second_end], data[second_end + 2 : -2]),
    )


def one_piece_payment(payload: bytes) -> Payment | None:
    """Return the payment of one piece that a payload is, every field in its range, or None: then read it."""
    match = _PAYMENT.fullmatch(payload)
    if match is None:
        return None
    net, currency, parent_id, first, count, total, payee_id, nonce, paid_at, memo_commit = match.groups()
    piece = Piece(parent_id=parent_id, first=_number(first), count=_number(count))
    payment = Payment(
        net=_number(net), currency=_number(currency), pieces=(piece,), total=_number(total), payee_id=payee_id,
        nonce=nonce, paid_at=_number(paid_at), memo_commit=memo_commit,
    )  # fmt: skip
    is_in_range = (
        1 <= payment.net <= NET_MAX
        and 1 <= payment.currency <= CURRENCY_MAX
        and 1 <= piece.count <= INTEGER_MAX + 1 - piece.first
        and payment.total >= 1
        and 1 <= payment.paid_at <= TIME_MAX
    )
    return payment if is_in_range else None


def _number(encoded: bytes) -> int:
    return encoded[0] if len(encoded) == 1 else int.from_bytes(encoded[1:], "big")
