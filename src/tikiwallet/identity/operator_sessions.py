"""How an operator gets in: by a passkey and nothing else, for six hours at most and half an hour of doing nothing.

Everything is apart from people's: tables, challenges, the cookie and what is in it. An operator's token is a random
word that only this table knows, no signed statement, so there is nothing that a service for people could take for one
of its own, and a person's token is a word that nobody here has heard of.
"""

import asyncio
import secrets
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.operator_accounts import TOKEN_BYTES, OperatorRole, hash_of, in_order
from tikiwallet.identity.passkeys import (
    CHALLENGE_TTL,
    FORGOTTEN_AT_ONCE_MAX,
    Assertion,
    NewPasskey,
    PasskeyChallenge,
    PasskeyChallengeUnknown,
    PasskeyCopied,
    PasskeyRefused,
    PasskeysUnavailable,
    PasskeyTaken,
    RelyingParty,
    challenge_in,
    to_bytes,
    to_text,
    verify_new,
    verify_use,
)
from tikiwallet.identity.queries import SQL
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import SessionInvalid

SESSION_LIFE: Final = timedelta(hours=6)
IDLE_LIFE: Final = timedelta(minutes=30)
SEEN_AGAIN_AFTER: Final = timedelta(minutes=1)
KEY_UNKNOWN: Final = "No operator has this passkey, or not any more."


class EnrolmentUnknown(Refused):
    """This link doesn't work, or not any more: it is good once, for a quarter of an hour. Ask for a new one."""

    code, kind = "enrolment_unknown", Kind.MISSING


