"""Encoding: one value has one encoding, and other people's libraries read it the same."""

import base45
import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.world import code_of
from tikicash.encoding import (
    BYTES_MAX,
    DEPTH_MAX,
    INTEGER_MAX,
    TEXT_MAX,
    base45_decode,
    base45_encode,
    decode,
    encode,
    from_text,
    to_text,
)
from tikicash.errors import Rejected

LEAVES = st.one_of(
    st.integers(0, INTEGER_MAX), st.integers(0, 300), st.binary(max_size=300), st.text(max_size=80), st.none()
)


def nested(depth: int):
    return LEAVES if depth == 0 else st.one_of(LEAVES, st.lists(nested(depth - 1), max_size=5))


VALUES = nested(DEPTH_MAX)


@given(VALUES)
def test_our_encoding_is_the_canonical_one_of_cbor2(value):
    data = encode(value)
    assert data == cbor2.dumps(value, canonical=True)
    assert decode(data) == value


@given(st.binary(max_size=40))
def test_what_we_take_cbor2_reads_equally_and_there_is_no_other_spelling(data):
    code = code_of(lambda: decode(data))
    assert code in (None, "bad_cbor")
    if code is None:
        assert cbor2.loads(data) == decode(data)
        assert encode(decode(data)) == data


@given(VALUES, st.data())
def test_a_changed_byte_is_another_value_or_is_refused(value, data):
    before = bytearray(encode(value))
    at = data.draw(st.integers(0, len(before) - 1))
    before[at] ^= data.draw(st.integers(1, 255))
    code = code_of(lambda: decode(bytes(before)))
    assert code in (None, "bad_cbor")
    if code is None:
        assert decode(bytes(before)) != value
        assert encode(decode(bytes(before))) == bytes(before)


@given(VALUES, st.integers(1, 9))
def test_a_truncated_or_longer_encoding_is_refused(value, more):
    data = encode(value)
    for wrong in (data[:-more], data + bytes(more)):
        with pytest.raises(Rejected, match="bad_cbor"):
            decode(wrong)


@pytest.mark.parametrize("value", [-1, 2**53, True, 1.0, {}, [[[[[1]]]]], "\ud800", (1,)])
def test_a_value_outside_the_profile_cannot_be_written(value):
    with pytest.raises((ValueError, TypeError)):
        encode(value)


@given(st.binary(max_size=200))
def test_base45_is_that_of_the_reference_library(data):
    text = base45_encode(data)
    assert text.encode() == base45.b45encode(data)
    assert base45_decode(text) == data
    assert from_text(to_text(data)) == data


@given(st.text(alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:a\u00e9", max_size=12))
def test_base45_text_has_one_meaning_or_none(text):
    code = code_of(lambda: base45_decode(text))
    assert code in (None, "bad_base45")
    if code is None:
        assert base45_encode(base45_decode(text)) == text
        assert base45.b45decode(text) == base45_decode(text)


def test_the_longest_text_is_read():
    data = bytes(BYTES_MAX)
    assert len(to_text(data)) == TEXT_MAX
    assert from_text(to_text(data)) == data
