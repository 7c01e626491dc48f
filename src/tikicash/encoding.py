"""One value, one encoding: the strict CBOR profile, Base45 and the text of a code.

A document is named by the hash of its bytes. If two byte strings could say the same thing, an honest retry could
look like a second payment, and two phones could disagree about what was signed. General CBOR libraries accept
several spellings of one value, so this profile is our own: unsigned integers, byte strings, text, arrays and null,
definite lengths, shortest form. Rules: protocol/spec/01-encoding.md, RFC 8949 section 4.2.1, RFC 9285.
"""

from typing import Final, TypeAlias

from tikicash.errors import Rejected

Value: TypeAlias = "int | bytes | str | list[Value] | None"

INTEGER_MAX: Final = 2**53 - 1  # the largest integer that JavaScript holds exactly
DEPTH_MAX: Final = 4  # bundle, documents, document; payload, pieces, piece
BYTES_MAX: Final = 4608  # a proof, the largest thing that is ever encoded
PREFIX: Final = "TK1:"
TEXT_MAX: Final = len(PREFIX) + BYTES_MAX // 2 * 3

_BASE45: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE45_DIGIT: Final = {character: digit for digit, character in enumerate(_BASE45)}
_NULL: Final = b"\xf6"
_SHORT_HEADS: Final = [bytes([head]) for head in range(256)]  # a head of one byte: the type and a number below 24
_LONGER_FROM: Final = (24, 2**8, 2**16, 2**32)  # the least number that needs 1, 2, 4 or 8 bytes after its head
_LONG_HEADS: Final = {
    (major, size): bytes([major << 5 | extra])
    for major in range(5)
    for size, extra in ((1, 24), (2, 25), (4, 26), (8, 27))
}


def encode(value: Value) -> bytes:
    """Return the only encoding of a value (RFC 8949 section 4.2.1, narrowed by protocol/spec/01-encoding.md).

    Raises TypeError or ValueError for a value outside the profile: that is a mistake of the caller, not of a peer.
    """
    return _encode(value, 0)


def encode_bytes(data: bytes) -> bytes:
    """Return the only encoding of a byte string: what `encode` returns, for what is signed and hashed all the time."""
    return _head(2, len(data)) + data


def decode(data: bytes) -> Value:
    """Return the value of an encoding, or raise Rejected("bad_cbor") for anything but its only encoding.

    Decodes, encodes again and compares, so that what the reader forgot to refuse is refused by the comparison.
    """
    value, end = _decode(data, 0, 0)
    if end != len(data):
        raise Rejected("bad_cbor", "bytes after the end")
    if encode(value) != data:
        raise Rejected("bad_cbor", "not the shortest form")
    return value


def size_of_head(argument: int) -> int:
    """Return how many bytes the head of a byte string, text or array of this length takes."""
    return 1 if argument < 24 else 2 if argument < 2**8 else 3 if argument < 2**16 else 5


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        if argument < 0:
            raise ValueError(f"integer outside 0..2^53-1: {argument}")
        return _SHORT_HEADS[major << 5 | argument]
    if argument > INTEGER_MAX:
        raise ValueError(f"integer outside 0..2^53-1: {argument}")
    size = 1 if argument < 2**8 else 2 if argument < 2**16 else 4 if argument < 2**32 else 8
    return _LONG_HEADS[major, size] + argument.to_bytes(size, "big")


def _encode(value: Value, depth: int) -> bytes:
    if type(value) is int:  # exactly: True is no integer here
        return _head(0, value)
    if type(value) is bytes:
        return _head(2, len(value)) + value
    if type(value) is list:
        if depth == DEPTH_MAX:
            raise ValueError("arrays nested too deeply")
        return _head(4, len(value)) + b"".join([_encode(item, depth + 1) for item in value])
    if value is None:
        return _NULL
    if type(value) is str:
        text = value.encode("utf-8")
        return _head(3, len(text)) + text
    raise TypeError(f"not in the profile: {type(value).__name__}; for a boolean write 0 or 1")


