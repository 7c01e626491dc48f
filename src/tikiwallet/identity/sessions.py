"""Signing in, staying signed in, signing out.

A token alone would be good for six hours whatever happens. So every request also asks the database whether the
session still lives and its person isn't frozen: signing out and freezing work at once, in every process.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.keys import KeyRing
from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.tokens import Claims, check_validity, read_header, sign_token, verify_token
from tikiwallet.identity.types import Person, PersonId, PersonState, Proof, Tier
from tikiwallet.platform.audit import By
from tikiwallet.platform.batching import Reads
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, SessionInvalid
from tikiwallet.platform.ids import database_uuid

SEEN_AGAIN_AFTER: Final = timedelta(minutes=5)  # a write for every request would cost more than it tells
SESSIONS_SHOWN_MAX: Final = 100
TOKENS_REMEMBERED_MAX: Final = 10_000  # about 10 MB


class CredentialsWrong(Refused):
    """The phone number or the password is wrong."""

    code, kind = "credentials_wrong", Kind.UNAUTHENTICATED


class PersonFrozen(Refused):
    """This wallet is frozen; ask the operator."""

    code, kind = "person_frozen", Kind.FORBIDDEN


class SessionUnknown(Refused):
    """You have no such session; see the list of your sessions."""

    code, kind = "session_unknown", Kind.MISSING


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is signed in. `label` is short ("Chrome · Android"), "" if it isn't known.

    `last_seen_at` is at most five minutes behind.
    """

    session_id: UUID
    label: str
    issued_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person signed in. The token is sent as `Authorization: Bearer <token>`; "" if a cookie carries it."""

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
        # That a signature is right stays true; whether the session still lives is asked each time.
        self._verified_tokens: dict[str, tuple[Claims, Caller]] = {}
        self._live: Reads[UUID, asyncpg.Record] = Reads(self._which_live)

    async def sign_in(
        self, *, phone: str, password: str, session_id: UUID, now: datetime, label: str = "", address: str = ""
    ) -> Session:
        """Open a session for who knows the password of this phone number; `label` is for the list of sessions.

        Refusals: `CredentialsWrong`, the same and after the same work whether the phone is unknown or the password
        wrong; `PersonFrozen`, only after the right password; `Overloaded`.
        """
        found = self._phones.for_finding(phone)
        row = await self._db.pool.fetchrow(SQL["person_by_phone"], found)
        matches = await self._hasher.matches(password, row["password_hash"] if row else None)
        if not matches or row is None or PersonState(row["state"]) is PersonState.FROZEN:
            refused = PersonFrozen() if matches and row else CredentialsWrong()
            async with self._db.transaction() as tx:
                by = By.nobody(address=address, label=label)
                about, shown = row["person_id"] if row else None, mask(found) if found else ""
                await AUDIT.record(
                    tx, Act.SIGN_IN_REFUSED, by=by, about=about, now=now, reason=refused.code, phone=shown
                )
            raise refused
        person = Person(
            person_id=PersonId(row["person_id"]), username=row["username"], phone=row["phone"], tier=Tier(row["tier"])
        )
        async with self._db.transaction() as tx:
            await self.record(
                tx, person.person_id, session_id=session_id, label=label, proved_by=Proof.PASSWORD, now=now
            )
            by = By.person(person.person_id, address=address, session_id=session_id, label=label)
            await AUDIT.record(tx, Act.SIGNED_IN, by=by, about=person.person_id, now=now)
        return await self.describe(person, session_id=session_id, now=now)

    async def record(
        self, tx: Connection, person_id: PersonId, *, session_id: UUID, label: str, proved_by: Proof, now: datetime
    ) -> None:
        """Write down a session that begins at `now` with this proof; `describe` then gives its token."""
        await tx.execute(SQL["insert_session"], session_id, person_id, now, now + self._ttl, label, proved_by)

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
        claims, caller = await self._verified(token, now=now)
        check_validity(claims, now=now)
        row = (await self._live.get((caller.session_id,))).get(caller.session_id)
        if row is None or row["person_id"] != caller.person_id or row["expires_at"] <= now:
            raise SessionInvalid
        if now - (row["last_seen_at"] or row["issued_at"]) >= SEEN_AGAIN_AFTER:
            await self._db.pool.execute(SQL["see_session"], caller.session_id, now)
        return caller

    async def _verified(self, token: str, *, now: datetime) -> tuple[Claims, Caller]:
        """Return what a token says, whenever it holds; what it costs to verify its signature is paid once."""
        found = self._verified_tokens.get(token)
        if found is not None:
            return found
        key = await self._keys.verifying(read_header(token).kid, now=now)
        if key is None:
            raise SessionInvalid
        claims = verify_token(token, key)
        caller = Caller(person_id=database_uuid(claims.sub.bytes), session_id=database_uuid(claims.sid.bytes))
        if len(self._verified_tokens) >= TOKENS_REMEMBERED_MAX:
            del self._verified_tokens[next(iter(self._verified_tokens))]  # the oldest
        self._verified_tokens[token] = (claims, caller)
        return claims, caller

    async def _which_live(self, session_ids: list[UUID]) -> dict[UUID, asyncpg.Record]:
        return {row["session_id"]: row for row in await self._db.pool.fetch(SQL["live_sessions"], session_ids)}

    async def sign_out(self, caller: Caller, *, by: By, now: datetime) -> None:
        """End the session at once, everywhere. Safe to repeat."""
        await self.end(caller.session_id, caller, by=by, now=now)

    async def of_person(self, caller: Caller, *, now: datetime) -> list[OpenSession]:
        """Return where the caller is signed in, newest first, at most `SESSIONS_SHOWN_MAX`."""
        rows = await self._db.pool.fetch(SQL["live_sessions_of_person"], caller.person_id, now, SESSIONS_SHOWN_MAX)
        return [
            OpenSession(
                session_id=row["session_id"],
                label=row["label"],
                issued_at=row["issued_at"],
                last_seen_at=row["last_seen_at"] or row["issued_at"],
                expires_at=row["expires_at"],
                is_current=row["session_id"] == caller.session_id,
            )
            for row in rows
        ]

    async def end(self, session_id: UUID, caller: Caller, *, by: By, now: datetime) -> None:
        """End a session of the caller at once, everywhere. Safe to repeat.

        Refusal: `SessionUnknown`, also for somebody else's session.
        """
        async with self._db.transaction() as tx:
            had_ended = await tx.fetchval(SQL["revoke_session_of_person"], session_id, caller.person_id, now)
            if had_ended is None:
                raise SessionUnknown
            if not had_ended:
                act = Act.SIGNED_OUT if session_id == caller.session_id else Act.SESSION_ENDED
                await AUDIT.record(tx, act, by=by, about=caller.person_id, now=now, ended=str(session_id))
