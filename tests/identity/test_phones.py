"""Phone numbers of the whole world, in one form or refused."""

import re

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tikiwallet.identity.phones import TYPES_REFUSED, PhoneInvalid, PhoneRules, mask
from tikiwallet.platform.config import ConfigError

ANYWHERE = PhoneRules(countries=(), default_country="")
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
E164_CONSTRAINT = re.compile(r"\+[1-9][0-9]{6,14}")  # phone_is_e164


def examples(kind: int) -> list[str]:
    numbers = (phonenumbers.example_number_for_type(region, kind) for region in REGIONS)
    return [phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL) for number in numbers if number]


def test_mobile_numbers_of_every_country_become_e164_and_stay_so() -> None:
    for text in examples(PhoneNumberType.MOBILE):
        phone = ANYWHERE.for_sign_up(text)
        assert E164_CONSTRAINT.fullmatch(phone), text
        assert ANYWHERE.for_sign_up(phone) == phone == ANYWHERE.for_finding(text)


def test_numbers_that_cost_the_caller_or_are_nobodys_are_refused() -> None:
    for kind in TYPES_REFUSED:
        for text in examples(kind):
            number = phonenumbers.parse(text)
            if phonenumbers.number_type(number) not in TYPES_REFUSED:
                continue  # some countries print an example that their own plan reads as a mobile number
            with pytest.raises(PhoneInvalid):
                ANYWHERE.for_sign_up(text)
            assert ANYWHERE.for_finding(text) == ""


def test_other_people_see_at_most_four_digits() -> None:
    for text in examples(PhoneNumberType.MOBILE):
        phone = ANYWHERE.for_sign_up(text)
        country, masked = mask(phone).split(" •••• ")
        assert phone.startswith(country)
        assert phone.endswith(masked)
        assert len(masked) <= len(phone.removeprefix(country)) // 2


def test_a_masked_number_looks_like_this() -> None:
    assert mask("+6591234567") == "+65 •••• 4567"
    assert mask("+2908123") == "+290 •••• 23"


@pytest.mark.parametrize("countries", [("XX",), ("sg",), ("SG", "")])
def test_a_country_that_nobody_knows_stops_the_start(countries: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="is not a country with phone numbers"):
        PhoneRules(countries=countries, default_country="")
    with pytest.raises(ConfigError, match="is not a country with phone numbers"):
        PhoneRules(countries=(), default_country="Singapore")
