"""Codes by text message that prove who is there: on a new device, and for what a text message may prove.

A code is bound to who asked, for what, and from where (a session, or a device that isn't signed in yet): the id of its
request derives from them, so a code that was asked for elsewhere is no code here.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec

from tikiwallet.identity.codes import DIGITS, LIFETIME, CodeRequest, OneTimeCodes
from tikiwallet.identity.phones import mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.texts import TextMessages
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.ids import derive_uuid

FORGOTTEN_AT_ONCE_MAX: Final = 20


class TextPurpose(StrEnum):
    """What a code is for."""

    SIGN_IN = "sign_in"
    STEP_UP = "step_up"


# It says what it is for: a person who is talked into telling it reads what he would be giving away.
TEXTS: Final = {
    TextPurpose.SIGN_IN: (
        "{code} signs in to your TikiWallet on a new device, for {minutes} minutes. Not you? Change your password. "
        "Never tell it to anybody, not even to us."
    ),
    TextPurpose.STEP_UP: (
        "{code} confirms for {minutes} minutes that it is you who uses your TikiWallet. "
        "Never tell it to anybody, not even to us."
    ),
}


class TextCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code from a text message, and the request that it was sent for."""

    request_id: UUID
    code: Annotated[str, msgspec.Meta(min_length=DIGITS, max_length=DIGITS, pattern=f"^[0-9]{{{DIGITS}}}$")]


class TextSent(msgspec.Struct, frozen=True, kw_only=True):
    """A text message with a code is on its way."""

    request_id: UUID
    phone_masked: str
    code_expires_at: datetime


class Asker(NamedTuple):
    """Who asks for a code, for what, and from where: a session, or what names a device."""

    person_id: PersonId
    purpose: TextPurpose
    place: str

    def request(self, request_id: UUID) -> CodeRequest:
        """Return what a code of this request is bound to."""
        return CodeRequest(self.purpose, derive_uuid(self.person_id, f"{self.purpose}/{self.place}/{request_id}"))


class TextProofs:
    """The codes that prove who is there."""

    def __init__(self, db: Database, *, codes: OneTimeCodes, texts: TextMessages, throttling: Throttling) -> None:
        self._db = db
        self._codes = codes
        self._texts = texts
        self._throttling = throttling

    async def send(self, asker: Asker, *, phone: str, request_id: UUID, code: str, now: datetime) -> TextSent:
        """Send a code. Refusals: `TooManyRequests`, `SmsPaused`, `SmsUnavailable`."""
        await self._throttling.proof_text(phone, now=now)
        ticket = await self._texts.admit(phone, now=now)
        expires_at = now + LIFETIME
        async with self._db.transaction() as tx:
            await self._codes.insert(tx, asker.request(request_id), code=code, expires_at=expires_at)
            await tx.execute(SQL["forget_old_codes"], now, FORGOTTEN_AT_ONCE_MAX)
        text = TEXTS[asker.purpose].format(code=code, minutes=LIFETIME.seconds // 60)
        await self._texts.send(ticket, text, now=now)
        return TextSent(request_id=request_id, phone_masked=mask(phone), code_expires_at=expires_at)

    async def check(self, asker: Asker, given: TextCode, *, now: datetime) -> bool:
        """Count a try and return whether this is the code; False if none was asked for here.

        Refusals: `CodeWrong`, `CodeExpired`, `CodeUsed`, `CodeAttemptsUsedUp`.
        """
        request = asker.request(given.request_id)
        if await self._db.pool.fetchrow(SQL["code_state"], *request) is None:
            return False
        await self._codes.check(request, given.code, now=now)
        return True

    async def use(self, tx: Connection, asker: Asker, given: TextCode, *, now: datetime) -> None:
        """Use a code up that was checked, in the transaction of what it is for. Refusals: as of `check`."""
        await self._codes.consume(tx, asker.request(given.request_id), given.code, now=now)
