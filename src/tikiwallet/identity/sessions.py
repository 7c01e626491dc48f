"""Signing in, staying signed in, signing out.

A token alone would be good for six hours whatever happens. So every request also asks the database whether the
session still lives and its person isn't frozen: signing out and freezing work at once, in every process.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tikiwallet.identity.keys import KeyRing
from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.tokens import read_header, sign_token, verify_token
from tikiwallet.identity.types import Person, PersonId, PersonState, Tier
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, SessionInvalid


class CredentialsWrong(Refused):
    """The phone number or the password is wrong."""

    code, kind = "credentials_wrong", Kind.UNAUTHENTICATED


class PersonFrozen(Refused):
    """This wallet is frozen; ask the operator."""

    code, kind = "person_frozen", Kind.FORBIDDEN


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person signed in. The token is sent as `Authorization: Bearer <token>`."""

    token: str
    expires_at: datetime
    person: Person


class Sessions:
    """The sessions of everybody. `ttl_seconds` is how long one lives at most."""

    def __init__(
        self,
        db: Database,
        *,
        keys: KeyRing,
        hasher: PasswordHasher,
        phones: PhoneRules,
        ttl_seconds: int,
    ) -> None:
        self._db = db
        self._keys = keys
        self._hasher = hasher
        self._phones = phones
        self._ttl = timedelta(seconds=ttl_seconds)

    async def sign_in(self, *, phone: str, password: str, session_id: UUID, now: datetime) -> Session:
        """Open a session for who knows the password of this phone number.

        Refusals: `CredentialsWrong`, the same and after the same work whether the phone is unknown or the password
        wrong; `PersonFrozen`, only after the right password; `Overloaded`.
        """
        found = self._phones.for_finding(phone)
        row = await self._db.pool.fetchrow(SQL["person_by_phone"], found)
        if not await self._hasher.matches(password, row["password_hash"] if row else None) or row is None:
            raise CredentialsWrong
        if PersonState(row["state"]) is PersonState.FROZEN:
            raise PersonFrozen
        person = Person(
            person_id=PersonId(row["person_id"]), username=row["username"], phone=row["phone"], tier=Tier(row["tier"])
        )
        async with self._db.transaction() as tx:
            await self.record(tx, person.person_id, session_id=session_id, now=now)
        return await self.describe(person, session_id=session_id, now=now)

    async def record(self, tx: Connection, person_id: PersonId, *, session_id: UUID, now: datetime) -> None:
        """Write down a session that begins at `now`; `describe` then gives its token."""
        await tx.execute(SQL["insert_session"], session_id, person_id, now, now + self._ttl)

    async def describe(self, person: Person, *, session_id: UUID, now: datetime) -> Session:
        """Return the session that was recorded at `now`, with its token."""
        kid, key = await self._keys.at_work()
        expires_at = now + self._ttl
        token = sign_token(
            kid, key, person_id=person.person_id, session_id=session_id, issued_at=now, expires_at=expires_at
        )
        return Session(token=token, expires_at=expires_at, person=person)

    async def authenticate(self, token: str, *, now: datetime) -> Caller:
        """Return who holds this token. Refusal: `SessionInvalid`, whatever the reason."""
        key = await self._keys.verifying(read_header(token).kid, now=now)
        if key is None:
            raise SessionInvalid
        claims = verify_token(token, key, now=now)
        if not await self._db.pool.fetchval(SQL["live_session"], claims.sid, claims.sub, now):
            raise SessionInvalid
        return Caller(person_id=claims.sub, session_id=claims.sid)

    async def sign_out(self, caller: Caller, *, now: datetime) -> None:
        """End the session at once, everywhere. Safe to repeat."""
        await self._db.pool.execute(SQL["revoke_session"], caller.session_id, now)
