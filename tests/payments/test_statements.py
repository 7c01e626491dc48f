"""The statement of a month and the receipt of a payment, in every language, for the owner only."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from uuid import uuid4

import pypdf
import pytest

from tikiwallet.identity.types import PersonId, PublicPerson
from tikiwallet.ledger.types import Direction, TransferKind
from tikiwallet.payments import pdf_text
from tikiwallet.payments.statement_csv import statement_csv
from tikiwallet.payments.statement_pdf import FIRST_ROWS, receipt_pdf, statement_pdf
from tikiwallet.payments.statement_words import Language, amount, day, say
from tikiwallet.payments.statements import Statement
from tikiwallet.payments.types import Counterparty, HistoryItem, Receipt
from tikiwallet.platform.money import Amount, Balance
from world import World, body_of, refusal

NOW = datetime(2026, 11, 27, 8, 30, tzinfo=UTC)
MINUS = "-\u2212"
SAID = re.compile(r"/ActualText <([0-9A-F]+)>")


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def drawn(pdf: bytes) -> str:
    """What the pages say to whoever draws them."""
    return "".join(page.get_contents().get_data().decode("latin-1") for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def someone(name: str) -> PublicPerson:
    return PublicPerson(person_id=PersonId(uuid4()), username=name, phone_masked="+65 •••• 4567")


def statement(*memos: str, currency: str = "SGD") -> Statement:
    """Everybody pays in one unit more than the one before; the last movement goes out."""
    items, balance = [], 100_000
    for number, memo in enumerate(memos, 1):
        is_last = number == len(memos)
        balance += -12_345_678 if is_last else number * 100
        items.append(
            HistoryItem(
                transfer_id=uuid4(), kind=TransferKind.PAYMENT, direction=Direction.OUT if is_last else Direction.IN,
                amount=Amount(amount_minor=12_345_678 if is_last else number * 100, currency=currency),
                balance=Balance(amount_minor=balance, currency=currency), counterparty=someone("bob"), memo=memo,
                at=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number),
            )
        )  # fmt: skip
    return Statement(
        month="2026-11", username="asha", since=datetime(2026, 11, 1, tzinfo=UTC), until=NOW,
        opening=Balance(amount_minor=100_000, currency=currency), in_minor=0, out_minor=0, items=items,
        closing=Balance(amount_minor=balance, currency=currency),
    )  # fmt: skip


async def test_a_statement_is_what_the_ledger_says_and_nobody_elses(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="5.00")
    await alice.pay(bob, "12.50", memo="=HYPERLINK(1)")
    month = f"{datetime.now(UTC):%Y-%m}"  # the ledger's clock is the database's
    world.clock.now = datetime.now(UTC) + timedelta(minutes=1)
    told = body_of(await alice.get(f"/v1/statements/{month}"), 200)
    moved = [item["amount"]["amount_minor"] * (1 if item["direction"] == "in" else -1) for item in told["items"]]
    assert moved == [5000, -1250]
    assert told["opening"]["amount_minor"] + sum(moved) == told["closing"]["amount_minor"] == 3750
    assert (told["in_minor"], told["out_minor"], told["username"]) == (5000, 1250, "alice")
    assert f"{told['closing']['amount_minor'] / 100:.2f}" == await alice.balance()

    paper = await alice.get(f"/v1/statements/{month}/pdf", language="fr")
    assert (paper.status_code, paper.headers["content-type"]) == (200, "application/pdf")
    assert paper.headers["content-disposition"] == f'attachment; filename="tikiwallet-{month}.pdf"'
    assert paper.headers["cache-control"] == "no-store"
    assert "Portefeuille de alice" in text_of(paper.content)
    assert "Payé à bob · =HYPERLINK(1)" in text_of(paper.content)
    rows = list(csv.DictReader(io.StringIO((await alice.get(f"/v1/statements/{month}/csv")).text)))
    assert [(row["kind"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", "0.00"), ("top_up", "50.00", "50.00"), ("payment", "-12.50", "37.50"), ("closing", "", "37.50"),
    ]  # fmt: skip
    assert rows[2]["memo"] == "'=HYPERLINK(1)"
    assert "bob" not in text_of((await bob.get(f"/v1/statements/{month}/pdf")).content).replace("Wallet of bob", "")

    receipt_at = f"/v1/transfers/{rows[2]['transfer_id']}/pdf"
    receipts = [await each.get(receipt_at, language="hi") for each in (alice, bob)]
    assert receipts[0].content == receipts[1].content  # the same for both, at every time
    assert "12.50 SGD" in text_of(receipts[0].content)
    (carol,) = await world.people("carol")
    assert refusal(await carol.get(receipt_at)) == (404, "transfer_unknown")
    assert (await world.http.get(f"/v1/statements/{month}/pdf")).status_code == 401

    before = body_of(await alice.get("/v1/statements/2026-01"), 200)
    assert (before["items"], before["opening"], before["closing"]) == ([], before["closing"], before["opening"])
    for wrong in ("2026-13", "2026-1", "1999-01", "2099-01", "x"):
        assert refusal(await alice.get(f"/v1/statements/{wrong}/csv")) == (400, "statement_month_invalid")
    assert refusal(await alice.get(f"/v1/statements/{month}/pdf", language="xx")) == (400, "request_invalid")
    assert refusal(await alice.get(f"/v1/statements/{month}", currency="EUR")) == (422, "currency_not_offered")


async def test_a_month_that_is_too_long_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tikiwallet.payments.statements.ITEMS_MAX", 1)
    (alice,) = await world.people(alice="50.00")
    await alice.top_up("1.00")
    world.clock.now = datetime.now(UTC) + timedelta(minutes=1)
    assert refusal(await alice.get(f"/v1/statements/{world.clock.now:%Y-%m}/csv")) == (422, "statement_too_long")


def test_every_language_has_every_word() -> None:
    source = resources.files("tikiwallet.payments").joinpath("statement_texts.json").read_text(encoding="utf-8")
    texts = json.loads(source)
    web = {path.name.removesuffix(".json") for path in resources.files("tikiwallet.web").joinpath("locales").iterdir()}
    assert texts.keys() == web == set(Language)
    for words in texts.values():
        assert words.keys() == texts["en"].keys()
        assert all(words.values())
        assert {key: word.count("{") for key, word in words.items()} == {
            key: word.count("{") for key, word in texts["en"].items()
        }
    assert {kind.value for kind in TransferKind} <= texts["en"].keys()
    assert Counterparty.BANK not in texts["en"]


@pytest.mark.parametrize(
    ("language", "title", "number", "date"),
    [
        (Language.EN, "Statement", "-123,456.78", "November 27, 2026"),
        (Language.FR, "Relevé", "-123 456,78", "27 novembre 2026"),
        (Language.ID, "Laporan bulanan", "-123.456,78", "27 November 2026"),
        (Language.SW, "Taarifa ya akaunti", "-123,456.78", "27 Novemba 2026"),
        (Language.HI, "खाते का विवरण", "-1,23,456.78", "27 नवंबर 2026"),
        (Language.AR, "", "-123,456.78", "27 نوفمبر 2026"),
    ],
)
def test_words_dates_and_amounts_are_those_of_the_language(
    language: Language, title: str, number: str, date: str
) -> None:
    told = statement("tea", "rent")
    pdf = statement_pdf(told, language)
    assert pdf == statement_pdf(told, language)  # nothing of the moment is in it
    text = text_of(pdf).replace("\u202f", " ").replace("\u200e", "")
    assert title in text or language in {Language.HI, Language.AR}
    said = "".join(bytes.fromhex(found).decode("utf-16") for found in SAID.findall(drawn(pdf)))
    words = [word for word in say(language, "title").split() if not word.isascii()]
    if language in {Language.HI, Language.AR}:  # drawn as glyphs, and told as letters
        assert all(word in said for word in words)
    shown = amount(-12_345_678, "SGD", language).replace("\u202f", " ").replace("\u200e", "")
    assert shown.translate(dict.fromkeys(map(ord, MINUS), "-")) == number
    assert shown in text
    assert day(NOW, language) == date
    assert statement_csv(told, language).count("-123456.78") == 1  # the same in every language
    assert "SGD" in text


def test_yen_have_no_decimals_and_a_long_month_has_pages() -> None:
    told = statement(*["tea"] * (FIRST_ROWS + 1), currency="JPY")
    text = text_of(statement_pdf(told, Language.EN))
    assert ("Page 1 of 2" in text, "Page 2 of 2" in text) == (True, True)
    assert "-12,345,678" in text
    assert text.count("tea") == FIRST_ROWS + 1
    assert "Nothing moved in this month." in text_of(statement_pdf(statement(), Language.EN))


def test_scripts_and_directions_are_mixed_by_runs_and_nothing_runs_out_of_its_column() -> None:
    assert [(run.text, run.is_right_to_left) for run in pdf_text.runs("27 نوفمبر 2026 Bob\u200f Smith")] == [
        ("27", False), (" ", False), ("نوفمبر", True), (" ", False), ("2026 Bob Smith", False),
    ]  # fmt: skip
    long = "मासिक कشف very long memo " * 20
    assert pdf_text.width(pdf_text.fitted(long, 9, 200), 9) <= 200
    assert pdf_text.fitted("short", 9, 200) == "short"
    receipt = Receipt(
        transfer_id=uuid4(), payer=someone("asha"), payee=someone("bob"),
        amount=Amount(amount_minor=450, currency="SGD"),
        memo="茶 ☕ tea\n" + "x" * 200, sent_at=NOW,
    )  # fmt: skip
    assert "4.50 SGD" in text_of(receipt_pdf(receipt, Language.AR))  # letters that no font has do no harm
