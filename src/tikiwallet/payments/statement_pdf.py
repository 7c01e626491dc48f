"""Statements and receipts as PDF: the same bytes for the same content, whenever and wherever they are made."""

import io
from collections.abc import Sequence
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from tikiwallet.payments import pdf_text
from tikiwallet.payments.statement_words import Language, amount, day, say, what
from tikiwallet.payments.statements import Statement
from tikiwallet.payments.types import HistoryItem, Receipt

WIDTH, HEIGHT = A4
MARGIN, ROW, SIZE = 50, 17, 9
FIRST_ROWS, MORE_ROWS = 33, 42
# Where the columns are, from the side on which the language begins: they begin or end there.
DATE_AT, WHAT_AT, AMOUNT_AT, BALANCE_AT = 0, 82, 405, 495
NUMBER_ROOM: Final = 75
TEXT_ROOM: Final = AMOUNT_AT - WHAT_AT - NUMBER_ROOM - 10


class _Page:
    """A canvas on which places are counted from where the language begins, with text in its direction."""

    def __init__(self, language: Language, *, title: str) -> None:
        self._bytes = io.BytesIO()
        self.language = language
        self.canvas = Canvas(self._bytes, pagesize=A4, invariant=True, lang=language.value)
        self.canvas.setTitle(title)
        self.canvas.setAuthor("TikiWallet")
        self.canvas.setCreator("TikiWallet")

    def write(self, at: float, y: float, text: str, *, size: float = SIZE, ends: bool = False) -> None:
        """Write a text that begins (or ends) at a place."""
        is_mirrored = self.language.is_right_to_left
        # Numbers stand with their last digits below each other, in whatever direction the words go.
        place = at - NUMBER_ROOM if is_mirrored and ends else at
        x = WIDTH - MARGIN - place if is_mirrored else MARGIN + place
        pdf_text.draw(
            self.canvas, x, y, text, size=size, is_right_to_left=is_mirrored, ends_at_x=ends or is_mirrored
        )  # fmt: skip

    def line(self, y: float) -> None:
        """Draw a line across the page."""
        self.canvas.setLineWidth(1)
        self.canvas.line(MARGIN, y, WIDTH - MARGIN, y)

    def done(self) -> bytes:
        """Return the file."""
        self.canvas.save()
        return self._bytes.getvalue()


def statement_pdf(statement: Statement, language: Language) -> bytes:
    """Return a statement as PDF."""
    title = f"{say(language, 'title')} {statement.month}"
    page = _Page(language, title=title)
    parts = _parts(statement.items)
    for number, items in enumerate(parts, 1):
        y = HEIGHT - 70
        if number == 1:
            y = _head(page, statement, y)
        y = _rows(page, items, statement, y)
        if not statement.items:
            page.write(0, y, say(language, "nothing"))
        page.write(0, 40, say(language, "utc"), size=8)
        numbered = say(language, "page", number=str(number), count=str(len(parts)))
        page.write(BALANCE_AT, 40, numbered, size=8, ends=True)
        page.canvas.showPage()
    return page.done()


def _parts(items: Sequence[HistoryItem]) -> list[Sequence[HistoryItem]]:
    parts = [items[:FIRST_ROWS]]
    parts += [items[begin : begin + MORE_ROWS] for begin in range(FIRST_ROWS, len(items), MORE_ROWS)]
    return parts


def _head(page: _Page, statement: Statement, y: float) -> float:
    language, currency = page.language, statement.opening.currency
    page.write(0, y, say(language, "title"), size=20)
    page.write(0, y - 24, say(language, "wallet_of", name=statement.username), size=11)
    since, until = (day(at, language) for at in (statement.since, statement.until))
    page.write(0, y - 40, say(language, "period", since=since, until=until), size=11)
    y -= 66
    for key, minor in (
        ("opening", statement.opening.amount_minor),
        ("in", statement.in_minor),
        ("out", -statement.out_minor),
        ("closing", statement.closing.amount_minor),
    ):
        page.write(0, y, say(language, key), size=10)
        page.write(260, y, f"{amount(minor, currency, language)} {currency}", size=10, ends=True)
        y -= 16
    return y - 14


def _rows(page: _Page, items: Sequence[HistoryItem], statement: Statement, y: float) -> float:
    language, currency = page.language, statement.opening.currency
    for at, key, ends in (
        (DATE_AT, "date", False), (WHAT_AT, "what", False), (AMOUNT_AT, "amount", True), (BALANCE_AT, "balance", True),
    ):  # fmt: skip
        page.write(at, y, say(language, key), ends=ends)
    page.line(y - 5)
    for item in items:
        y -= ROW
        signed = item.amount.amount_minor if item.direction.value == "in" else -item.amount.amount_minor
        told = what(item, language) + (f" · {item.memo}" if item.memo else "")
        page.write(DATE_AT, y, day(item.at, language, is_short=True))
        page.write(WHAT_AT, y, pdf_text.fitted(told, SIZE, TEXT_ROOM))
        page.write(AMOUNT_AT, y, amount(signed, currency, language), ends=True)
        page.write(BALANCE_AT, y, amount(item.balance.amount_minor, currency, language), ends=True)
    return y - ROW


def receipt_pdf(receipt: Receipt, language: Language) -> bytes:
    """Return the receipt of a payment as PDF, the same for both parties."""
    page = _Page(language, title=f"{say(language, 'receipt')} {receipt.transfer_id}")
    y = HEIGHT - 90
    page.write(0, y, say(language, "receipt"), size=20)
    value = f"{amount(receipt.amount.amount_minor, receipt.amount.currency, language)} {receipt.amount.currency}"
    page.write(0, y - 40, value, size=24)
    y -= 80
    for key, text in (
        ("from", f"{receipt.payer.username}  {receipt.payer.phone_masked}"),
        ("to", f"{receipt.payee.username}  {receipt.payee.phone_masked}"),
        ("date", f"{day(receipt.sent_at, language)}  {receipt.sent_at:%H:%M} UTC"),
        ("note", receipt.memo),
        ("reference", str(receipt.transfer_id)),
    ):
        if text:
            page.write(0, y, say(language, key), size=10)
            page.write(110, y, pdf_text.fitted(text, 10, 380), size=10)
            y -= 20
    page.canvas.showPage()
    return page.done()
