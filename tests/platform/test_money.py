"""Amounts as people type them."""

import pytest

from tikiwallet.platform.money import format_decimal, parse_decimal


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [("12", "SGD", 1200), ("12.5", "SGD", 1250), (" 0.01 ", "SGD", 1), ("7", "JPY", 7), ("1.234", "BHD", 1234)],
)
def test_digits_and_a_point_are_an_amount(text: str, currency: str, amount_minor: int) -> None:
    assert parse_decimal(text, currency) == amount_minor
    assert parse_decimal(format_decimal(amount_minor, currency), currency) == amount_minor


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1e3", "1.234", "1,5", "\u0661\u0662", "\uff11\uff12", "1.", ".5", "99999999999999"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount in SGD"):
        parse_decimal(text, "SGD")
