"""Who is an operator: a name, roles and a passkey, made by a command on the server and by nothing else.

An operator is no person with a wallet: a table of its own, so that no sign-up, no password reset and no text message
leads to the page that can freeze people and correct the books. Whoever may run commands on the server makes operators;
a link that is good once, for a quarter of an hour, lets the new one register a passkey.

One passkey an operator: whoever loses it gets a new link, and with the link the lost key and every session are gone.
Disabled is for ever, because the name stands in the audit log: who comes back gets another name.
"""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

ENROLMENT_TTL: Final = timedelta(minutes=15)
TOKEN_BYTES: Final = 32
NAME: Final = re.compile("[a-z][a-z0-9._-]{1,39}")


class OperatorNameInvalid(Refused):
    """An operator's name has 2 to 40 small letters, digits, dots, dashes or underscores, and begins with a letter."""

    code, kind = "operator_name_invalid", Kind.INVALID


class OperatorNameTaken(Refused):
    """There is or was an operator of this name; take another one, because names stand in the audit log."""

    code, kind = "operator_name_taken", Kind.CONFLICT


class OperatorUnknown(Refused):
    """There is no such operator; see the list of operators."""

    code, kind = "operator_unknown", Kind.MISSING


class OperatorDisabled(Refused):
    """This operator is disabled, for ever; make a new one with another name."""

    code, kind = "operator_disabled", Kind.CONFLICT


class OperatorIsYou(Refused):
    """Nobody changes their own roles or disables themselves; ask another admin."""

    code, kind = "operator_is_you", Kind.CONFLICT


class OperatorRole(StrEnum):
    """What an operator is there for; `console/rights.py` says what each may do."""

    SUPPORT = "support"
    RISK = "risk"
    FINANCE = "finance"
    ADMIN = "admin"


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator in the list of operators."""

    operator_id: UUID
    name: str
    roles: list[OperatorRole]
    created_at: datetime
    disabled_at: datetime | None
    has_passkey: bool
    last_seen_at: datetime | None


class NewLink(NamedTuple):
    """What the edge makes for an enrolment link."""

    token: str


def make_link() -> NewLink:
    """Return a fresh random link. Called at the edge only."""
    return NewLink(secrets.token_urlsafe(TOKEN_BYTES))


def hash_of(token: str) -> bytes:
    """Return what is kept of a token. It has 256 bits of chance, so that a plain hash can't be guessed."""
    return hashlib.sha256(token.encode()).digest()


class OperatorAccounts:
    """All operators."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, name: str, roles: Collection[OperatorRole], link: NewLink, *, operator_id: UUID, by: By, now: datetime
    ) -> None:
        """Make an operator who registers a passkey by `link`. Refusals: `OperatorNameInvalid`, `OperatorNameTaken`."""
        if not NAME.fullmatch(name):
            raise OperatorNameInvalid
        assert roles, "an operator has a role"
        try:
            async with self._db.transaction() as tx:
                await tx.execute(SQL["insert_operator"], operator_id, name, in_order(roles), now)
                await self._insert_link(tx, operator_id, link, now=now)
                await AUDIT.record(
                    tx, Act.OPERATOR_ADDED, by=by, about=None, now=now, operator=name, roles=_shown(roles)
                )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "operator_name_once":
                raise
            raise OperatorNameTaken from error

    async def renew_link(self, name: str, link: NewLink, *, by: By, now: datetime) -> None:
        """Make a link for an operator whose key is lost: the key and all sessions are gone at once.

        Refusals: `OperatorUnknown`, `OperatorDisabled`.
        """
        async with self._db.transaction() as tx:
            row = _enabled(await tx.fetchrow(SQL["lock_operator_named"], name))
            await self._take_away(tx, row["operator_id"], now=now)
            await self._insert_link(tx, row["operator_id"], link, now=now)
            await AUDIT.record(tx, Act.OPERATOR_LINK_MADE, by=by, about=None, now=now, operator=name)

    async def all(self) -> list[Operator]:
        """Return every operator, also those who were one; the enabled first, by name."""
        return [_operator(row) for row in await self._db.pool.fetch(SQL["operators"])]

    async def find(self, name: str) -> Operator:
        """Return the operator of this name. Refusal: `OperatorUnknown`."""
        for operator in await self.all():
            if operator.name == name:
                return operator
        raise OperatorUnknown

    async def set_roles(
        self, operator_id: UUID, roles: Collection[OperatorRole], *, reason: str, by: By, now: datetime
    ) -> None:
        """Give an operator these roles instead of those before, from the next request on.

        Refusals: `OperatorUnknown`, `OperatorDisabled`.
        """
        assert roles, "an operator has a role"
        async with self._db.transaction() as tx:
            row = _enabled(await tx.fetchrow(SQL["lock_operator"], operator_id))
            if set(row["roles"]) == set(roles):
                return
            await tx.execute(SQL["set_operator_roles"], operator_id, in_order(roles))
            await AUDIT.record(
                tx, Act.OPERATOR_ROLES_CHANGED, by=by, about=None, now=now, operator=row["name"],
                before=_shown(row["roles"]), after=_shown(roles), reason=reason,
            )  # fmt: skip

    async def disable(self, operator_id: UUID, *, reason: str, by: By, now: datetime) -> None:
        """Let somebody be an operator no more: key, link and sessions are gone at once. Repeatable.

        Refusal: `OperatorUnknown`.
        """
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_operator"], operator_id)
            if row is None:
                raise OperatorUnknown
            if row["disabled_at"] is not None:
                return
            await tx.execute(SQL["disable_operator"], operator_id, now)
            await self._take_away(tx, operator_id, now=now)
            await AUDIT.record(
                tx, Act.OPERATOR_DISABLED, by=by, about=None, now=now, operator=row["name"], reason=reason
            )

    async def _insert_link(self, tx: Connection, operator_id: UUID, link: NewLink, *, now: datetime) -> None:
        await tx.execute(
            SQL["insert_operator_enrolment"], operator_id, hash_of(link.token), now, now + ENROLMENT_TTL
        )  # fmt: skip

    async def _take_away(self, tx: Connection, operator_id: UUID, *, now: datetime) -> None:
        """Leave an operator with nothing to sign in by, and signed in nowhere."""
        await tx.execute(SQL["delete_operator_passkey"], operator_id)
        await tx.execute(SQL["delete_operator_enrolment"], operator_id)
        await tx.execute(SQL["end_operator_sessions"], operator_id, now)


def in_order(roles: Collection[str]) -> list[OperatorRole]:
    """Return roles once each, in the order of `OperatorRole`."""
    return [role for role in OperatorRole if role in roles]


def _shown(roles: Collection[str]) -> str:
    return " ".join(in_order(roles))


def _enabled(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise OperatorUnknown
    if row["disabled_at"] is not None:
        raise OperatorDisabled
    return row


def _operator(row: asyncpg.Record) -> Operator:
    return Operator(**{**row, "roles": in_order(row["roles"])})
