"""Finding people: whom somebody is about to pay, and what other contexts may know of a person.

Other people see an id, a username and a masked phone number: enough to be sure whom one pays, too little to call them.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg

from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.registration import USERNAME
from tikiwallet.identity.rows import person_of
from tikiwallet.identity.types import Person, PersonId, PersonState, PublicPerson
from tikiwallet.platform.batching import Reads
from tikiwallet.platform.db import Database

# How somebody is looked for: an id, a phone number (E.164) or a username in lower case.
Key: TypeAlias = UUID | str
PAGE_SIZE = 500
ERASED = "erased"  # in the place of a phone number
NOBODY = ""  # no phone number and no username


class People:
    """The directory (`types.Directory`). All reads; those at the same time share one call of the database."""

    def __init__(self, db: Database, *, phones: PhoneRules) -> None:
        self._db = db
        self._phones = phones
        self._rows: Reads[Key, asyncpg.Record] = Reads(self._read)

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for the default country) or username, if any."""
        row = await self._find(phone, username)
        return _public(row) if row is not None else None

    async def find_beside(
        self, person_id: PersonId, *, phone: str = "", username: str = ""
    ) -> tuple[PublicPerson | None, PublicPerson | None]:
        """Return a person, and the one whom he names by phone number or username, in one look."""
        key = self._key(phone, username)
        rows = await self._rows.get((person_id, key))
        return _public(rows[person_id]) if person_id in rows else None, _public(rows[key]) if key in rows else None

    async def find_in_full(self, *, phone: str = "", username: str = "") -> Person | None:
        """Like `find`, with the whole phone number and the tier: for operators only."""
        row = await self._find(phone, username)
        return person_of(row) if row is not None else None

    async def people(self, person_ids: Sequence[PersonId]) -> dict[PersonId, PublicPerson]:
        """Return those of `person_ids` that exist."""
        rows = await self._rows.get(person_ids)
        return {PersonId(row["person_id"]): _public(row) for row in rows.values()}

    async def person(self, person_id: PersonId) -> Person | None:
        """Return one person with the tier, for other contexts and for the person (never for other people)."""
        row = await self._db.pool.fetchrow(SQL["person_by_id"], person_id)
        return person_of(row) if row is not None else None

    async def all_in_full(self) -> AsyncIterator[Person]:
        """Yield everybody, for a command that goes through all of them."""
        last = UUID(int=0)
        while rows := await self._db.pool.fetch(SQL["people_after"], last, PAGE_SIZE):
            for row in rows:
                yield person_of(row)
            last = rows[-1]["person_id"]

    async def _find(self, phone: str, username: str) -> asyncpg.Record | None:
        key = self._key(phone, username)
        return (await self._rows.get((key,))).get(key)

    def _key(self, phone: str, username: str) -> Key:
        assert bool(phone) != bool(username), "find a person by one of the two"
        if phone:
            return self._phones.for_finding(phone) or NOBODY
        # A name that nobody can have isn't looked for; this also keeps NUL characters away from the database.
        return username.lower() if USERNAME.fullmatch(username) else NOBODY

    async def _read(self, keys: list[Key]) -> dict[Key, asyncpg.Record]:
        ids = [key for key in keys if isinstance(key, UUID)]
        phones = [key for key in keys if isinstance(key, str) and key.startswith("+")]
        usernames = [key for key in keys if isinstance(key, str) and key and not key.startswith("+")]
        found: dict[Key, asyncpg.Record] = {}
        for row in await self._db.pool.fetch(SQL["people_named"], ids, phones, usernames):
            found[row["person_id"]] = found[row["phone"]] = found[row["username"].lower()] = row
        return found


def _public(row: asyncpg.Record) -> PublicPerson:
    state = PersonState(row["state"])
    return PublicPerson(
        person_id=PersonId(row["person_id"]),
        username=row["username"],
        phone_masked=mask(row["phone"]) if row["phone"] != ERASED else "",
        takes_money=state not in {PersonState.CLOSING, PersonState.CLOSED},
    )
