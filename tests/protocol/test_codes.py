"""Codes on a screen: they fit the budget, and a QR code carries them from one phone to the other.

The table of sizes in the first chapter is made here; REWRITE_SIZES=1 rewrites it.
"""

import os
import re

import pytest
import segno
import zxingcpp
from PIL import Image

from protocol.make_vectors import ROOT
from protocol.world import ASHA, BEN, FIRST, NOW, bundle, certificate, chained, pay, piece, request, voucher
from tikicash.messages import Bundle, Receipt, Refusal, parse_code, sign, to_code


def receipt():
    return sign(Receipt(payment_id=chained().to_ben.short_id, accepted_at=NOW), BEN.signer)


def certified_request():
    return Bundle(
        documents=(request(BEN, 1250),), certificates=(certificate(BEN, named=True),), openings=(BEN.opening,)
    )


def named_payment():
    named = voucher(ASHA, named=True)
    return bundle(pay(ASHA, BEN, piece(named, FIRST, 1250)), named, openings=(ASHA.opening,))


CHAPTER = ROOT / "protocol" / "spec" / "00-overview.md"
HEAD = "| Code | Bytes | Characters | QR code |\n|---|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\|\n)*")

# What is shown, the largest allowed bytes, characters and QR version at error correction L.
BUDGETS = {
    "request": (lambda: Bundle(documents=(request(BEN, 1250),)), 150, 229, 7),
    "request, certified name": (certified_request, 340, 514, 12),
    "payment, depth 1": (lambda: chained().bundle(1), 309, 468, 11),
    "payment, depth 1, certified name": (named_payment, 345, 522, 12),
    "payment, depth 2": (lambda: chained().bundle(2), 568, 858, 16),
    "payment, depth 3": (lambda: chained().bundle(3), 830, 1249, 20),
    "receipt": (receipt, 102, 157, 5),
    "refusal": (
        lambda: sign(Refusal(payment_id=bytes(16), reason="payment_already_accepted"), BEN.signer),
        130,
        199,
        6,
    ),
}


def picture_of(text):
    return segno.make(text, error="l", boost_error=False, micro=False)


def row(name):
    message = BUDGETS[name][0]()
    text = to_code(message)
    return f"| {name} | {len(message.to_bytes())} | {len(text)} | {picture_of(text).version}-L |\n"


def test_the_chapter_says_how_large_each_code_is():
    table = HEAD + "".join(row(name) for name in BUDGETS)
    page = CHAPTER.read_text()
    if os.environ.get("REWRITE_SIZES"):
        page = TABLE.sub(lambda _: table, page)
        CHAPTER.write_text(page)
    assert table in page, "run this test with REWRITE_SIZES=1"


@pytest.mark.parametrize("name", BUDGETS)
def test_a_code_fits_its_budget_and_is_read_from_a_picture(name):
    make, bytes_max, characters_max, version_max = BUDGETS[name]
    message = make()
    text = to_code(message)
    picture = picture_of(text)
    assert len(message.to_bytes()) <= bytes_max
    assert len(text) <= characters_max
    assert picture.mode == "alphanumeric"
    assert picture.version <= version_max
    rows = [bytes(0 if cell else 255 for cell in row) for row in picture.matrix_iter(scale=4, border=4)]
    image = Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))
    (seen,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    assert parse_code(seen.text) == message
