"""Codes and amounts that must be refused, each with its exact code and nothing stored."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import segno
from PIL import Image
from tests.cli.operator_of_tests import DAY, SGD, Operator, signer_of
from tests.cli.phones import Phone, pay_offline

from tikicash.messages import (
    Bundle,
    Payment,
    Piece,
    Receipt,
    Request,
    Signed,
    Voucher,
    key_id,
    parse_code,
    sign,
    to_code,
)
from tikiwallet.cli.trust import Said, learn


def bundle_of(code: str) -> Bundle:
    bundle = parse_code(code)
    assert isinstance(bundle, Bundle)
    return bundle


def request_in(phone: Phone, amount: str) -> tuple[str, Request]:
    """Have a phone ask; return the code and the request in it."""
    code = phone.does("offline", "request", amount)["code"]
    request = bundle_of(code).documents[0].body
    assert isinstance(request, Request)
    return code, request


class Mallory:
    """Signs what an honest phone would not."""

    def __init__(self, operator: Operator, **terms: object) -> None:
        self.signer = signer_of("mallory")
        self.voucher: Signed[Voucher]
        self.voucher, self.opening = operator.voucher(self.signer.public_key, 5000, name="mallory", **terms)  # type: ignore[arg-type]

    def piece(self, *, at: int = 0, count: int) -> Piece:
        return Piece(parent_id=self.voucher.short_id, first=self.voucher.body.first + at, count=count)

    def payment(self, request: Request, *pieces: Piece, **changes: object) -> Signed[Payment]:
        body = Payment(
            net=request.net, currency=request.currency, pieces=pieces or (self.piece(count=request.amount),),
            total=request.amount, payee_id=key_id(request.payee_key), nonce=request.nonce, paid_at=request.asked_at,
            memo_commit=None,
        )  # fmt: skip
        return sign(replace(body, **changes), self.signer)  # type: ignore[arg-type]

    def code(self, request: Request, *pieces: Piece, **changes: object) -> str:
        return to_code(Bundle(documents=(self.voucher, self.payment(request, *pieces, **changes))))


@pytest.fixture
def mallory(operator: Operator) -> Mallory:
    return Mallory(operator)


@pytest.fixture(autouse=True)
def nothing_is_stored(ben: Phone) -> Iterator[None]:
    """After every refusal here, Ben's book is as it was."""
    before = ben.offline_balance()
    yield
    assert ben.offline_balance() == before


def test_mallorys_payment_is_good_unless_a_test_spoils_it(ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    assert ben.run("offline", "accept", mallory.code(request)).exit_code == 0
    ben.does("unload")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda text: text[:-1], "bad_base45"),
        (lambda text: text[:-2], "bad_cbor"),
        (lambda text: text[: 4 + 3 * 60], "bad_cbor"),
        (lambda _: "TK1:", "bad_cbor"),
        (lambda text: text[4:], "not_a_code"),
        (lambda text: text.lower(), "not_a_code"),
        (lambda text: text[:9] + "#" + text[10:], "bad_base45"),
        (lambda text: text + "0" * 8000, "code_too_long"),
        (lambda _: "", "not_a_code"),
        (lambda _: "https://example.com/pay?to=ben", "not_a_code"),
    ],
)
def test_a_spoiled_text_is_refused(asha: Phone, ben: Phone, spoil: Callable[[str], str], code: str) -> None:
    text = request_in(ben, "5")[0]
    assert asha.refused("offline", "pay", "-", "--yes", stdin=spoil(text)) == code


def test_one_changed_character_is_never_paid(asha: Phone, ben: Phone) -> None:
    text = request_in(ben, "5")[0]
    codes = set()
    for at in range(4, len(text), 23):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        codes.add(asha.refused("offline", "pay", "-", "--yes", stdin=changed))
    assert codes <= {
        "bad_base45", "bad_cbor", "bad_field", "bad_key", "unknown_document", "not_a_request", "wrong_network",
        "request_signature_wrong", "operator_signature_wrong", "issuer_unknown", "certificate_expired",
        "unrelated_document", "opening_matches_nothing", "wrong_kind_of_code", "wrong_currency",
    }  # fmt: skip
    assert "request_signature_wrong" in codes or "operator_signature_wrong" in codes
    assert asha.does("offline", "show")["items"] == []


def test_one_changed_character_of_a_payment_is_never_accepted(asha: Phone, ben: Phone) -> None:
    text = asha.does("offline", "pay", request_in(ben, "5")[0], "--yes")["code"]
    for at in range(4, len(text), 29):
        changed = text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]
        assert ben.refused("offline", "accept", "-", "--yes", stdin=changed)


