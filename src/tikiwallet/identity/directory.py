"""Finding people: whom somebody is about to pay, and what other contexts may know of a person.

Other people see an id, a username and a masked phone number: enough to be sure whom one pays, too little to call them.
"""

from collections.abc import Sequence

import asyncpg

from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.registration import USERNAME
from tikiwallet.identity.types import Person, PersonId, PublicPerson, Tier
from tikiwallet.platform.db import Database


class People:
    """The directory (`types.Directory`). All reads."""

    def __init__(self, db: Database, *, phones: PhoneRules) -> None:
        self._db = db
        self._phones = phones

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for the default country) or username, if any."""
        row = await self._find(phone, username)
        return _public(row) if row is not None else None

    async def find_in_full(self, *, phone: str = "", username: str = "") -> Person | None:
        """Like `find`, with the whole phone number and the tier: for operators only."""
        row = await self._find(phone, username)
        return _person(row) if row is not None else None

    async def people(self, person_ids: Sequence[PersonId]) -> dict[PersonId, PublicPerson]:
        """Return those of `person_ids` that exist."""
        rows = await self._db.pool.fetch(SQL["people_by_id"], list(person_ids))
        return {PersonId(row["person_id"]): _public(row) for row in rows}

    async def person(self, person_id: PersonId) -> Person | None:
        """Return one person with the tier, for other contexts and for the person (never for other people)."""
        row = await self._db.pool.fetchrow(SQL["person_by_id"], person_id)
        return _person(row) if row is not None else None

    async def _find(self, phone: str, username: str) -> asyncpg.Record | None:
        assert bool(phone) != bool(username), "find a person by one of the two"
        if phone:
            return await self._db.pool.fetchrow(SQL["person_by_phone"], self._phones.for_finding(phone))
        if not USERNAME.fullmatch(username):  # also keeps NUL characters away from the database
            return None
        return await self._db.pool.fetchrow(SQL["person_by_username"], username)


def _public(row: asyncpg.Record) -> PublicPerson:
    return PublicPerson(person_id=PersonId(row["person_id"]), username=row["username"], phone_masked=mask(row["phone"]))


def _person(row: asyncpg.Record) -> Person:
    return Person(
        person_id=PersonId(row["person_id"]), username=row["username"], phone=row["phone"], tier=Tier(row["tier"])
    )
