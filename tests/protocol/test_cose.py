"""Signatures: any COSE library reads our documents, and nothing but the exact key, type and bytes verifies."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cwt import COSE, COSEKey

from protocol.stories_payment import high_s
from protocol.world import ASHA, BEN, chained
from tikicash.cose import (
    EXTERNAL_AAD,
    PAYMENT,
    VOUCHER,
    PrivateKeySigner,
    check_point,
    document_id,
    from_sign1,
    sig_structure,
    sign_document,
    to_sign1,
    verify_signature,
)
from tikicash.errors import Rejected
from tikicash.messages import parse

ESP256 = -9


def private_key(seed: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(seed, ec.SECP256R1())


def cose_key(key) -> COSEKey:
    numbers = key.public_numbers() if hasattr(key, "public_numbers") else key.private_numbers().public_numbers
    parts = {1: 2, 3: ESP256, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
    if hasattr(key, "private_numbers"):
        parts[-4] = key.private_numbers().private_value.to_bytes(32, "big")
    return COSEKey.new(parts)


def test_another_library_verifies_what_we_sign():
    key = private_key(4711)
    payload = b"\x82\x04\x05"
    data = to_sign1(payload, sign_document(PAYMENT, payload, PrivateKeySigner(key)))
    cose = COSE.new()
    tagged = b"\xd2" + data
    assert cose.decode(tagged, cose_key(key.public_key()), external_aad=EXTERNAL_AAD[PAYMENT]) == payload


def test_we_verify_what_another_library_signs():
    key = private_key(4712)
    signer = PrivateKeySigner(key)
    payload = b"\x82\x04\x05"
    tagged = COSE.new().encode(payload, cose_key(key), protected={1: ESP256}, external_aad=EXTERNAL_AAD[PAYMENT])
    assert tagged[0] == 0xD2
    read, signature = from_sign1(tagged[1:])
    assert read == payload
    assert verify_signature(signer.public_key, sig_structure(PAYMENT, payload), signature)


def test_signing_is_deterministic_with_a_low_s_and_both_twins_verify():
    paid = chained().to_ben
    again = chained().to_ben
    assert paid == again
    assert int.from_bytes(paid.signature[32:], "big") < 2**255
    twin = high_s(paid)
    assert twin.signature != paid.signature
    assert verify_signature(ASHA.public, twin.message, twin.signature)
    assert parse(twin.to_bytes()).id == paid.id


def test_a_signature_on_one_type_is_none_on_another():
    paid = chained().to_ben
    assert verify_signature(ASHA.public, paid.message, paid.signature)
    assert not verify_signature(ASHA.public, sig_structure(VOUCHER, paid.payload), paid.signature)
    assert document_id(VOUCHER, paid.payload) != paid.id


def test_other_keys_lengths_and_zeros_do_not_verify():
    paid = chained().to_ben
    assert not verify_signature(BEN.public, paid.message, paid.signature)
    assert not verify_signature(ASHA.public, paid.message, paid.signature[:-1])
    assert not verify_signature(ASHA.public, paid.message, bytes(64))
    assert not verify_signature(ASHA.public, paid.message, b"\xff" * 64)


@pytest.mark.parametrize("key", [bytes(33), b"\x02" + b"\xff" * 32, b"\x04" + bytes(64), b"\x02" + bytes(31)])
def test_only_compressed_points_on_the_curve_are_keys(key):
    with pytest.raises(Rejected, match="bad_key"):
        check_point(key)


def test_only_p256_keys_sign():
    with pytest.raises(TypeError):
        PrivateKeySigner(ec.derive_private_key(7, ec.SECP384R1()))