def test_a_file_that_is_no_code_is_refused(asha: Phone, tmp_path: Path) -> None:
    def refused(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return asha.refused("offline", "pay", str(tmp_path / name))

    empty_picture = io.BytesIO()
    Image.new("L", (200, 200), 255).save(empty_picture, "PNG")
    other_code = io.BytesIO()
    segno.make("https://example.com").save(other_code, kind="png", scale=4)
    huge = io.BytesIO()
    Image.new("1", (9000, 9000)).save(huge, "PNG")
    assert refused("empty.png", empty_picture.getvalue()) == "no_code_in_picture"
    assert refused("other.png", other_code.getvalue()) == "no_code_in_picture"
    assert refused("half.png", other_code.getvalue()[:60]) == "no_code_in_picture"
    assert refused("huge.png", huge.getvalue()) == "picture_too_large"
    assert refused("long.png", b"\x89PNG\r\n\x1a\n" + bytes(20_000_001)) == "picture_too_large"
    assert refused("noise.bin", bytes(range(256))) == "not_a_code"
    assert refused("empty.txt", b"") == "not_a_code"
    assert asha.refused("offline", "pay", str(tmp_path / "missing.png")) == "code_file_unreadable"
    assert asha.refused("offline", "pay", str(tmp_path)) == "code_file_unreadable"
    assert asha.refused("offline", "pay", "a\0b.png") == "code_file_unreadable"


def test_a_jpeg_photograph_is_read(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    ben.does("offline", "request", "5", "--png", str(tmp_path / "code.png"))
    photo = Image.new("L", (1200, 1600), 128)
    code = Image.open(tmp_path / "code.png").convert("L").rotate(7, expand=True, fillcolor=255)
    photo.paste(code, (200, 300))
    photo.save(tmp_path / "photo.jpeg", quality=60)
    assert asha.does("offline", "pay", str(tmp_path / "photo.jpeg"), "--yes")["amount_minor"] == 500


def test_the_wrong_kind_of_code_says_what_to_do(asha: Phone, ben: Phone) -> None:
    request = request_in(ben, "5")[0]
    payment = asha.does("offline", "pay", request, "--yes")["code"]
    assert asha.refused("offline", "pay", payment) == "wrong_kind_of_code"
    assert ben.refused("offline", "accept", request) == "wrong_kind_of_code"
    assert ben.refused("offline", "refuse", request) == "wrong_kind_of_code"
    receipt = ben.does("offline", "accept", payment)["receipt_code"]
    assert ben.refused("offline", "refuse", receipt) == "wrong_kind_of_code"
    assert ben.refused("offline", "accept", receipt) == "nothing_stored"
    ben.does("unload")


def test_a_request_of_another_network_is_not_paid(asha: Phone, tmp_path: Path) -> None:
    other = Operator(now=asha.clock.now, net=78, seed="other")
    (tmp_path / "elsewhere").mkdir()
    dan = Phone(name="dan", home=tmp_path / "elsewhere", clock=asha.clock, operator=other).install()
    assert asha.refused("offline", "pay", request_in(dan, "5")[0], "--yes") == "wrong_network"


def test_a_payment_of_another_network_is_not_taken(ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    assert ben.refused("offline", "accept", mallory.code(request, net=78)) == "wrong_network"


def test_money_of_another_currency_is_neither_paid_nor_taken(asha: Phone, ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    assert ben.refused("offline", "accept", mallory.code(request, currency=978)) == "wrong_currency"
    euros = sign(replace(request, currency=978, payee_key=mallory.signer.public_key, name="dan"), mallory.signer)
    assert asha.refused("offline", "pay", to_code(Bundle(documents=(euros,))), "--yes") == "wrong_currency"


def test_an_operator_that_nobody_knows_is_not_believed(ben: Phone, operator: Operator) -> None:
    stranger = Operator(now=operator.now, seed="stranger")
    _, request = request_in(ben, "5")
    assert ben.refused("offline", "accept", Mallory(stranger).code(request)) == "operator_signature_wrong"
    mallory = Mallory(stranger)
    mallory.voucher = sign(replace(mallory.voucher.body, issuer=9), stranger.issuer)
    assert ben.refused("offline", "accept", mallory.code(request)) == "issuer_unknown"


def test_old_money_is_not_taken(ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    ben.clock.now += 8 * DAY
    assert ben.refused("offline", "accept", mallory.code(request)) == "spend_by_passed"


def test_an_old_certificate_is_neither_paid_to_nor_with(asha: Phone, ben: Phone, chi: Phone) -> None:
    code, _ = request_in(ben, "5")
    pay_offline(asha, chi, "5")
    asha.clock.now += 8 * DAY
    assert asha.refused("offline", "pay", code, "--yes") == "certificate_expired"
    assert chi.refused("offline", "pay", request_in(ben, "5")[0], "--yes") == "not_enough_offline_money"


def test_a_request_is_answered_once(asha: Phone, ben: Phone, mallory: Mallory) -> None:
    code, request = request_in(ben, "5")
    first = asha.does("offline", "pay", code, "--yes")["code"]
    ben.does("offline", "accept", first)
    assert ben.refused("offline", "accept", mallory.code(request)) == "no_open_request"
    assert ben.does("offline", "accept", first)["shown_again"] is True
    ben.does("unload")


def test_a_request_that_was_changed_after_it_was_paid_is_not_paid_again(asha: Phone, mallory: Mallory) -> None:
    def request_for(amount_minor: int) -> str:
        body = Request(
            net=77, currency=SGD, amount=amount_minor, nonce=b"12345678", payee_key=mallory.signer.public_key,
            asked_at=asha.clock.now, name="mallory",
        )  # fmt: skip
        return to_code(Bundle(documents=(sign(body, mallory.signer),)))

    paid = asha.does("offline", "pay", request_for(500), "--yes")
    assert asha.does("offline", "pay", request_for(500))["code"] == paid["code"]
    assert asha.refused("offline", "pay", request_for(700), "--yes") == "request_reused"


def test_a_payment_meant_for_somebody_else_is_not_taken(asha: Phone, ben: Phone, chi: Phone, mallory: Mallory) -> None:
    code, _ = request_in(chi, "5")
    paid = asha.does("offline", "pay", code, "--yes")["code"]
    assert ben.refused("offline", "accept", paid) == "no_open_request"
    assert ben.refused("offline", "refuse", paid) == "not_for_you"
    _, request = request_in(ben, "5")
    elsewhere = key_id(signer_of("elsewhere").public_key)
    assert ben.refused("offline", "accept", mallory.code(request, payee_id=elsewhere)) == "not_for_me"


def test_ones_own_request_is_not_paid(asha: Phone) -> None:
    assert asha.refused("offline", "pay", request_in(asha, "5")[0], "--yes") == "payee_is_you"


def test_pieces_that_lie_are_found(ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    halves = mallory.piece(count=300), mallory.piece(at=100, count=200)
    assert ben.refused("offline", "accept", mallory.code(request, *halves)) == "pieces_overlap"
    assert ben.refused("offline", "accept", mallory.code(request, mallory.piece(at=4900, count=500))) == (
        "piece_outside_parent"
    )
    assert ben.refused("offline", "accept", mallory.code(request, mallory.piece(count=499))) == "total_differs"
    assert (
        ben.refused("offline", "accept", mallory.code(request, mallory.piece(count=400), total=400)) == "wrong_amount"
    )
    orphan = Bundle(documents=(mallory.payment(request),))
    assert ben.refused("offline", "accept", to_code(orphan)) == "parent_missing"
    assert ben.refused("offline", "accept", to_code(Bundle(documents=(mallory.voucher,)))) == "not_a_payment"


def test_a_payment_that_its_owner_did_not_sign_is_not_taken(asha: Phone, ben: Phone, mallory: Mallory) -> None:
    _, request = request_in(ben, "5")
    stolen = mallory.payment(request)
    forged = replace(stolen, signature=sign(stolen.body, signer_of("thief")).signature)
    assert ben.refused("offline", "accept", to_code(Bundle(documents=(mallory.voucher, forged)))) == (
        "payment_signature_wrong"
    )


def test_a_blocked_phone_is_not_paid_by_nor_paid(ben: Phone, operator: Operator, mallory: Mallory) -> None:
    with ben.wallet() as wallet:
        learn(wallet, Said(revocations=operator.revocations(mallory.signer.public_key).to_bytes()))
        learn(wallet, Said(revocations=operator.revocations(epoch=0).to_bytes()))  # an older list unblocks nobody
    _, request = request_in(ben, "5")
    assert ben.refused("offline", "accept", mallory.code(request)) == "key_revoked"


def test_a_double_spend_is_found_and_the_proof_is_kept(ben: Phone, mallory: Mallory) -> None:
    first, second = request_in(ben, "5")[1], request_in(ben, "5")[1]
    ben.does("offline", "accept", mallory.code(first))
    assert ben.refused("offline", "accept", mallory.code(second)) == "already_held"
    assert ben.does("status")["local"]["unbrought"] == 2  # both payments: together they are a proof
    ben.does("unload")
    third = request_in(ben, "5")[1]
    assert ben.refused("offline", "accept", mallory.code(third)) == "spent_twice"


def test_money_that_went_through_four_hands_is_not_taken(
    asha: Phone, ben: Phone, chi: Phone, phone: Callable[[str], Phone]
) -> None:
    dan, eve = phone("dan").install(), phone("eve").install()
    pay_offline(asha, chi, "5")
    pay_offline(chi, dan, "5")
    third = pay_offline(dan, eve, "5")
    _, request = request_in(ben, "5")
    with eve.wallet() as wallet:  # Eve skips her phone's own check
        below = bundle_of(third["code"])
        last = below.documents[-1]
        assert isinstance(last.body, Payment)
        pieces = tuple(replace(piece, parent_id=last.short_id) for piece in last.body.pieces)
        body = replace(
            last.body, pieces=pieces, nonce=request.nonce, payee_id=key_id(request.payee_key), memo_commit=None
        )  # fmt: skip
        certificate, _ = eve.operator.certificate(wallet.signer().public_key, name="eve")
        fourth = Bundle(
            documents=(*below.documents, sign(body, wallet.signer())), certificates=(*below.certificates, certificate)
        )
    assert ben.refused("offline", "accept", to_code(fourth)) == "too_many_hands"


def test_a_forged_receipt_changes_nothing(asha: Phone, ben: Phone) -> None:
    paid = asha.does("offline", "pay", request_in(ben, "5")[0], "--yes")
    forged = sign(Receipt(payment_id=bytes.fromhex(paid["payment_id"]), accepted_at=1), signer_of("thief"))
    assert asha.refused("offline", "accept", to_code(forged)) == "answer_signature_wrong"
    assert asha.does("offline", "show")["items"][0]["state"] == "waiting"


def test_a_receipt_after_a_refusal_is_not_believed(asha: Phone, ben: Phone) -> None:
    paid = asha.does("offline", "pay", request_in(ben, "5")[0], "--yes")
    asha.does("offline", "accept", ben.does("offline", "refuse", paid["code"])["code"])
    with ben.wallet() as wallet:
        receipt = sign(Receipt(payment_id=bytes.fromhex(paid["payment_id"]), accepted_at=1), wallet.signer())
    assert asha.refused("offline", "accept", to_code(receipt)) == "already_answered"


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "0.00",
        "-5",
        "-0.01",
        "1e3",
        "nan",
        "inf",
        "1.234",
        "1,50",
        "0x10",
        "\uff11\uff12",
        "",
        " ",
        "5 SGD",
        "10000000000000.01",
    ],
)
def test_nonsense_is_no_amount(asha: Phone, ben: Phone, amount: str) -> None:
    assert ben.refused("offline", "request", amount) == "amount_invalid"
    assert asha.refused("unload", amount) == "amount_invalid"
    assert ben.does("offline", "show")["items"] == []


def test_more_than_there_is_or_than_one_payment_may_be_is_refused(
    asha: Phone, ben: Phone, phone: Callable[[str], Phone]
) -> None:
    assert asha.refused("offline", "pay", request_in(ben, "50.01")[0], "--yes") == "not_enough_offline_money"
    assert asha.refused("offline", "pay", request_in(ben, "20.01")[0], "--yes") == "payment_above_limit"
    assert asha.refused("offline", "pay", request_in(ben, "9999999999999")[0], "--yes") == "not_enough_offline_money"
    poor = phone("poor").install()
    assert poor.refused("offline", "pay", request_in(ben, "1")[0], "--yes") == "not_enough_offline_money"


def test_a_note_that_does_not_fit_is_refused_before_anything_is_signed(asha: Phone, ben: Phone) -> None:
    code, _ = request_in(ben, "5")
    for memo in ("x" * 129, "é" * 65, "two\nlines", "right\u202eleft"):
        assert asha.refused("offline", "pay", code, "--yes", "--memo", memo) == "memo_invalid"
    assert asha.does("offline", "show")["items"] == []
    assert ben.refused("offline", "refuse", asha.does("offline", "pay", code, "--yes")["code"], "--reason", "No!") == (
        "reason_invalid"
    )


def test_a_picture_that_cannot_be_written_says_that_the_payment_is_stored(
    asha: Phone, ben: Phone, tmp_path: Path
) -> None:
    code, _ = request_in(ben, "5")
    nowhere = str(tmp_path / "missing" / "code.png")
    assert asha.refused("offline", "pay", code, "--yes", "--png", nowhere) == "picture_unwritable"
    assert asha.does("offline", "show")["items"][0]["kind"] == "made"


def test_an_id_that_nobody_knows_is_refused(asha: Phone, ben: Phone) -> None:
    request_in(ben, "5")
    for unknown in ("ffffffff", "", "ab", "not-an-id"):
        assert asha.refused("offline", "show", unknown) == "nothing_stored"
    nonce = ben.does("offline", "show")["items"][0]["id"]
    assert ben.refused("offline", "not-taken", nonce) == "nothing_stored"
