"""Everything that we hold of a person, for that person: each context gives its part.

What other people are to a person stands in it as that person sees them (a username, a masked number); secrets that
prove who somebody is (the hash of a password, codes) are no data that anybody should carry around, and aren't in it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.audit import PAGE_SIZE, By
from tikiwallet.platform.db import Database

ENTRIES_MAX = 10_000

ExportParts: TypeAlias = Callable[[PersonId, datetime], Awaitable[dict[str, object]]]


class ExportedAct(msgspec.Struct, frozen=True, kw_only=True):
    """One act that concerned the person, from the audit log."""

    at: datetime
    act: str
    actor: str
    address: str
    label: str
    detail: dict[str, str | int]


class ExportedSession(msgspec.Struct, frozen=True, kw_only=True):
    """One session, ended ones too."""

    session_id: UUID
    label: str
    issued_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime
    revoked_at: datetime | None


class ExportedPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """One passkey; what it can do lies on the device that made it."""

    name: str
    created_at: datetime
    last_used_at: datetime | None


class ExportedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A browser or wallet folder that is known to this person."""

    label: str
    first_seen_at: datetime
    last_seen_at: datetime


class ExportedNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What the person was told about who is signed in."""

    kind: str
    label: str
    noticed_at: datetime
    dismissed_at: datetime | None


class ExportedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """What identity knows of a person."""

    person_id: UUID
    username: str
    phone: str
    tier: str
    state: str
    frozen_because: str
    created_at: datetime
    closed_at: datetime | None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that we hold of a person. The other contexts' parts are as their own routes show the same things."""

    made_at: datetime
    person: ExportedPerson
    sessions: list[ExportedSession]
    passkeys: list[ExportedPasskey]
    devices: list[ExportedDevice]
    notices: list[ExportedNotice]
    acts: list[ExportedAct]
    payments: dict[str, Any]
    funding: dict[str, Any]
    offline: dict[str, Any]


class Exports:
    """What people take with them; `parts` speaks for the other contexts."""

    def __init__(self, db: Database, *, parts: ExportParts) -> None:
        self._db = db
        self._parts = parts

    async def export(self, person_id: PersonId, *, by: By, now: datetime) -> Export:
        """Return everything of one person; that it was asked for is audited."""
        async with self._db.transaction() as tx:
            await AUDIT.record(tx, Act.DATA_EXPORTED, by=by, about=person_id, now=now)
        row = await self._db.pool.fetchrow(SQL["person_to_export"], person_id)
        sessions = await self._db.pool.fetch(SQL["sessions_to_export"], person_id)
        passkeys = await self._db.pool.fetch(SQL["passkeys_to_export"], person_id)
        devices = await self._db.pool.fetch(SQL["devices_to_export"], person_id)
        notices = await self._db.pool.fetch(SQL["notices_to_export"], person_id)
        parts = await self._parts(person_id, now)
        return Export(
            made_at=now,
            person=ExportedPerson(**row),
            sessions=[ExportedSession(**session) for session in sessions],
            passkeys=[ExportedPasskey(**passkey) for passkey in passkeys],
            devices=[ExportedDevice(**device) for device in devices],
            notices=[ExportedNotice(**notice) for notice in notices],
            acts=await self._acts(person_id),
            **msgspec.to_builtins(parts),
        )

    async def _acts(self, person_id: PersonId) -> list[ExportedAct]:
        found: list[ExportedAct] = []
        last = 0
        while len(found) < ENTRIES_MAX and (page := await AUDIT.entries(self._db, about=person_id, after=last)):
            found += [
                ExportedAct(
                    at=entry.at, act=entry.act, actor=entry.actor, address=entry.address, label=entry.label,
                    detail=msgspec.json.decode(entry.detail),
                )
                for entry in page
            ]  # fmt: skip
            last = page[-1].entry_no
            if len(page) < PAGE_SIZE:
                break
        return found
