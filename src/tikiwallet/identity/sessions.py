"""Signing in, staying signed in, signing out.

An access token alone would be good for its minutes whatever happens. So every request also asks the database whether
the session still lives and how its person's account stands: signing out, freezing and closing work at once, in every
process. A session lives six hours at most, and ends when it wasn't used for an hour; `refresh.py` keeps it up until
then.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.keys import KeyRing
from tikiwallet.identity.known_devices import KnownDevices
from tikiwallet.identity.notices import Notice, NoticeKind, Notices
from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.rows import Rows, SessionKey, person_of
from tikiwallet.identity.second_proof import SecondProof, SecondProofs
from tikiwallet.identity.tokens import Claims, check_validity, read_header, sign_token, verify_token
from tikiwallet.identity.types import Person, PersonId, PersonState, Proof
from tikiwallet.identity.waiting_changes import WaitingChanges
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, Meanwhile, SessionInvalid
from tikiwallet.platform.ids import database_uuid

# A write for every request would cost more than it tells. So an idle session ends up to so much before its idle hour is
# over, and never after it.
SEEN_AGAIN_AFTER: Final = timedelta(minutes=5)
SESSIONS_SHOWN_MAX: Final = 100
TOKENS_REMEMBERED_MAX: Final = 10_000  # about 10 MB


class CredentialsWrong(Refused):
    """The phone number or the password is wrong."""

    code, kind = "credentials_wrong", Kind.UNAUTHENTICATED


class AccountClosed(Refused):
    """This wallet was closed; sign up to open a new one."""

    code, kind = "account_closed", Kind.FORBIDDEN


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
    """A person signed in. The token is sent as `Authorization: Bearer <token>` until `token_expires_at`; then
    `refresh_token` is exchanged for the next two, until `expires_at`. Both are "" if cookies carry them.
    `token_ttl_seconds` says the first for clients whose clock may be wrong.

    `notices` are what the person should know about other sessions.
    """

    token: str
    token_expires_at: datetime
    token_ttl_seconds: int
    refresh_token: str
    expires_at: datetime
    person: Person
    notices: list[Notice]


class NewSession(NamedTuple):
    """What the edge makes for a session, and what it knows of who opens it."""

    session_id: UUID
    refresh_token: str
    label: str = ""  # for the list of sessions
    device: str = ""  # the secret of the device (known_devices.py); "": one that nobody knows
    address: str = ""
    proved_by: Proof = Proof.PASSWORD

    def by(self, person_id: PersonId) -> By:
        """Return who opens it, for the audit log."""
        return By.person(person_id, address=self.address, session_id=self.session_id, label=self.label)


class Lives(NamedTuple):
    """How long things live: a session at most, one that isn't used, and an access token."""

    session: timedelta
    idle: timedelta
    access_token: timedelta


