"""A new password for who has lost the old one: a code proves the phone, and a day goes by.

Nobody learns by asking whether a number has a wallet: the answer, the rows and the work are the same, only the text
message differs, and that goes to the owner of the phone. The old password works until the new one does, and whoever is
signed in can take the new one back.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.codes import LIFETIME, CodeRequest, CodeWrong, OneTimeCodes
from tikiwallet.identity.passwords import PasswordHasher, check_password
from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.texts import TextMessages, Ticket
from tikiwallet.identity.throttling import Throttling
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused

RESET_LIFETIME: Final = timedelta(hours=1)  # to type the code
FORGOTTEN_AFTER: Final = timedelta(days=30)
FORGOTTEN_AT_ONCE_MAX: Final = 20
PURPOSE: Final = "password_reset"


class ResetUnknown(Refused):
    """This request for a new password has ended, or there never was one; start again from the beginning."""

    code, kind = "reset_unknown", Kind.MISSING


class ResetStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a new password that waits for the code in the text message."""

    reset_id: UUID
    code_expires_at: datetime


class ResetProven(msgspec.Struct, frozen=True, kw_only=True):
    """The new password works from `effective_at`. Whoever is signed in can cancel it until then."""

    effective_at: datetime


class NewReset(NamedTuple):
    """What the edge makes for a request: an id and a code."""

    reset_id: UUID
    code: str


class PasswordResets:
    """New passwords for people who can't sign in. `wait` is the time between the code and the new password."""

    def __init__(
        self,
        db: Database,
        *,
        codes: OneTimeCodes,
        hasher: PasswordHasher,
        phones: PhoneRules,
        texts: TextMessages,
        throttling: Throttling,
        wait: timedelta,
    ) -> None:
        self._db = db
        self._codes = codes
        self._hasher = hasher
        self._phones = phones
        self._texts = texts
        self._throttling = throttling
        self._wait = wait

    async def begin(self, new: NewReset, *, phone: str, now: datetime) -> ResetStarted:
        """Send a code to `phone`, if it has a wallet.

        Refusals: `PhoneInvalid`, `PhoneCountryRefused`, `TooManyRequests`, `SmsPaused`, `SmsUnavailable`.
        """
        number = self._phones.for_sign_up(phone)
        await self._throttling.first_reset_code(number, now=now)
        ticket = await self._texts.admit(number, now=now)
        person = await self._db.pool.fetchrow(SQL["person_by_phone"], number)
        code_expires_at = now + LIFETIME
        async with self._db.transaction() as tx:
            await tx.execute(
                SQL["insert_password_reset"], new.reset_id, person["person_id"] if person else None, number, now,
                now + RESET_LIFETIME,
            )  # fmt: skip
            await self._codes.insert(tx, CodeRequest(PURPOSE, new.reset_id), code=new.code, expires_at=code_expires_at)
            await tx.execute(SQL["forget_old_password_resets"], now - FORGOTTEN_AFTER, FORGOTTEN_AT_ONCE_MAX)
        await self._send(ticket, new.code, is_known=person is not None, now=now)
        return ResetStarted(reset_id=new.reset_id, code_expires_at=code_expires_at)

    async def send_fresh_code(self, reset_id: UUID, *, code: str, now: datetime) -> ResetStarted:
        """Send `code` in place of the one before. The wrong tries so far stay counted.

        Refusals: `ResetUnknown`, `CodeUsed`, `CodeAttemptsUsedUp`, `CodeSendsUsedUp`, `TooManyRequests`, `SmsPaused`,
        `SmsUnavailable`.
        """
        row, request = await self._reset(reset_id, now), CodeRequest(PURPOSE, reset_id)
        code_expires_at = min(now + LIFETIME, row["expires_at"])
        await self._codes.require_replaceable(request)
        ticket = await self._texts.admit(row["phone"], now=now)
        await self._codes.replace(request, code=code, expires_at=code_expires_at)
        await self._send(ticket, code, is_known=row["person_id"] is not None, now=now)
        return ResetStarted(reset_id=reset_id, code_expires_at=code_expires_at)

    async def prove(self, reset_id: UUID, *, code: str, password: str, by: By, now: datetime) -> ResetProven:
        """Let `password` wait for its time, for whose phone received `code`; one that waited before is replaced.

        Refusals: `ResetUnknown`, `PasswordRefused`, `CodeWrong`, `CodeExpired`, `CodeUsed`, `CodeAttemptsUsedUp`,
        `Overloaded`.
        """
        row, request = await self._reset(reset_id, now), CodeRequest(PURPOSE, reset_id)
        check_password(password, phone=row["phone"], username=None)
        await self._codes.check(request, code, now=now)
        if row["person_id"] is None:  # its code was sent to nobody: a lucky guess
            raise CodeWrong(field="code")
        check_password(password, phone=row["phone"], username=row["username"])
        password_hash = await self._hasher.hash(password)
        effective_at = now + self._wait
        async with self._db.transaction() as tx:
            await tx.execute(SQL["lock_person"], row["person_id"])
            await self._codes.consume(tx, request, code, now=now)
            await tx.execute(SQL["end_waiting_password_reset"], row["person_id"], now, "replaced")
            await tx.execute(SQL["prove_password_reset"], reset_id, now, effective_at, password_hash)
            await AUDIT.record(
                tx, Act.PASSWORD_RESET_PROVEN, by=by, about=row["person_id"], now=now, since=effective_at.isoformat()
            )
        text = (
            f"Your TikiWallet takes a new password from {effective_at:%d.%m. %H:%M} UTC. If it wasn't you, sign in "
            "with the old one and cancel it."
        )
        await self._texts.tell(row["phone"], text, now=now)
        return ResetProven(effective_at=effective_at)

    async def _reset(self, reset_id: UUID, now: datetime) -> asyncpg.Record:
        row = await self._db.pool.fetchrow(SQL["password_reset_by_id"], reset_id, now)
        if row is None:
            raise ResetUnknown
        return row

    async def _send(self, ticket: Ticket, code: str, *, is_known: bool, now: datetime) -> None:
        if is_known:
            text = (
                f"{code} is your TikiWallet code for a new password, for the next {LIFETIME.seconds // 60} minutes. "
                "If you didn't ask for it, tell it to nobody: not even to us."
            )
        else:
            text = (
                "Somebody asked for a new password of a TikiWallet with your phone number, which has none. "
                "There is nothing to do."
            )
        await self._texts.send(ticket, text, now=now)
