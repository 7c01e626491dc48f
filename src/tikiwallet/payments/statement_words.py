"""The words, dates and amounts of statements and receipts in the six languages of the wallet."""

import json
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib import resources

from tikiwallet.payments.types import HistoryItem
from tikiwallet.platform.money import exponent, format_decimal


class Language(StrEnum):
    """The languages of the wallet."""

    EN = "en"
    FR = "fr"
    ID = "id"
    SW = "sw"
    AR = "ar"
    HI = "hi"

    @property
    def is_right_to_left(self) -> bool:
        """Whether it is read from the right."""
        return self is Language.AR


@cache
def _texts() -> dict[str, dict[str, str]]:
    source = resources.files("tikiwallet.payments").joinpath("statement_texts.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(source)
    return found


def say(language: Language, key: str, **gaps: str) -> str:
    """Return a text with its gaps filled."""
    return _texts()[language][key].format_map(gaps)


def day(at: datetime, language: Language, *, is_short: bool = False) -> str:
    """Return a day as the language writes it."""
    from babel.dates import format_date  # 30 ms that a server which starts has no use for

    # In Arabic the short form is all numbers, whose order changes with the direction in which they are read.
    form = "medium" if is_short and not language.is_right_to_left else "long"
    return format_date(at, form, locale=language.value)


def amount(amount_minor: int, currency: str, language: Language) -> str:
    """Return an amount as the language groups and points it, in the digits 0 to 9, without the currency."""
    from babel import Locale
    from babel.numbers import format_decimal as format_number

    locale, digits = Locale.parse(language.value), exponent(currency)
    written = Decimal(format_decimal(amount_minor, currency))
    pattern = locale.decimal_formats[None].pattern.replace(".###", f".{'0' * digits}" if digits else "")
    return format_number(written, pattern, locale=locale)


def what(item: HistoryItem, language: Language) -> str:
    """Return what a movement was."""
    if isinstance(item.counterparty, str):
        return say(language, item.kind.value)
    return say(language, "received" if item.direction.value == "in" else "paid", name=item.counterparty.username)
