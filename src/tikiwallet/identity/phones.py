"""Phone numbers as people type them, turned into the one form that is stored (E.164), or refused.

Two spellings of one number would be two wallets for one phone. A premium or toll-free number isn't a person's phone,
and sending codes to premium numbers is how strangers turn an operator's text messages into their income.
"""

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.errors import Kind, Refused

TEXT_LENGTH_MAX = 32  # the longest number with every separator that people put in
TYPES_REFUSED = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.UAN,
        PhoneNumberType.PAGER,
        PhoneNumberType.VOICEMAIL,
    }
)
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)  # ISO 3166 alpha-2
COUNTRY_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


class PhoneInvalid(Refused):
    """This isn't a phone number that can receive text messages; write it with + and the country code."""

    code, kind = "phone_invalid", Kind.UNPROCESSABLE


class PhoneCountryRefused(Refused):
    """This wallet doesn't serve phone numbers of that country."""

    code, kind = "phone_country_refused", Kind.UNPROCESSABLE


class PhoneRules:
    """Which numbers this wallet takes.

    `countries` (ISO 3166 alpha-2, empty: any) may sign up; a number typed without + is read as one of
    `default_country` (empty: such a number is refused). Raises `ConfigError` for a country nobody knows.
    """

    def __init__(self, *, countries: tuple[str, ...], default_country: str) -> None:
        for country in (*countries, *filter(None, [default_country])):
            if country not in COUNTRIES:
                raise ConfigError(f"{country!r} is not a country with phone numbers (ISO 3166, like SG).")
        self._countries = frozenset(countries)
        self._default_country = default_country or None

    def for_sign_up(self, text: str) -> str:
        """Return the E.164 form of a number that may sign up. Refusals: `PhoneInvalid`, `PhoneCountryRefused`."""
        number = self._parse(text)
        if number is None:
            raise PhoneInvalid(field="phone")
        if self._countries and phonenumbers.region_code_for_number(number) not in self._countries:
            raise PhoneCountryRefused(field="phone")
        return _e164(number)

    def for_finding(self, text: str) -> str:
        """Return the E.164 form of a number of somebody who may be here, or "" if nobody can have it."""
        number = self._parse(text)
        return _e164(number) if number is not None else ""

    def country_of(self, number: str) -> str:
        """Return the country of an E.164 number (ISO 3166 alpha-2; "001" for numbers of no country)."""
        region: str | None = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        assert region is not None, "an E.164 number that was valid"
        return region

    def _parse(self, text: str) -> PhoneNumber | None:
        if len(text) > TEXT_LENGTH_MAX:
            return None
        try:
            number = phonenumbers.parse(text, self._default_country)
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in TYPES_REFUSED:
            return None
        return number


def _e164(number: PhoneNumber) -> str:
    text: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text


def mask(phone: str) -> str:
    """Return an E.164 number as other people may see it: `+65 •••• 4567` (fewer digits of a very short number)."""
    # No country code is the beginning of another one (E.164, section 6.1). Every receipt has two masked numbers.
    code = phone[1:3] if phone[1:3] in COUNTRY_CODES else phone[1:2] if phone[1:2] in COUNTRY_CODES else phone[1:4]
    assert code in COUNTRY_CODES, "not E.164"
    shown = 4 if len(phone) - 1 - len(code) >= 8 else 2
    return f"+{code} •••• {phone[-shown:]}"