def _argument(data: bytes, at: int) -> tuple[int, int]:
    """Return the number in a head of several bytes at a position, and where the head ends."""
    low = data[at] & 31
    if low > 27:
        raise Rejected("bad_cbor", "indefinite or reserved length")
    end = at + 1 + (1 << low - 24)
    if end > len(data):
        raise Rejected("bad_cbor", "ends too early")
    argument = int.from_bytes(data[at + 1 : end], "big")
    if argument > INTEGER_MAX:
        raise Rejected("bad_cbor", "integer above 2^53-1")
    if argument < _LONGER_FROM[low - 24]:
        raise Rejected("bad_cbor", "not the shortest form")
    return argument, end


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if at >= len(data):
        raise Rejected("bad_cbor", "ends too early")
    head = data[at]
    if head == _NULL[0]:
        return None, at + 1
    major, argument, start = head >> 5, head & 31, at + 1
    if major not in (0, 2, 3, 4):
        raise Rejected("bad_cbor", "a type outside the profile")
    if argument >= 24:
        argument, start = _argument(data, at)
    if major == 0:
        return argument, start
    # Every item takes at least one byte, so this also bounds how long an array can keep us busy.
    if argument > len(data) - start:
        raise Rejected("bad_cbor", "ends too early")
    if major == 4:
        return _decode_array(data, start, argument, depth)
    body = data[start : start + argument]
    if major == 2:
        return body, start + argument
    try:
        return body.decode("utf-8"), start + argument
    except UnicodeDecodeError:
        raise Rejected("bad_cbor", "text is not UTF-8") from None


def _decode_array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    if depth == DEPTH_MAX:
        raise Rejected("bad_cbor", "arrays nested too deeply")
    items: list[Value] = []
    item: Value
    size = len(data)
    for _ in range(count):
        head = data[at] if at < size else -1
        # Nearly everything in a document is a number, a byte string of less than 256 bytes or an array of a few of
        # those: read here, as _decode would.
        if 0 <= head < 24:
            item, at = head, at + 1
        elif 24 <= head < 28:
            item, at = _argument(data, at)
        elif 0x40 <= head < 0x58 and at + head - 0x3F <= size:
            end = at + head - 0x3F
            item, at = data[at + 1 : end], end
        elif head == 0x58 and at + 1 < size and data[at + 1] >= 24 and at + 2 + data[at + 1] <= size:
            end = at + 2 + data[at + 1]
            item, at = data[at + 2 : end], end
        elif 0x80 <= head < 0x98 and head - 0x80 < size - at:
            item, at = _decode_array(data, at + 1, head - 0x80, depth + 1)
        else:
            item, at = _decode(data, at, depth + 1)
        items.append(item)
    return items, at


def base45_encode(data: bytes) -> str:
    """Return the Base45 text of some bytes (RFC 9285): 3 characters for 2 bytes, 2 for a last odd byte."""
    text = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            number, digit = divmod(number, 45)
            text.append(_BASE45[digit])
    return "".join(text)


def base45_decode(text: str) -> bytes:
    """Return the bytes of a Base45 text (RFC 9285), or raise Rejected("bad_base45").

    Strict: only the 45 characters, no length that leaves one over, no group above 65535 or 255.
    """
    if len(text) % 3 == 1:
        raise Rejected("bad_base45", "one character left over")
    data = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        number = 0
        for character in reversed(group):
            digit = _BASE45_DIGIT.get(character)
            if digit is None:
                raise Rejected("bad_base45", "a character outside the alphabet")
            number = number * 45 + digit
        size = len(group) - 1
        if number >= 1 << 8 * size:
            raise Rejected("bad_base45", "a group too large")
        data += number.to_bytes(size, "big")
    return bytes(data)


def to_text(data: bytes) -> str:
    """Return the text of a code: "TK1:" and Base45, which a QR code carries in its alphanumeric mode."""
    return PREFIX + base45_encode(data)


def from_text(text: str) -> bytes:
    """Return the bytes of a code's text.

    Raises Rejected: not_a_code (prefix), code_too_long, bad_base45. Length is judged before any work is done.
    """
    if not text.startswith(PREFIX):
        raise Rejected("not_a_code")
    if len(text) > TEXT_MAX:
        raise Rejected("code_too_long", f"{len(text)} characters")
    return base45_decode(text[len(PREFIX) :])
