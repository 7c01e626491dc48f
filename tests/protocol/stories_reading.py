"""Stories about reading a code: bytes, text and fields, before any signature is looked at."""

from collections.abc import Iterator
from typing import Any

from protocol.world import (
    ASHA,
    BEN,
    EUR,
    FIRST,
    ISSUER,
    ISSUER_KEY,
    NET,
    NOW,
    ROOT,
    certificate,
    chained,
    nonce,
    pay,
    piece,
    request,
    voucher,
)
from tikicash.cose import PAYMENT, REFUSAL, REQUEST, REVOCATIONS, sign_document, to_sign1
from tikicash.encoding import BYTES_MAX, encode, to_text
from tikicash.messages import Receipt, Refusal, Revocations, SignedTime, sign, to_code

Story = dict[str, Any]


def decodes(why: str, data: str, code: str | None = None) -> Story:
    return {"why": why, "check": "decode", "now": NOW, "input": data, "context": {}, "code": code}


def reads(why: str, text: str, code: str | None = None) -> Story:
    return {"why": why, "check": "parse_code", "now": NOW, "input": text, "context": {}, "code": code}


def raw(doc_type: int, *values: Any) -> str:
    """The code of a document whose fields nobody checked, signed by Ben."""
    payload = encode([doc_type, *values])
    return to_text(to_sign1(payload, sign_document(doc_type, payload, BEN.signer)))


def reading() -> Iterator[Story]:
    yield from bytes_and_text()
    yield from every_document()
    yield from wrong_shapes()
    yield from wrong_fields()


