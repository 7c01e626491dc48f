"""Refresh tokens: a session goes on by exchanging one secret for the next.

An access token is short, because whoever verifies it without asking us can't know that its session has ended. So a
client comes back every few minutes with a refresh token, which works once. Two who use one token are the owner and a
thief, and nobody knows which is which: the whole session ends, at once (RFC 9700, section 4.14.2).

But a phone on a bad network doesn't get every answer, and then it asks again with the token of before. It names each
exchange by a key of its own, as it does with payments; the successor of a token follows from the token and that key, so
that the same question gets the same answer, and nobody has to keep a token that could be read (ADR 0025).
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
import structlog

from tikiwallet.identity.notices import NoticeKind, Notices
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.rows import person_of
from tikiwallet.identity.sessions import Session, Sessions, hash_of
from tikiwallet.identity.throttling import Throttling
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.http import SessionInvalid

TOKEN_BYTES: Final = 32

log = structlog.get_logger()


def make_refresh_token() -> str:
    """Return the first refresh token of a session. Called at the edge only."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class _Exchange(NamedTuple):
    session: asyncpg.Record
    successor: str  # "" if the token was used twice


class Refreshes:
    """Exchanges refresh tokens. `key` is a secret that isn't in the database, the same for all processes."""

    def __init__(
        self, db: Database, *, sessions: Sessions, notices: Notices, throttling: Throttling, key: bytes
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._notices = notices
        self._throttling = throttling
        self._key = hashlib.blake2b(b"refresh", key=key, digest_size=32).digest()

    async def refresh(self, token: str, *, exchange_key: str, now: datetime) -> Session:
        """Return the session with a fresh access token and the next refresh token.

        The same token with the same `exchange_key` is answered alike for as long as the next token wasn't used. Used in
        any other way a second time, it ends the session. Refusals: `SessionInvalid`, whatever the reason;
        `TooManyRequests`.
        """
        token_hash = hash_of(token)
        async with self._db.transaction() as tx:
            # The lock makes two exchanges of one session, and an exchange and an end, wait for each other.
            session = await tx.fetchrow(SQL["lock_session_of_refresh_token"], token_hash)
            if session is None or not self._sessions.lives(session, now=now):
                raise SessionInvalid
            await self._throttling.refresh(str(session["session_id"]), now=now)
            made = await self._exchange(tx, session, token, exchange_key=exchange_key, now=now)
        person = person_of(session)
        if not made.successor:
            log.warning("a refresh token was used twice, and its session was ended", session_id=session["session_id"])
            await self._notices.text(person, NoticeKind.SESSION_COPIED, label=session["label"], now=now)
            raise SessionInvalid
        return await self._sessions.describe(
            person, session_id=session["session_id"], refresh_token=made.successor, expires_at=session["expires_at"],
            now=now,
        )  # fmt: skip

    async def _exchange(
        self, tx: Connection, session: asyncpg.Record, token: str, *, exchange_key: str, now: datetime
    ) -> _Exchange:
        session_id, token_hash = session["session_id"], hash_of(token)
        successor = self._successor(token, exchange_key)
        following = await tx.fetchval(SQL["refresh_token_after"], token_hash)
        if following is None:
            await tx.execute(SQL["insert_refresh_token"], hash_of(successor), session_id, token_hash, now)
        elif following != hash_of(successor) or await tx.fetchval(SQL["refresh_token_after"], following) is not None:
            await tx.execute(SQL["revoke_session_of_person"], session_id, session["person_id"], now)
            await self._notices.note(
                tx, session["person_id"], NoticeKind.SESSION_COPIED, session_id=session_id, label=session["label"],
                now=now,
            )  # fmt: skip
            return _Exchange(session, "")
        await tx.execute(SQL["see_session"], session_id, now)
        return _Exchange(session, successor)

    def _successor(self, token: str, exchange_key: str) -> str:
        made = hmac.digest(self._key, f"{token} {exchange_key}".encode(), "sha256")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
