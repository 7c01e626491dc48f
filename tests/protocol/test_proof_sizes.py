"""How large a proof is, by the hand in which the money was spent twice: the table of chapter 4 is made here.

REWRITE_SIZES=1 rewrites it.
"""

import os
import re

import segno

from protocol.make_vectors import ROOT
from protocol.world import ASHA, BEN, CHI, DAN, EVE, ISSUER_KEY, Key, chained, pay, piece, voucher
from protocol.world import ROOT as ROOT_KEY
from tikicash.encoding import TEXT_MAX
from tikicash.messages import Bundle, Certificate, Proof, Signed, to_code
from tikicash.settlement import make_proof, verify_proof

CHAPTER = ROOT / "protocol" / "spec" / "04-settlement.md"
HEAD = "| Spent twice in hand | Vouchers | Bytes | Characters | QR code |\n|---|---|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\|\n)*")
QR_CHARACTERS_MAX = 4296  # 40-L, alphanumeric


def proof_of(first: Signed, second: Signed, *pool: Signed) -> Proof:
    certificates = tuple(item for item in pool if isinstance(item.body, Certificate))
    documents = tuple(item for item in pool if not isinstance(item.body, Certificate))
    shown = Bundle(documents=documents, certificates=certificates)
    proof = make_proof(first, second, chains=(shown,), issuer_keys=(ISSUER_KEY,))
    verify_proof(proof, root_key=ROOT_KEY.public)
    return proof


def in_hand(hand: int) -> Proof:
    """The proof of a double spend in the first, second or third hand, of money of one voucher."""
    world = chained()
    signer, parent, honest = (
        (ASHA, world.voucher, world.to_ben), (BEN, world.to_ben, world.to_chi), (CHI, world.to_chi, world.to_dan),
    )[hand - 1]  # fmt: skip
    again = pay(signer, EVE, piece(parent, honest.body.pieces[0].first, honest.body.pieces[0].count))
    return proof_of(honest, again, *world.documents)


def of_vouchers(count: int) -> Proof:
    """The proof of two payments that each took money of several vouchers."""
    vouchers = [voucher(ASHA, first=(number + 1) << 30) for number in range(count)]
    pieces = [piece(item, item.body.first, 100) for item in vouchers]

    def paid(payee: Key) -> Signed:
        return pay(ASHA, payee, *pieces)

    return proof_of(paid(BEN), paid(DAN), *vouchers)


def row(hand: int, vouchers: int, proof: Proof) -> tuple[str, int]:
    text = to_code(proof)
    size = f"{len(proof.to_bytes())} | {len(text)}"
    if len(text) > QR_CHARACTERS_MAX:
        return f"| {hand} | {vouchers} | {size} | none |\n", len(text)
    code = segno.make(text, mode="alphanumeric", error="l", micro=False, boost_error=False)
    return f"| {hand} | {vouchers} | {size} | {code.version}-L |\n", len(text)


def test_a_proof_in_any_hand_is_one_picture_and_the_chapter_says_how_large():
    usual = [row(hand, 1, in_hand(hand)) for hand in (1, 2, 3)]
    wide = [row(1, count, of_vouchers(count)) for count in (2, 4, 8)]
    assert all(characters <= QR_CHARACTERS_MAX for _, characters in usual)
    assert all(characters <= TEXT_MAX for _, characters in wide)
    table = HEAD + "".join(line for line, _ in [*usual, *wide])
    page = CHAPTER.read_text()
    if os.environ.get("REWRITE_SIZES"):
        page = TABLE.sub(lambda _: table, page)
        CHAPTER.write_text(page)
    assert table in page, "run this test with REWRITE_SIZES=1"
