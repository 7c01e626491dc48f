"""One-time codes by text message: bound to one request, single use, a few tries, a few sends.

A code of six digits has a million values. A plain hash of it is reversed in a second by whoever reads the table, so
the hash is keyed (HMAC) with a secret that isn't in the database, and bound to the request, so that a code of one
request is worth nothing in another.
"""

import contextlib
import hashlib
import hmac
import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

DIGITS = 6
LIFETIME = timedelta(minutes=10)
ATTEMPTS_MAX = 5
SENDS_MAX = 5
KEY_BYTES = 32


class CodeWrong(Refused):
    """This isn't the code that we sent."""

    code, kind = "code_wrong", Kind.UNPROCESSABLE


class CodeExpired(Refused):
    """This code is too old; ask for a fresh one."""

    code, kind = "code_expired", Kind.UNPROCESSABLE


class CodeUsed(Refused):
    """This code was used already; sign in with your password."""

    code, kind = "code_used", Kind.CONFLICT


class CodeAttemptsUsedUp(Refused):
    """There were too many wrong codes; start again from the beginning."""

    code, kind = "code_attempts_used_up", Kind.CONFLICT


class CodeSendsUsedUp(Refused):
    """We have sent as many codes as we may; start again from the beginning."""

    code, kind = "code_sends_used_up", Kind.CONFLICT


def make_code() -> str:
    """Return a fresh random code of `DIGITS` digits. Called at the edge only."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def read_code_key(data_dir: Path, *, configured: str) -> bytes:
    """Return the key of the code hashes: `configured` (64 hex digits) or, if empty, the one kept in `data_dir`.

    The file is made once, for its owner only. Processes on several machines must be given the same key. Raises
    `ConfigError` if the folder can't be used.
    """
    if configured:
        return bytes.fromhex(configured)
    try:
        return _kept_code_key(data_dir)
    except OSError as error:
        raise ConfigError(f"{data_dir} can't hold code.key; set TIKIWALLET_CODE_KEY or TIKIWALLET_DATA_DIR.") from error


def _kept_code_key(data_dir: Path) -> bytes:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "code.key"
    if not path.exists():
        fresh = data_dir / f"code.key.{os.getpid()}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # Linked into place: another process that starts now sees no file or the whole one, and the first one stays.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return path.read_bytes()


class CodeRequest(NamedTuple):
    """What a code was asked for."""

    purpose: str
    request_id: UUID


class OneTimeCodes:
    """The codes of every purpose. Code texts come from the edge and are only ever stored as keyed hashes."""

    def __init__(self, db: Database, *, key: bytes) -> None:
        assert len(key) == KEY_BYTES, len(key)
        self._db = db
        self._key = key

    async def insert(self, tx: Connection, request: CodeRequest, *, code: str, expires_at: datetime) -> None:
        """Keep the first code of a request."""
        await tx.execute(SQL["insert_code"], *request, self._hash(request, code), expires_at, ATTEMPTS_MAX, SENDS_MAX)

    async def require_replaceable(self, request: CodeRequest) -> None:
        """Return if `replace` would do it now: asked first, so that a message that isn't sent isn't counted.

        Refusals: `CodeUsed`, `CodeAttemptsUsedUp`, `CodeSendsUsedUp`.
        """
        if refused := _irreplaceable(await self._state(request)):
            raise refused

    async def replace(self, request: CodeRequest, *, code: str, expires_at: datetime) -> None:
        """Put a fresh code in the place of the old one; the tries stay counted.

        Refusals: `CodeUsed`, `CodeAttemptsUsedUp`, `CodeSendsUsedUp`.
        """
        replaced = await self._db.pool.fetchval(SQL["replace_code"], *request, self._hash(request, code), expires_at)
        if replaced is None:
            refused = _irreplaceable(await self._state(request))
            assert refused is not None, request  # none of the three is ever undone
            raise refused

    async def check(self, request: CodeRequest, code: str, *, now: datetime) -> None:
        """Count a try (it stays counted whatever happens next) and return if `code` is the right one.

        Refusals: `CodeWrong`, `CodeExpired`, `CodeUsed`, `CodeAttemptsUsedUp`.
        """
        row = await self._db.pool.fetchrow(SQL["count_code_attempt"], *request, now)
        if row is None:
            raise await self._why_not(request, now)
        if not hmac.compare_digest(row["code_hash"], self._hash(request, code)):
            left = row["attempts_left"]
            raise CodeWrong(f"{CodeWrong.sentence()} Tries left: {left}.", field="code")

    async def consume(self, tx: Connection, request: CodeRequest, code: str, *, now: datetime) -> None:
        """Use the code up in the transaction of what it was for: of several at once, only one gets past here.

        Refusals: `CodeUsed`, `CodeExpired`, and `CodeWrong` if a fresh code has replaced this one meanwhile.
        """
        consumed = await tx.fetchval(SQL["consume_code"], *request, now, self._hash(request, code))
        if consumed is None:
            raise await self._why_not(request, now)

    async def _why_not(self, request: CodeRequest, now: datetime) -> Refused:
        row = await self._state(request)
        if row["consumed_at"] is not None:
            return CodeUsed()
        if row["attempts"] >= row["attempts_max"]:
            return CodeAttemptsUsedUp()
        if row["expires_at"] <= now:
            return CodeExpired(field="code")
        return CodeWrong(field="code")

    async def _state(self, request: CodeRequest) -> asyncpg.Record:
        row = await self._db.pool.fetchrow(SQL["code_state"], *request)
        assert row is not None, request  # whoever asks holds a request that is still remembered, with its code
        return row

    def _hash(self, request: CodeRequest, code: str) -> bytes:
        message = f"{request.purpose}/{request.request_id}/{code}"
        return hmac.digest(self._key, message.encode(), hashlib.sha256)


def _irreplaceable(row: asyncpg.Record) -> Refused | None:
    if row["consumed_at"] is not None:
        return CodeUsed()
    if row["attempts"] >= row["attempts_max"]:
        return CodeAttemptsUsedUp()
    return CodeSendsUsedUp() if row["sends"] >= row["sends_max"] else None
