"""Amounts at the edge: whole minor units and an ISO 4217 code. No float anywhere.

Exponents come from ISO 4217 and not from a display library, whose digits differ for some currencies.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import msgspec
from iso4217 import Currency

from tikiwallet.platform.errors import Kind, Refused

AMOUNT_MINOR_MAX = 10**15

AmountMinor = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MINOR_MAX, description="whole minor units, e.g. cents")]
CurrencyCode = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
DECIMAL = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,4}))?")  # only these digits: a look-alike is refused


class CurrencyNotOffered(Refused):
    """This wallet doesn't hold that currency."""

    code, kind = "currency_not_offered", Kind.UNPROCESSABLE


class Amount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A positive amount that somebody wants to move."""

    amount_minor: AmountMinor
    currency: CurrencyCode


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in one currency; may be zero, and below zero for a debt."""

    amount_minor: int
    currency: str


def require_offered(currency: str, offered: Sequence[str]) -> None:
    """Return if `currency` is one of `offered`, the currencies of the settings; else refuse (`CurrencyNotOffered`)."""
    if currency not in offered:
        raise CurrencyNotOffered(f"This wallet holds {', '.join(offered)}.", field="amount.currency")


@cache
def exponent(currency: str) -> int:
    """Return how many decimals the currency has (ISO 4217). Raises `ValueError` for an unknown code."""
    digits: int | None = Currency(currency).exponent
    if digits is None:
        raise ValueError(f"{currency} has no minor unit")
    return digits


def numeric_code(currency: str) -> int:
    """Return the ISO 4217 numeric code, as offline documents carry it. Raises `ValueError` for an unknown code."""
    number: int = int(Currency(currency).number)
    return number


def letter_code(number: int) -> str:
    """Return the ISO 4217 letters of a numeric code, as people read it. Raises `ValueError` for an unknown one."""
    for currency in Currency:
        if currency.number == number:
            letters: str = currency.code
            return letters
    raise ValueError(f"no currency has the number {number}")


def parse_decimal(text: str, currency: str) -> int:
    """Return `text` ("12", "12.5", "12.50") as minor units of `currency`; raise `ValueError` for anything else."""
    match = DECIMAL.fullmatch(text.strip())
    digits = exponent(currency)
    if match is None or len(match[2] or "") > digits:
        raise ValueError(f"{text!r} is not an amount in {currency}")
    amount_minor: int = int(match[1]) * 10**digits + int((match[2] or "").ljust(digits, "0") or "0")
    if not 1 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise ValueError(f"{text!r} is not an amount in {currency}")
    return amount_minor


def format_decimal(amount_minor: int, currency: str) -> str:
    """Return minor units as plain decimal digits ("12.50"), for terminals and logs."""
    digits = exponent(currency)
    sign, units = "-" if amount_minor < 0 else "", abs(amount_minor)
    if digits == 0:
        return f"{sign}{units}"
    return f"{sign}{units // 10**digits}.{units % 10**digits:0{digits}d}"
