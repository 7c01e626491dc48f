"""Signing up: who proves the phone becomes the person.

Until the phone is proven nobody learns whether it already has a wallet: the answer, the rows and the work are the
same, only the text message differs, and that goes to the owner of the phone. Usernames are public, so a taken one is
refused at once.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.codes import LIFETIME, CodeRequest, OneTimeCodes
from tikiwallet.identity.passwords import PasswordHasher, check_password
from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.sessions import NewSession, Session, Sessions
from tikiwallet.identity.texts import TextMessages, Ticket
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import Person, PersonId, PersonState, Tier
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

REGISTRATION_LIFETIME = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=1)  # past the end, for somebody who asks why a code didn't work
FORGOTTEN_AT_ONCE_MAX = 20
PURPOSE = "registration"
USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,29}")  # the constraint username_shape says the same

PrepareWallet = Callable[[PersonId], Awaitable[None]]


class UsernameInvalid(Refused):
    """A username has 3 to 30 letters, digits or underscores and begins with a letter."""

    code, kind = "username_invalid", Kind.UNPROCESSABLE


class UsernameTaken(Refused):
    """Somebody has this username already; choose another one."""

    code, kind = "username_taken", Kind.CONFLICT


class PhoneTaken(Refused):
    """This phone number has a wallet already; sign in instead."""

    code, kind = "phone_taken", Kind.CONFLICT


class RegistrationUnknown(Refused):
    """This sign-up has ended, or there never was one; start again from the beginning."""

    code, kind = "registration_unknown", Kind.MISSING


class RegistrationStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-up that waits for the code in the text message."""

    registration_id: UUID
    code_expires_at: datetime


class NewRegistration(NamedTuple):
    """What the edge makes for a sign-up: two ids and a code."""

    registration_id: UUID
    person_id: PersonId
    code: str


