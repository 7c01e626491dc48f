"""Broken codes: bytes, values inside the CBOR, documents and signatures of real ones, changed one at a time.

Two fuzzers break codes with it: one asks whether anything broken is ever believed (protocol/fuzz.py), the other whether
Python and JavaScript say the same of it (web/fuzz.py). They differ in who signs what was changed.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from protocol import world
from tikicash import cose
from tikicash.encoding import BYTES_MAX, INTEGER_MAX, Value, decode, encode, from_text, to_text
from tikicash.errors import Rejected

NUMBERS = (0, 1, 2, 16, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 2, 2**53 - 1, world.NOW)
PEOPLE = (world.ROOT, world.ISSUER, world.ASHA, world.BEN, world.CHI, world.DAN, world.EVE, world.MALLORY)
POINTS = tuple(key.public for key in PEOPLE)
KEY_IDS = tuple(key.id for key in PEOPLE)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

SignerOf = Callable[[int, random.Random], cose.Signer]


def twin_of(signature: bytes) -> bytes:
    """Return the other signature that anybody can make of one, and that verifies as well: (r, n - s)."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + ((ORDER - s) % ORDER).to_bytes(32, "big")


class Mutator:
    """Breaks codes, the same way for the same draws. `codes` are real ones, to borrow from."""

    def __init__(self, draw: random.Random, *, codes: Sequence[bytes], signer_of: SignerOf) -> None:
        self.random = draw
        self.codes = codes
        self.signer_of = signer_of
        values = [decode(data) for data in codes if not cose.is_sign1(data)]
        lists = [part for value in values if isinstance(value, list) for part in value if isinstance(part, list)]
        self.borrowable: list[Value] = [list(cose.from_sign1(data)) for data in codes if cose.is_sign1(data)]
        self.borrowable += [item for part in lists for item in part]

    def code(self, text: str) -> str:
        """Return the text of a code, broken somewhere."""
        try:
            data = from_text(text)
        except Rejected:
            return self.characters(text)
        return self.characters(text) if self.random.random() < 0.1 else to_text(self.data(data))

    def data(self, data: bytes) -> bytes:
        """Return the bytes of a code, broken somewhere."""
        kind = self.random.random()
        if kind < 0.1:
            return self.octets(data)
        return self.hostile(data) if kind < 0.13 else self.structure(data)

    def characters(self, text: str) -> str:
        """Return text with one character taken, doubled or changed, or cut short."""
        at = self.random.randrange(len(text) + 1)
        new = self.random.choice("0Z:%$ tK1/€\U0001f4b0")
        less, other, cut = text[:at] + text[at + 1 :], text[:at] + new + text[at + 1 :], text[:at]
        return self.random.choice((less, other, cut, cut + text[at:] * 2, text + cut))

    def octets(self, data: bytes) -> bytes:
        """Return bytes with one bit, byte or run of them changed, or with a run of another code's bytes."""
        at = self.random.randrange(len(data) + 1)
        size = self.random.randrange(1, 40)
        other = self.random.choice(self.codes)
        place = self.random.randrange(len(other))
        return self.random.choice((
            data[:at] + bytes(byte ^ 1 << self.random.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :],
            data[:at] + self.random.randbytes(1) + data[at + 1 :],
            data[:at] + data[at + size :],
            data[:at] + self.random.randbytes(size) + data[at:],
            data[:at] + other[place : place + size] + data[at + size :],
            data[:at] + other[place:],
        ))  # fmt: skip

    def hostile(self, data: bytes) -> bytes:
        """Return something as large as a code can get, or larger: it must cost nothing to refuse."""
        try:
            value = None if cose.is_sign1(data) else decode(data)
        except Rejected:
            value = None
        lists = [at for at, part in enumerate(value) if isinstance(part, list)] if isinstance(value, list) else []
        if not isinstance(value, list) or not lists or self.random.random() < 0.2:
            filler = self.random.choice((bytes(1), b"\x80", b"\x84", b"\x9f", b"\xf6"))
            return data + filler * self.random.choice((1, max(0, BYTES_MAX - len(data)), BYTES_MAX))
        at = self.random.choice(lists)
        part: Any = value[at]
        more = self.random.choice((part, self.borrowable, [[]], [None], [[[[[]]]]], [b""]))
        many = more * (self.random.choice((13, 17, 25, 37)) // max(1, len(more)) + 1)
        return encode_anything([*value[:at], [*part[:-1], *many, *part[-1:]], *value[at + 1 :]])

    def structure(self, data: bytes) -> bytes:
        """Return a code with something changed inside its CBOR, and perhaps signed anew; as it was if that can't be."""
        alone = cose.is_sign1(data)
        try:
            value: Value = list(cose.from_sign1(data)) if alone else decode(data)
            changed = self.document(value) if alone else self.message(value)
            return cose.to_sign1(*changed) if alone else encode(changed)
        except (Rejected, ValueError, TypeError):
            return data

    def message(self, value: Any) -> Any:
        """Return a bundle or proof with a list changed or one of its documents."""
        lists = [at for at, item in enumerate(value) if isinstance(item, list) and item]
        if not lists:
            return self.value(value)
        at = self.random.choice(lists)
        items = list(value[at])
        index = self.random.randrange(len(items))
        match self.random.randrange(10):
            case 0:
                items.pop(index)
            case 1:
                items.insert(self.random.randrange(len(items) + 1), items[index])
            case 2:
                self.random.shuffle(items)
            case 3:
                items.insert(index, self.random.choice(self.borrowable))
            case 4:
                items[index] = self.random.choice(self.borrowable)
            case 5:
                return self.value(value)
            case 6:
                return self.relinked(value, at, index)
            case _:
                items[index] = self.document(items[index])
        return [*value[:at], items, *value[at + 1 :]]

    def relinked(self, value: Any, at: int, index: int) -> Any:
        """Return a message with one document changed, and everything that names it changed and signed to fit."""
        lists = [list(part) if isinstance(part, list) else part for part in value]
        items = lists[at]
        new_ids: dict[bytes, bytes] = {}
        for number in range(index, len(items)):
            before = items[number]
            if not is_pair(before) or not (number == index or any(old[:16] in before[0] for old in new_ids)):
                continue
            payload = encode(self.value(decode(before[0]))) if number == index else before[0]
            for old, new in new_ids.items():
                payload = payload.replace(old[:16], new[:16])
            items[number] = self.signed(decode(payload), before)
            new_ids[id_of(before[0])] = id_of(payload)
        return [new_ids.get(part, part) if isinstance(part, bytes) else part for part in lists]

    def document(self, pair: Any) -> Any:
        """Return a document or opening with a field or its signature changed."""
        if not is_pair(pair):
            return self.value(pair)
        payload, signature = pair
        if self.random.random() < 0.2:
            wrong = (bytes(64), b"\xff" * 64, signature[32:] + signature[:32], signature[:-1])
            return [payload, self.random.choice((twin_of(signature), *wrong))]
        if self.random.random() < 0.1:
            return self.signed(decode(payload), pair)
        changed = self.value(decode(payload))
        return self.signed(changed, pair) if self.random.random() < 0.7 else [encode(changed), signature]

    def signed(self, fields: Any, pair: Any) -> Any:
        """Return a document with these fields, signed as if it were right."""
        payload = encode(fields)
        doc_type = fields[0] if isinstance(fields, list) and fields else None
        if not isinstance(doc_type, int) or doc_type not in cose.EXTERNAL_AAD:
            return [payload, pair[1]]
        return [payload, cose.sign_document(doc_type, payload, self.signer_of(doc_type, self.random))]

    def value(self, value: Any) -> Any:
        """Return a CBOR value with one leaf or list changed."""
        if isinstance(value, list) and value and self.random.random() < 0.9:
            at = self.random.randrange(len(value))
            return [*value[:at], self.value(value[at]), *value[at + 1 :]]
        if isinstance(value, int) and self.random.random() < 0.6:
            return min(max(value + self.random.choice((-86_400, -256, -1, 1, 2, 256, 86_400)), 0), INTEGER_MAX)
        if isinstance(value, bytes) and value and self.random.random() < 0.6:
            at = self.random.randrange(len(value))
            return value[:at] + bytes([value[at] ^ 1 << self.random.randrange(8)]) + value[at + 1 :]
        keys = [*POINTS, *KEY_IDS]
        return self.random.choice((self.random.choice(NUMBERS), None, b"", "", "Ben", "\u202eneB", [], [value], value,
                                   self.random.randbytes(self.random.choice((8, 16, 32, 33))),
                                   self.random.choice(keys)))  # fmt: skip


def is_pair(value: Any) -> bool:
    """Tell whether a value looks like a document in a bundle: [payload, signature]."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], bytes) and isinstance(value[1], bytes)


def id_of(payload: bytes) -> bytes:
    """Return the 32 bytes that name a document. Raises Rejected for a payload that is of no type."""
    fields = decode(payload)
    doc_type = fields[0] if isinstance(fields, list) and fields else None
    if not isinstance(doc_type, int) or doc_type not in cose.EXTERNAL_AAD:
        raise Rejected("unknown_document")
    return cose.document_id(doc_type, payload)


def encode_anything(value: Any) -> bytes:
    """Return CBOR also of arrays that are too deep for the profile."""
    if not isinstance(value, list):
        return encode(value)
    count = len(value)
    head = bytes([0x80 | count]) if count < 24 else b"\x98" + bytes([count]) if count < 256 else (
        b"\x99" + count.to_bytes(2, "big")
    )  # fmt: skip
    return head + b"".join(encode_anything(item) for item in value)
