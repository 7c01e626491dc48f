"""What is read at a glance is what the reader reads, byte for byte; whatever the reader refuses is left to it."""

import random

import pytest

from tikicash.bodies import Payment
from tikicash.encoding import INTEGER_MAX, Value, decode, encode
from tikicash.errors import Rejected
from tikicash.glance import one_piece_payment, two_documents
from tikicash.layout import read_body

EDGES = (
    0, 1, 22, 23, 24, 255, 256, 702, 999, 1000, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 253_402_300_799, 253_402_300_800,
    INTEGER_MAX - 1, INTEGER_MAX,
)  # fmt: skip


def by_reader(payload: bytes) -> object:
    try:
        return read_body(payload)
    except Rejected as rejected:
        return rejected.code


def some_payment(draw: random.Random) -> Value:
    """The fields of a payment, right or with numbers at the edges of what may be."""
    usual: list[int] = [1, 702, 5000, 100, 100, 1_767_603_600]
    if draw.random() < 0.7:
        usual[draw.randrange(6)] = draw.choice(EDGES)
    net, currency, first, count, total, paid_at = usual
    pieces: list[Value] = [[draw.randbytes(16), first, count] for _ in range(draw.choice([1] * 9 + [2]))]
    memo_commit = draw.choice([None, draw.randbytes(16), draw.randbytes(15)])
    payee_id = draw.randbytes(draw.choice([16] * 9 + [17]))
    return [4, net, currency, pieces, total, payee_id, draw.randbytes(8), paid_at, memo_commit]


def broken(draw: random.Random, data: bytes) -> bytes:
    """The bytes with one of them changed, left out or put in, or a number or length spelled longer."""
    at = draw.randrange(len(data))
    way = draw.randrange(4)
    if way == 0:
        return (
            data[:at]
            + bytes([draw.choice([0, 1, 0x18, 0x19, 0x1A, 0x1B, 0x58, 0x80, 0xFF, data[at] ^ 1])])
            + data[at + 1 :]
        )
    if way == 1:
        return data[:at] + data[at + 1 :]
    if way == 2:
        return data[:at] + draw.randbytes(1) + data[at:]
    size = draw.choice([1, 2, 4, 8])
    low = data[at] & 31
    longer = bytes([data[at] & 0xE0 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + low.to_bytes(size, "big")
    return data[:at] + longer + data[at + 1 :]


def test_a_payment_at_a_glance_is_the_one_that_is_read() -> None:
    draw, taken, refused = random.Random(1), 0, 0
    for _ in range(30_000):
        payload = encode(some_payment(draw))
        if draw.random() < 0.5:
            payload = broken(draw, payload)
        glance, read = one_piece_payment(payload), by_reader(payload)
        assert glance in (None, read), payload.hex()
        if isinstance(read, Payment) and len(read.pieces) == 1:
            assert glance is not None, payload.hex()
        taken += glance is not None
        refused += isinstance(read, str)
    assert min(taken, refused) > 5000


@pytest.mark.parametrize("number", EDGES)
def test_a_number_at_an_edge_has_one_spelling(number: int) -> None:
    payload = encode([4, 1, 702, [[bytes(16), number, 1]], 1, bytes(16), bytes(8), 1, None])
    at = payload.index(b"\x50" + bytes(16)) + 17
    for size, extra in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if number < 1 << 8 * size:
            spelled = payload[:at] + bytes([extra]) + number.to_bytes(size, "big")
            spelled += payload[at + len(encode(number)) :]
            assert one_piece_payment(spelled) in (None, by_reader(spelled))


def test_a_bundle_at_a_glance_is_what_is_decoded() -> None:
    draw, taken = random.Random(2), 0
    for _ in range(20_000):
        documents: list[Value] = [
            [draw.randbytes(draw.choice([0, 23, 24, 80, 130, 255, 256])), draw.randbytes(draw.choice([64] * 9 + [63]))]
            for _ in range(draw.choice([2] * 9 + [1, 3]))
        ]
        data = encode([draw.choice([7] * 9 + [8]), documents, [], draw.choice([[]] * 9 + [[[1, b"", ""]]])])
        if draw.random() < 0.3:
            data = broken(draw, data)
        pairs = two_documents(data)
        if pairs is not None:
            assert decode(data) == [7, [list(pair) for pair in pairs], [], []], data.hex()
            taken += 1
    assert taken > 2000
