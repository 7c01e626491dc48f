"""How often one may try to sign in, to sign up and to send or guess codes.

A stranger may try for anybody's phone number, and behind one address of a carrier stand thousands of people: so a
number has few tries and an address many. A try counts before it is judged, whatever comes of it, so that the refusal
tells nothing about whether the number has a wallet.
"""

from datetime import datetime
from typing import Final

from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.config import Settings
from tikiwallet.platform.throttle import Limit, Throttle

SIGN_IN_WINDOW_SECONDS: Final = 15 * 60
SIGN_UP_WINDOW_SECONDS: Final = 60 * 60
CODE_WINDOW_SECONDS: Final = 15 * 60
REFRESH_WINDOW_SECONDS: Final = 15 * 60
REFRESHES_PER_SESSION_MAX: Final = 120  # a client needs two
NOTICE_WINDOW_SECONDS: Final = 24 * 3600
NOTICES_PER_PHONE_MAX: Final = 10  # by text message
TEXT_WINDOW_SECONDS: Final = 60 * 60
COUNTRY_WINDOW_SECONDS: Final = 24 * 60 * 60
PREFIX_CUTS_DIGITS: Final = 4  # a block of numbers that one carrier gave to one customer


class Throttling:
    """The limits of the identity context. Each method counts one try; refusal: `TooManyRequests`."""

    def __init__(self, throttle: Throttle, settings: Settings, *, phones: PhoneRules) -> None:
        self._throttle = throttle
        self._phones = phones
        self._sign_in_address = Limit("sign-in-address", settings.sign_ins_per_address_max, SIGN_IN_WINDOW_SECONDS)
        self._sign_in_phone = Limit("sign-in-phone", settings.sign_ins_per_phone_max, SIGN_IN_WINDOW_SECONDS)
        self._sign_up_address = Limit("sign-up-address", settings.sign_ups_per_address_max, SIGN_UP_WINDOW_SECONDS)
        self._sign_up_phone = Limit("sign-up-phone", settings.sign_ups_per_phone_max, SIGN_UP_WINDOW_SECONDS)
        self._proof_person = Limit("proof-person", settings.sign_ins_per_phone_max, SIGN_IN_WINDOW_SECONDS)
        self._proof_text_phone = Limit("proof-text-phone", settings.sign_ups_per_phone_max, SIGN_UP_WINDOW_SECONDS)
        self._reset_phone = Limit("reset-phone", settings.sign_ups_per_phone_max, SIGN_UP_WINDOW_SECONDS)
        self._phone_change = Limit("phone-change", settings.sign_ups_per_phone_max, SIGN_UP_WINDOW_SECONDS)
        self._text_phone = Limit("text-phone", settings.texts_per_phone_max, TEXT_WINDOW_SECONDS)
        self._text_prefix = Limit("text-prefix", settings.texts_per_prefix_max, TEXT_WINDOW_SECONDS)
        self._text_country = Limit("text-country", settings.texts_per_country_max, COUNTRY_WINDOW_SECONDS)
        self._code_address = Limit("code-address", settings.codes_per_address_max, CODE_WINDOW_SECONDS)
        self._refresh = Limit("refresh", REFRESHES_PER_SESSION_MAX, REFRESH_WINDOW_SECONDS)
        self._notice = Limit("notice", NOTICES_PER_PHONE_MAX, NOTICE_WINDOW_SECONDS)

    async def sign_in(self, *, phone: str, address: str, now: datetime) -> None:
        """Somebody gives a password for `phone`, however that is spelt."""
        await self._throttle.count(self._sign_in_address, address, now=now)
        if number := self._phones.for_finding(phone):  # what is nobody's number is counted for the address alone
            await self._throttle.count(self._sign_in_phone, number, now=now)

    async def sign_up(self, *, address: str, now: datetime) -> None:
        """Somebody wants to sign up."""
        await self._throttle.count(self._sign_up_address, address, now=now)

    async def first_code(self, number: str, *, now: datetime) -> None:
        """A sign-up will send its first code to `number` (E.164): who mistypes a username uses up no try."""
        await self._throttle.count(self._sign_up_phone, number, now=now)

    async def first_reset_code(self, number: str, *, now: datetime) -> None:
        """Somebody who gives this number (E.164) has lost a password."""
        await self._throttle.count(self._reset_phone, number, now=now)

    async def phone_change(self, person_id: PersonId, *, now: datetime) -> None:
        """Somebody wants to move to another phone number."""
        await self._throttle.count(self._phone_change, str(person_id), now=now)

    async def text(self, number: str, *, now: datetime) -> None:
        """A text message will go to `number` (E.164), whatever for."""
        await self._throttle.count(self._text_phone, number, now=now)
        await self._throttle.count(self._text_prefix, number[:-PREFIX_CUTS_DIGITS], now=now)
        await self._throttle.count(self._text_country, self._phones.country_of(number), now=now)

    async def code(self, *, address: str, now: datetime) -> None:
        """Somebody wants a fresh code, or tries one."""
        await self._throttle.count(self._code_address, address, now=now)

    async def proof_text(self, number: str, *, now: datetime) -> None:
        """Somebody who knows the password, or is signed in, wants a code sent to `number` (E.164)."""
        await self._throttle.count(self._proof_text_phone, number, now=now)

    async def passkey(self, *, address: str, now: datetime) -> None:
        """Somebody who isn't signed in wants to sign in by passkey, as a person or as an operator."""
        await self._throttle.count(self._sign_in_address, address, now=now)

    async def proof(self, person_id: PersonId, *, now: datetime) -> None:
        """Somebody who is signed in, or knows the password, gives something to show that it is them."""
        await self._throttle.count(self._proof_person, str(person_id), now=now)

    async def refresh(self, session: str, *, now: datetime) -> None:
        """A session is refreshed: each time a row is kept for as long as the session."""
        await self._throttle.count(self._refresh, session, now=now)

    async def notice(self, number: str, *, now: datetime) -> None:
        """A notice is to go to `number` (E.164) by text message."""
        await self._throttle.count(self._notice, number, now=now)
