"""What an operator changes about a person: the tier and whether the wallet is frozen, each with an audit entry.

A tier decides how much money a person may hold, so that who set it, when and from what must stay readable for ever.
"""

from datetime import datetime

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.directory import People
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import Person, PersonState, Tier
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused


class PersonUnknown(Refused):
    """Nobody with a wallet has this username or phone number."""

    code, kind = "person_unknown", Kind.MISSING


class Operators:
    """The operators' view of people."""

    def __init__(self, db: Database, *, people: People) -> None:
        self._db = db
        self._people = people

    async def set_tier(self, username_or_phone: str, tier: Tier, *, by: By, now: datetime) -> Person:
        """Give a person a tier; nothing is written if they have it already. Refusal: `PersonUnknown`."""
        person = await self.find(username_or_phone)
        async with self._db.transaction() as tx:
            before = (await tx.fetchrow(SQL["lock_person"], person.person_id))["tier"]
            if before != tier:
                await tx.execute(SQL["set_person_tier"], person.person_id, tier)
                await AUDIT.record(
                    tx, Act.TIER_CHANGED, by=by, about=person.person_id, now=now, before=before, after=tier.value
                )
        return msgspec.structs.replace(person, tier=tier)

    async def set_state(self, username_or_phone: str, state: PersonState, *, by: By, now: datetime) -> Person:
        """Freeze a person (all sessions stop working at once) or let them in again. Refusal: `PersonUnknown`."""
        person = await self.find(username_or_phone)
        async with self._db.transaction() as tx:
            before = (await tx.fetchrow(SQL["lock_person"], person.person_id))["state"]
            if before != state:
                await tx.execute(SQL["set_person_state"], person.person_id, state)
                await AUDIT.record(
                    tx, Act.STATE_CHANGED, by=by, about=person.person_id, now=now, before=before, after=state.value
                )
        return person

    async def find(self, username_or_phone: str) -> Person:
        """Return the person whom an operator names. Refusal: `PersonUnknown`."""
        if username_or_phone[:1].isalpha():
            person = await self._people.find_in_full(username=username_or_phone)
        else:
            person = await self._people.find_in_full(phone=username_or_phone or "+")
        if person is None:
            raise PersonUnknown
        return person