class Sessions:
    """The sessions of everybody."""

    def __init__(
        self,
        db: Database,
        *,
        rows: Rows,
        keys: KeyRing,
        hasher: PasswordHasher,
        phones: PhoneRules,
        devices: KnownDevices,
        second_proofs: SecondProofs,
        notices: Notices,
        waiting: WaitingChanges,
        lives: Lives,
    ) -> None:
        self._db = db
        self._rows = rows
        self._keys = keys
        self._hasher = hasher
        self._phones = phones
        self._devices = devices
        self._second_proofs = second_proofs
        self._notices = notices
        self._life = lives
        self._waiting = waiting
        # That a signature is right stays true; whether the session still lives is asked each time.
        self._verified_tokens: dict[str, tuple[Claims, PersonId, SessionKey]] = {}

    async def sign_in(
        self, new: NewSession, *, phone: str, password: str, now: datetime, second: SecondProof | None = None
    ) -> Session:
        """Open a session for who knows the password of a phone number and, on a new device, gives a second proof.

        Refusals: those of `who_knows`; on a device where this person hasn't signed in before those of
        `SecondProofs.check` and `SecondProofs.use`. Then its owner is told.
        """
        by = By.nobody(address=new.address, label=new.label)
        person = await self.who_knows(phone=phone, password=password, by=by, now=now)
        if await self._devices.is_known(person.person_id, new.device):
            second = None  # nothing is used up that isn't needed
        else:
            second = await self._second_proofs.check(person.person_id, second, now=now)
        return await self._open(person, new, second=second, now=now)

    async def sign_in_by_passkey(self, new: NewSession, person_id: PersonId, *, now: datetime) -> Session:
        """Open a session for whose passkey was recognised. A new device is told. Refusal: `AccountClosed`."""
        await self._waiting.settle(phone="", person_id=person_id, now=now)
        row = await self._db.pool.fetchrow(SQL["credentials_of_person"], person_id)
        assert row is not None, person_id  # a passkey belongs to a person, by a foreign key
        if PersonState(row["state"]) is PersonState.CLOSED:
            raise AccountClosed
        return await self._open(person_of(row), new._replace(proved_by=Proof.PASSKEY), second=None, now=now)

    async def who_knows(self, *, phone: str, password: str, by: By, now: datetime) -> Person:
        """Return whose phone number and password these are; `by` asks.

        Refusals: `CredentialsWrong`, the same and after the same work whether the phone is unknown or the password
        wrong; `AccountClosed`, only after the right password; `Overloaded`.
        """
        found = self._phones.for_finding(phone)
        await self._waiting.settle(phone=found, now=now)
        row = await self._db.pool.fetchrow(SQL["person_by_phone"], found)
        matches = await self._hasher.matches(password, row["password_hash"] if row else None)
        if not matches or row is None or PersonState(row["state"]) is PersonState.CLOSED:
            refused = AccountClosed() if matches and row else CredentialsWrong()
            async with self._db.transaction() as tx:
                about, shown = row["person_id"] if row else None, mask(found) if found else ""
                await AUDIT.record(
                    tx, Act.SIGN_IN_REFUSED, by=by, about=about, now=now, reason=refused.code, phone=shown
                )
            raise refused
        return person_of(row)

    async def _open(self, person: Person, new: NewSession, *, second: SecondProof | None, now: datetime) -> Session:
        async with self._db.transaction() as tx:
            if second is not None:
                await self._second_proofs.use(tx, person.person_id, second, now=now)
            is_known = await self.record(tx, person.person_id, new, now=now)
            if not is_known:
                await self._notices.note(
                    tx, person.person_id, NoticeKind.NEW_DEVICE, session_id=new.session_id, label=new.label, now=now
                )
            await AUDIT.record(tx, Act.SIGNED_IN, by=new.by(person.person_id), about=person.person_id, now=now)
        if not is_known:
            await self._notices.text(person, NoticeKind.NEW_DEVICE, label=new.label, now=now)
        return await self.opened(person, new, now=now)

    async def record(self, tx: Connection, person_id: PersonId, new: NewSession, *, now: datetime) -> bool:
        """Write down a session that begins at `now`, and its device; `opened` then gives its tokens.

        Return whether the device was known before.
        """
        await tx.execute(
            SQL["insert_session"], new.session_id, person_id, now, now + self._life.session, new.label, new.proved_by
        )
        await tx.execute(SQL["insert_refresh_token"], hash_of(new.refresh_token), new.session_id, None, now)
        return await self._devices.remember(tx, person_id, new.device, label=new.label, now=now)

    async def opened(self, person: Person, new: NewSession, *, now: datetime) -> Session:
        """Return the session that was recorded at `now`, with its tokens."""
        return await self.describe(
            person, session_id=new.session_id, refresh_token=new.refresh_token, expires_at=now + self._life.session,
            now=now,
        )  # fmt: skip

    async def describe(
        self, person: Person, *, session_id: UUID, refresh_token: str, expires_at: datetime, now: datetime
    ) -> Session:
        """Return a session of `person` with a fresh access token."""
        kid, key = await self._keys.at_work(now=now)
        token_expires_at = min(now + self._life.access_token, expires_at)
        token = sign_token(
            kid, key, person_id=person.person_id, session_id=session_id, issued_at=now, expires_at=token_expires_at
        )
        notices = await self._notices.of_person(person.person_id, session_id=session_id, now=now)
        return Session(
            token=token, token_expires_at=token_expires_at,
            token_ttl_seconds=int((token_expires_at - now).total_seconds()), refresh_token=refresh_token,
            expires_at=expires_at, person=person, notices=notices,
        )  # fmt: skip

    def lives(self, row: asyncpg.Record, *, now: datetime) -> bool:
        """Return whether a session that nobody ended may still be used."""
        return bool(row["expires_at"] > now and now - (row["last_seen_at"] or row["issued_at"]) < self._life.idle)

    async def authenticate(self, token: str, *, now: datetime, meanwhile: Meanwhile = None) -> Caller:
        """Return who holds this token. Refusal: `SessionInvalid`, whatever the reason.

        `meanwhile` is called when the database is about to be asked, for nobody whose token isn't ours and in force:
        what it asks of people shares that call.
        """
        claims, person_id, session = await self._verified(token, now=now)
        check_validity(claims, now=now)
        asked = self._rows.ask((session,))
        if meanwhile is not None:
            meanwhile()
        row = (await asked).get(session)
        if row is None or row["person_id"] != person_id or not self.lives(row, now=now):
            raise SessionInvalid
        if now - (row["last_seen_at"] or row["issued_at"]) >= SEEN_AGAIN_AFTER:
            await self._db.pool.execute(SQL["see_session"], session.session_id, now)
        capped_until = row["outgoing_capped_until"]
        return Caller(
            person_id=person_id, session_id=session.session_id, username=row["username"], phone=row["phone"],
            tier=row["tier"], state=row["state"], frozen_because=row["frozen_because"],
            outgoing_capped_until=capped_until if capped_until is not None and capped_until > now else None,
        )  # fmt: skip

    async def _verified(self, token: str, *, now: datetime) -> tuple[Claims, PersonId, SessionKey]:
        """Return what a token says, whenever it holds; what it costs to verify its signature is paid once."""
        found = self._verified_tokens.get(token)
        if found is not None:
            return found
        key = await self._keys.verifying(read_header(token).kid, now=now)
        if key is None:
            raise SessionInvalid
        claims = verify_token(token, key)
        person_id, session = PersonId(database_uuid(claims.sub.bytes)), SessionKey(database_uuid(claims.sid.bytes))
        if len(self._verified_tokens) >= TOKENS_REMEMBERED_MAX:
            del self._verified_tokens[next(iter(self._verified_tokens))]  # the oldest
        self._verified_tokens[token] = (claims, person_id, session)
        return claims, person_id, session

    async def sign_out(self, caller: Caller, *, by: By, now: datetime) -> None:
        """End the session at once, everywhere. Safe to repeat."""
        await self.end(caller.session_id, caller, by=by, now=now)

    async def of_person(self, person_id: PersonId, *, current: UUID | None = None, now: datetime) -> list[OpenSession]:
        """Return where a person is signed in, newest first, at most `SESSIONS_SHOWN_MAX`; one of them is `current`."""
        rows = await self._db.pool.fetch(
            SQL["live_sessions_of_person"], person_id, now, now - self._life.idle, SESSIONS_SHOWN_MAX
        )
        return [
            OpenSession(
                session_id=row["session_id"],
                label=row["label"],
                issued_at=row["issued_at"],
                last_seen_at=row["last_seen_at"] or row["issued_at"],
                expires_at=row["expires_at"],
                is_current=row["session_id"] == current,
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

    async def end_others(self, caller: Caller, *, by: By, now: datetime) -> None:
        """End every session of the caller but this one at once, everywhere. Safe to repeat."""
        async with self._db.transaction() as tx:
            await AUDIT.record(tx, Act.SESSION_ENDED, by=by, about=caller.person_id, now=now, ended="others")
            await self.end_all(tx, PersonId(caller.person_id), but=caller.session_id, now=now)

    async def end_all(self, tx: Connection, person_id: PersonId, *, now: datetime, but: UUID | None = None) -> None:
        """End the sessions of a person, all or all but one, with `tx`: e.g. because the password changes."""
        await tx.execute(SQL["revoke_sessions_of_person"], person_id, but, now)


def hash_of(token: str) -> bytes:
    """Return what is kept of a refresh token. It has 256 bits of chance, so that a plain hash can't be guessed."""
    return hashlib.sha256(token.encode()).digest()
