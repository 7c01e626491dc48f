"""What an operator changes about a person: the tier and whether the wallet is frozen, each with a line of history.

A tier decides how much money a person may hold, so that who set it, when and from what must stay readable for ever.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tikiwallet.identity.directory import People
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import Person, PersonState, Tier
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused


class PersonUnknown(Refused):
    """Nobody with a wallet has this username or phone number."""

    code, kind = "person_unknown", Kind.MISSING


class Change(NamedTuple):
    """Who changes something, when, and the id of the line of history."""

    change_id: UUID
    changed_by: str
    changed_at: datetime


class Operators:
    """The operators' view of people."""

    def __init__(self, db: Database, *, people: People) -> None:
        self._db = db
        self._people = people

    async def set_tier(self, username_or_phone: str, tier: Tier, *, change: Change) -> Person:
        """Give a person a tier; nothing is written if they have it already. Refusal: `PersonUnknown`."""
        return await self._set(username_or_phone, "tier", tier, SQL["set_person_tier"], change)

    async def set_state(self, username_or_phone: str, state: PersonState, *, change: Change) -> Person:
        """Freeze a person (all sessions stop working at once) or let them in again. Refusal: `PersonUnknown`."""
        return await self._set(username_or_phone, "state", state, SQL["set_person_state"], change)

    async def _set(self, username_or_phone: str, field: str, after: str, statement: str, change: Change) -> Person:
        if username_or_phone[:1].isalpha():
            person = await self._people.find_in_full(username=username_or_phone)
        else:
            person = await self._people.find_in_full(phone=username_or_phone or "+")
        if person is None:
            raise PersonUnknown
        async with self._db.transaction() as tx:
            before = (await tx.fetchrow(SQL["lock_person"], person.person_id))[field]
            if before != after:
                await tx.execute(statement, person.person_id, after)
                await tx.execute(
                    SQL["insert_person_change"],
                    change.change_id, person.person_id, field, before, after, change.changed_by, change.changed_at,
                )  # fmt: skip
        changed = await self._people.person(person.person_id)
        assert changed is not None, person.person_id
        return changed