class SignedInOperator(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: an operator, proven by a session."""

    operator_id: UUID
    name: str
    roles: list[OperatorRole]
    session_id: UUID
    expires_at: datetime


class NewOperatorSession(NamedTuple):
    """What the edge makes for a session, and what it knows of who opens it."""

    session_id: UUID
    token: str
    label: str = ""
    address: str = ""


class EnrolmentChallenge(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser needs to make an operator's passkey. `user_handle` is the operator's id (base64url)."""

    name: str
    user_handle: str
    challenge: PasskeyChallenge


def make_token() -> str:
    """Return a fresh random token of a session. Called at the edge only."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class OperatorSessions:
    """The passkeys and sessions of operators."""

    def __init__(self, db: Database, *, relying_party: RelyingParty | None) -> None:
        self._db = db
        self._relying_party = relying_party

    async def enrolment_challenge(self, token: str, *, challenge: bytes, now: datetime) -> EnrolmentChallenge:
        """Return what an authenticator is to sign for a link. Refusals: `EnrolmentUnknown`, `PasskeysUnavailable`."""
        party = self._party()
        row = await self._db.pool.fetchrow(SQL["operator_enrolment"], hash_of(token), now)
        if row is None:
            raise EnrolmentUnknown
        return EnrolmentChallenge(
            name=row["name"],
            user_handle=to_text(row["operator_id"].bytes),
            challenge=await self._ask(party, row["operator_id"], challenge=challenge, now=now),
        )

    async def enrol(self, token: str, passkey: NewPasskey, *, address: str, label: str, now: datetime) -> None:
        """Register the passkey that an authenticator made for a link, which is used up with that.

        Refusals: `EnrolmentUnknown`, `PasskeysUnavailable`, `PasskeyChallengeUnknown`, `PasskeyRefused`,
        `PasskeyTaken`.
        """
        party = self._party()
        row = await self._db.pool.fetchrow(SQL["operator_enrolment"], hash_of(token), now)
        if row is None:
            raise EnrolmentUnknown
        challenge = await self._take(passkey.client_data, row["operator_id"], now=now)
        made = await asyncio.to_thread(verify_new, passkey, party, challenge)
        try:
            async with self._db.transaction() as tx:
                # Deleted in the transaction that makes the passkey: of two at once, one makes it.
                is_enabled = await tx.fetchval(SQL["hold_enabled_operator"], row["operator_id"])
                if not is_enabled or await tx.fetchval(SQL["take_operator_enrolment"], hash_of(token), now) is None:
                    raise EnrolmentUnknown
                await tx.execute(
                    SQL["insert_operator_passkey"], row["operator_id"], made.credential_id, made.public_key,
                    made.sign_count, now,
                )  # fmt: skip
                by = By.operator(row["name"], address=address, label=label)
                await AUDIT.record(tx, Act.OPERATOR_ENROLLED, by=by, about=None, now=now)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "credential_of_one_operator":
                raise
            raise PasskeyTaken from error

    async def sign_in_challenge(self, *, challenge: bytes, now: datetime) -> PasskeyChallenge:
        """Return what an authenticator is to sign so that its operator is signed in. Refusal: `PasskeysUnavailable`."""
        return await self._ask(self._party(), None, challenge=challenge, now=now)

    async def sign_in(self, new: NewOperatorSession, answer: Assertion, *, now: datetime) -> SignedInOperator:
        """Open a session for the operator whose passkey signed our challenge.

        Refusals: `PasskeysUnavailable`, `PasskeyChallengeUnknown`, `PasskeyRefused` (also for a person's passkey),
        `PasskeyCopied`.
        """
        party = self._party()
        try:
            return await self._sign_in(new, answer, party, now=now)
        except (PasskeyRefused, PasskeyChallengeUnknown, PasskeyCopied) as refused:
            async with self._db.transaction() as tx:
                by = By.nobody(address=new.address, label=new.label)
                await AUDIT.record(tx, Act.OPERATOR_SIGN_IN_REFUSED, by=by, about=None, now=now, reason=refused.code)
            raise

    async def _sign_in(
        self, new: NewOperatorSession, answer: Assertion, party: RelyingParty, *, now: datetime
    ) -> SignedInOperator:
        row, sign_count = await self._recognise(answer, party, now=now)
        async with self._db.transaction() as tx:
            # The operator first, as whoever takes a key away does: what is made here is ended there, or isn't made.
            if await tx.fetchval(SQL["hold_enabled_operator"], row["operator_id"]) is None:
                raise PasskeyRefused(KEY_UNKNOWN)
            # One statement, so that of two answers with one count the second finds it used.
            if await tx.fetchval(SQL["count_operator_passkey_use"], row["operator_id"], sign_count, now) is None:
                raise PasskeyCopied
            await tx.execute(
                SQL["insert_operator_session"], new.session_id, row["operator_id"], hash_of(new.token), new.label,
                now, now + SESSION_LIFE,
            )  # fmt: skip
            by = By.operator(row["name"], address=new.address, session_id=new.session_id, label=new.label)
            await AUDIT.record(tx, Act.OPERATOR_SIGNED_IN, by=by, about=None, now=now)
        return await self.authenticate(new.token, now=now)

    async def authenticate(self, token: str, *, now: datetime) -> SignedInOperator:
        """Return whose session this token is of. Refusal: `SessionInvalid`, whatever the reason."""
        row = await self._db.pool.fetchrow(SQL["operator_session"], hash_of(token))
        if row is None or row["expires_at"] <= now or now - row["last_seen_at"] >= IDLE_LIFE:
            raise SessionInvalid
        if now - row["last_seen_at"] >= SEEN_AGAIN_AFTER:
            await self._db.pool.execute(SQL["see_operator_session"], row["session_id"], now)
        return SignedInOperator(
            operator_id=row["operator_id"], name=row["name"], roles=in_order(row["roles"]),
            session_id=row["session_id"], expires_at=row["expires_at"],
        )  # fmt: skip

    async def sign_out(self, operator: SignedInOperator, *, by: By, now: datetime) -> None:
        """End the session at once, everywhere. Safe to repeat."""
        async with self._db.transaction() as tx:
            if await tx.fetchval(SQL["end_operator_session"], operator.session_id, now) is not None:
                await AUDIT.record(tx, Act.OPERATOR_SIGNED_OUT, by=by, about=None, now=now)

    async def _recognise(self, answer: Assertion, party: RelyingParty, *, now: datetime) -> tuple[asyncpg.Record, int]:
        """Return whose passkey signed one of our challenges, and how often it says that it has."""
        challenge = await self._take(answer.client_data, None, now=now)
        row = await self._db.pool.fetchrow(SQL["operator_passkey_by_credential"], to_bytes(answer.credential_id))
        if row is None:
            raise PasskeyRefused(KEY_UNKNOWN)
        if answer.user_handle and to_bytes(answer.user_handle) != row["operator_id"].bytes:
            raise PasskeyRefused
        return row, await asyncio.to_thread(verify_use, answer, party, challenge, row["public_key"])

    async def _ask(
        self, party: RelyingParty, operator_id: UUID | None, *, challenge: bytes, now: datetime
    ) -> PasskeyChallenge:
        expires_at = now + CHALLENGE_TTL
        async with self._db.transaction() as tx:
            await tx.execute(SQL["insert_operator_challenge"], challenge, operator_id, now, expires_at)
            await tx.execute(SQL["forget_operator_challenges"], now, FORGOTTEN_AT_ONCE_MAX)
        return PasskeyChallenge(
            challenge=to_text(challenge), rp_id=party.rp_id, credential_ids=[], expires_at=expires_at
        )

    async def _take(self, client_data: str, operator_id: UUID | None, *, now: datetime) -> bytes:
        """Return the challenge that an answer carries, which is gone with that."""
        challenge = challenge_in(to_bytes(client_data))
        if await self._db.pool.fetchval(SQL["take_operator_challenge"], challenge, operator_id, now) is None:
            raise PasskeyChallengeUnknown
        return challenge

    def _party(self) -> RelyingParty:
        if self._relying_party is None:
            raise PasskeysUnavailable
        return self._relying_party