class Registrations:
    """Sign-ups. `prepare_wallet` opens a person's accounts; it is repeatable and runs before the person exists."""

    def __init__(
        self,
        db: Database,
        *,
        codes: OneTimeCodes,
        sessions: Sessions,
        hasher: PasswordHasher,
        phones: PhoneRules,
        texts: TextMessages,
        throttling: Throttling,
        prepare_wallet: PrepareWallet,
    ) -> None:
        self._db = db
        self._codes = codes
        self._sessions = sessions
        self._hasher = hasher
        self._phones = phones
        self._texts = texts
        self._throttling = throttling
        self._prepare_wallet = prepare_wallet

    async def register(
        self, new: NewRegistration, *, phone: str, username: str, password: str, now: datetime
    ) -> RegistrationStarted:
        """Begin a sign-up and send the code.

        Refusals: `UsernameInvalid`, `UsernameTaken`, `PhoneInvalid`, `PhoneCountryRefused`, `PasswordRefused`,
        `TooManyRequests`, `SmsPaused`, `SmsUnavailable` (begin again), `Overloaded`.
        """
        if not USERNAME.fullmatch(username):
            raise UsernameInvalid(field="username")
        number = self._phones.for_sign_up(phone)
        check_password(password, username=username, phone=number)
        if await self._db.pool.fetchval(SQL["username_is_taken"], username):
            raise UsernameTaken(field="username")
        await self._throttling.first_code(number, now=now)
        ticket = await self._texts.admit(number, now=now)
        password_hash = await self._hasher.hash(password)
        code_expires_at = now + LIFETIME
        async with self._db.transaction() as tx:
            await tx.execute(
                SQL["insert_registration"],
                new.registration_id, new.person_id, number, username, password_hash, now, now + REGISTRATION_LIFETIME,
            )  # fmt: skip
            await self._codes.insert(tx, _request(new.registration_id), code=new.code, expires_at=code_expires_at)
            await tx.execute(SQL["forget_old_registrations"], now - FORGOTTEN_AFTER, FORGOTTEN_AT_ONCE_MAX)
        await self._send(ticket, new.code, now=now)
        return RegistrationStarted(registration_id=new.registration_id, code_expires_at=code_expires_at)

    async def send_fresh_code(self, registration_id: UUID, *, code: str, now: datetime) -> RegistrationStarted:
        """Send `code` in place of the one before. The wrong tries so far stay counted.

        Refusals: `RegistrationUnknown`, `CodeUsed`, `CodeAttemptsUsedUp`, `CodeSendsUsedUp`, `TooManyRequests`,
        `SmsPaused`, `SmsUnavailable`.
        """
        row = await self._registration(registration_id, now)
        code_expires_at = min(now + LIFETIME, row["expires_at"])
        await self._codes.require_replaceable(_request(registration_id))
        ticket = await self._texts.admit(row["phone"], now=now)
        await self._codes.replace(_request(registration_id), code=code, expires_at=code_expires_at)
        await self._send(ticket, code, now=now)
        return RegistrationStarted(registration_id=registration_id, code_expires_at=code_expires_at)

    async def verify(self, registration_id: UUID, new: NewSession, *, code: str, now: datetime) -> Session:
        """Make the person whose phone received `code`, with a wallet, and sign them in.

        Refusals: `RegistrationUnknown`, `CodeWrong`, `CodeExpired`, `CodeUsed`, `CodeAttemptsUsedUp`; and, now that
        the phone is proven, `PhoneTaken` and `UsernameTaken`.
        """
        row = await self._registration(registration_id, now)
        request = _request(registration_id)
        await self._codes.check(request, code, now=now)
        person = Person(
            person_id=PersonId(row["person_id"]), username=row["username"], phone=row["phone"], tier=Tier.PHONE
        )
        # First the wallet, then the person: nobody ever exists without one. Cut off in between, an empty account is
        # left, and the next try finds it by the same id.
        await self._prepare_wallet(person.person_id)
        async with self._db.transaction() as tx:
            await self._codes.consume(tx, request, code, now=now)
            await self._insert_person(tx, person, password_hash=row["password_hash"], now=now)
            await self._sessions.record(tx, person.person_id, new, now=now)
            by = new.by(person.person_id)
            await AUDIT.record(tx, Act.SIGNED_UP, by=by, about=person.person_id, now=now, phone=mask(person.phone))
        return await self._sessions.opened(person, new, now=now)

    async def _insert_person(self, tx: Connection, person: Person, *, password_hash: str, now: datetime) -> None:
        try:
            await tx.execute(
                SQL["insert_person"],
                person.person_id, person.username, person.phone, password_hash, person.tier, now,
            )  # fmt: skip
        except asyncpg.UniqueViolationError as error:
            refusals: dict[str, Refused] = {
                "phone_of_one_person": PhoneTaken(field="phone"),
                "username_of_one_person": UsernameTaken(field="username"),
            }
            if error.constraint_name not in refusals:
                raise
            raise refusals[error.constraint_name] from error

    async def _registration(self, registration_id: UUID, now: datetime) -> asyncpg.Record:
        row = await self._db.pool.fetchrow(SQL["registration_by_id"], registration_id, now)
        if row is None:
            raise RegistrationUnknown
        return row

    async def _send(self, ticket: Ticket, code: str, *, now: datetime) -> None:
        row = await self._db.pool.fetchrow(SQL["person_by_phone"], ticket.phone)
        if row is not None and row["state"] != PersonState.CLOSED:
            text = (
                "Somebody tried to open a TikiWallet with your phone number, which has one already. "
                "If it was you, sign in instead; if not, there is nothing to do."
            )
        else:
            text = (
                f"{code} is your TikiWallet code for the next {LIFETIME.seconds // 60} minutes. "
                "Never tell it to anybody, not even to us."
            )
        await self._texts.send(ticket, text, now=now)


def _request(registration_id: UUID) -> CodeRequest:
    return CodeRequest(PURPOSE, registration_id)