def bytes_and_text() -> Iterator[Story]:
    yield decodes("one of each kind of value is read", "8518ff4201026361c3a9f680")
    yield decodes("the largest integer is 2^53-1", "1b001fffffffffffff")
    yield decodes("2^53 does not exist in JavaScript", "1b0020000000000000", "bad_cbor")
    yield decodes("23 written in two bytes is a second spelling", "1817", "bad_cbor")
    yield decodes("255 written in three bytes is a second spelling", "1900ff", "bad_cbor")
    yield decodes("65535 written in five bytes is a second spelling", "1a0000ffff", "bad_cbor")
    yield decodes("2^32-1 written in nine bytes is a second spelling", "1b00000000ffffffff", "bad_cbor")
    yield decodes("a length written in two bytes is a second spelling", "580100", "bad_cbor")
    yield decodes("negative integers are outside the profile", "20", "bad_cbor")
    yield decodes("maps are outside the profile", "a0", "bad_cbor")
    yield decodes("tags are outside the profile", "c100", "bad_cbor")
    yield decodes("true is outside the profile", "f5", "bad_cbor")
    yield decodes("undefined is not null", "f7", "bad_cbor")
    yield decodes("floats are outside the profile", "f93c00", "bad_cbor")
    yield decodes("an indefinite array has no one length", "9f00ff", "bad_cbor")
    yield decodes("an indefinite byte string has no one spelling", "5f4100ff", "bad_cbor")
    yield decodes("text that is not UTF-8 shows differently on each phone", "61ff", "bad_cbor")
    yield decodes("a surrogate is not UTF-8", "63eda080", "bad_cbor")
    yield decodes("a byte after the end could hide anything", "0000", "bad_cbor")
    yield decodes("nothing is not a value", "", "bad_cbor")
    yield decodes("a byte string that ends too early", "420a", "bad_cbor")
    yield decodes("an array that promises more items than there are bytes", "9a7fffffff00", "bad_cbor")
    yield decodes("a head that ends too early", "1a0000", "bad_cbor")
    yield decodes("four arrays deep is the deepest", "8181818100")
    yield decodes("five arrays deep is a trap for the reader's stack", "818181818100", "bad_cbor")
    yield reads("a code of something else", "HC1:6BFOXN", "not_a_code")
    yield reads("the prefix is part of the code, in capitals", "tk1:BB8", "not_a_code")
    yield reads("length is judged before any work", "TK1:" + "0" * (BYTES_MAX // 2 * 3 + 1), "code_too_long")
    yield reads("lower case is outside Base45", "TK1:bb8", "bad_base45")
    yield reads("one character left over holds no byte", "TK1:BB8B", "bad_base45")
    yield reads("three characters above 65535", "TK1:GGW", "bad_base45")
    yield reads("two characters above 255", "TK1:::", "bad_base45")


def every_document() -> Iterator[Story]:
    world = chained()
    now = SignedTime(net=NET, issuer=1, now=NOW)
    listed = Revocations(net=NET, issuer=1, epoch=8, now=NOW, entries=(BEN.id[:8],))
    yield reads("a voucher with a name and no lock", to_code(voucher(ASHA, named=True)))
    yield reads("a voucher locked to Ben's phone", to_code(voucher(ASHA, audience_key=BEN.public)))
    yield reads("a certificate of a receive-only till", to_code(certificate(BEN, may_hand_on=False)))
    yield reads("a request with a name that nobody checked", to_code(request(BEN, 1250, name="Ben's café")))
    yield reads("a payment of two pieces", to_code(two_pieces()))
    yield reads("a receipt", to_code(sign(Receipt(payment_id=world.to_ben.short_id, accepted_at=NOW), BEN.signer)))
    yield reads("a refusal", to_code(sign(Refusal(payment_id=world.to_ben.short_id, reason="spent_twice"), BEN.signer)))
    yield reads("a time signed by the operator", to_code(sign(now, ISSUER.signer)))
    yield reads("a revocation list", to_code(sign(listed, ISSUER.signer)))
    yield reads("an issuer key signed by the root key", to_code(ISSUER_KEY))
    yield reads("a bundle of depth 1", to_code(world.bundle(1)))


def two_pieces() -> Any:
    of_asha = voucher(ASHA)
    return pay(ASHA, BEN, piece(of_asha, FIRST, 100), piece(of_asha, FIRST + 200, 50))


def wrong_shapes() -> Iterator[Story]:
    receipt = sign(Receipt(payment_id=bytes(16), accepted_at=NOW), BEN.signer)
    data = receipt.to_bytes()
    es256 = bytes.fromhex("8443a10126a0") + data[6:]
    unprotected = bytes.fromhex("8443a10128a10126") + data[6:]
    yield reads("ES256 (-7) is another algorithm", to_text(es256), "bad_header")
    yield reads("an unprotected header is not signed", to_text(unprotected), "bad_header")
    yield reads("a byte after the signature", to_text(data + b"\0"), "bad_cbor")
    yield reads("a signature of 63 bytes", to_text(to_sign1(receipt.payload, receipt.signature[1:])), "bad_field")
    yield reads("a number is not a document", to_text(encode(7)), "unknown_document")
    yield reads("a type of a later version", to_text(encode([99])), "unknown_document")
    later = encode([12, 1])
    yield reads("a signed type of a later version", to_text(to_sign1(later, bytes(64))), "unknown_document")
    yield reads("a bundle without its lists", to_text(encode([7, [], []])), "unknown_document")
    yield reads("a bundle's documents are a list", to_text(encode([7, 1, [], []])), "bad_field")
    pair = [receipt.payload, receipt.signature]
    yield reads("a receipt does not travel in a bundle", to_text(encode([7, [pair], [], []])), "unknown_document")
    yield reads("a document in a bundle is a pair", to_text(encode([7, [[receipt.payload]], [], []])), "bad_field")
    yield reads("an opening has a kind", to_text(encode([7, [], [], [[3, bytes(16), "x"]]])), "bad_field")
    yield reads("a name has at most 64 bytes", to_text(encode([7, [], [], [[1, bytes(16), "x" * 65]]])), "bad_field")
    yield reads("a proof names its payments by 32 bytes", to_text(encode([8, b"", b"", [], [], []])), "bad_field")


def wrong_fields() -> Iterator[Story]:
    asked = [NET, EUR, 1250, nonce("Ben"), BEN.public, NOW]
    yield reads("a request without its last field", raw(REQUEST, *asked), "bad_field")
    yield reads("an amount of zero", raw(REQUEST, NET, EUR, 0, nonce("Ben"), BEN.public, NOW, None), "bad_field")
    yield reads("an amount as text", raw(REQUEST, NET, EUR, "1", nonce("Ben"), BEN.public, NOW, None), "bad_field")
    yield reads("a currency above 999", raw(REQUEST, NET, 1000, 1, nonce("Ben"), BEN.public, NOW, None), "bad_field")
    yield reads("a nonce of 7 bytes", raw(REQUEST, NET, EUR, 1, bytes(7), BEN.public, NOW, None), "bad_field")
    yield reads("a key of 32 bytes", raw(REQUEST, NET, EUR, 1, bytes(8), bytes(32), NOW, None), "bad_field")
    yield reads("an uncompressed start", raw(REQUEST, NET, EUR, 1, bytes(8), b"\4" + bytes(32), NOW, None), "bad_key")
    no_point = b"\2" + bytes(31) + b"\1"
    yield reads("x = 1 is on no point of P-256", raw(REQUEST, NET, EUR, 1, bytes(8), no_point, NOW, None), "bad_key")
    yield reads("a name that turns text around", raw(REQUEST, *asked, "neB\u202e"), "bad_field")
    yield reads("an empty name is no name", raw(REQUEST, *asked, ""), "bad_field")
    yield reads("a time beyond the year 9999", raw(REQUEST, *asked[:-1], 253_402_300_800, None), "bad_field")
    yield reads("a payment of no piece", raw(PAYMENT, NET, EUR, [], 1, bytes(16), bytes(8), NOW, None), "bad_field")
    pieces = [[bytes(16), 2**53 - 1, 2]]
    yield reads("units above 2^53-1", raw(PAYMENT, NET, EUR, pieces, 2, bytes(16), bytes(8), NOW, None), "bad_field")
    yield reads("a reason is a code", raw(REFUSAL, bytes(16), "Don't like it"), "bad_field")
    entries = [b"bbbbbbbb", b"aaaaaaaa"]
    yield reads("revoked keys ascend", raw(REVOCATIONS, NET, 1, 1, NOW, entries), "bad_field")
    yield reads("revoked keys are a list", raw(REVOCATIONS, NET, 1, 1, NOW, None), "bad_field")
    yield reads("a voucher's dates are in order", raw(1, *voucher_values(spend_by=NOW - 9)), "bad_field")
    yield reads("a certificate ends after it begins", raw(2, *certificate_values(until=NOW)), "bad_field")
    yield reads("may_hand_on is 0 or 1", raw(2, *certificate_values(may_hand_on=2)), "bad_field")
    yield reads("an issuer key ends after it begins", raw(11, NET, 1, ROOT.public, NOW, NOW), "bad_field")


def voucher_values(spend_by: int) -> list[Any]:
    return [NET, 1, EUR, FIRST, 5000, ASHA.public, NOW, spend_by, NOW + 9, 2000, 2000, 2, None, None]


def certificate_values(until: int = NOW + 9, may_hand_on: int = 1) -> list[Any]:
    return [NET, 1, BEN.public, NOW, until, 2, 2000, may_hand_on, None]
