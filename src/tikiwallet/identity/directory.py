"""Finding people: whom somebody is about to pay, and what other contexts may know of a person.

Other people see an id, a username and a masked phone number: enough to be sure whom one pays, too little to call them.
"""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg

from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.registration import USERNAME
from tikiwallet.identity.types import Person, PersonId, PublicPerson, Tier
from tikiwallet.platform.batching import Batcher
from tikiwallet.platform.db import Database

LOOKS_TOGETHER_MAX = 500
LOOKS_WAITING_MAX = 4000
NOBODY = "-"  # neither a phone number nor a username


# Whom somebody looks for: ids, a phone number (E.164) and a username in lower case; "" for none.
Look: TypeAlias = tuple[tuple[PersonId, ...], str, str]


class People:
    """The directory (`types.Directory`). All reads; those at the same time share one call of the database."""

    def __init__(self, db: Database, *, phones: PhoneRules) -> None:
        self._db = db
        self._phones = phones
        self._looks: Batcher[Look, list[asyncpg.Record | None]] = Batcher(
            self._look_together, size_max=LOOKS_TOGETHER_MAX, waiting_max=LOOKS_WAITING_MAX
        )

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for the default country) or username, if any."""
        row = await self._find(phone, username)
        return _public(row) if row is not None else None

    async def find_beside(
        self, person_id: PersonId, *, phone: str = "", username: str = ""
    ) -> tuple[PublicPerson | None, PublicPerson | None]:
        """Return a person, and the one whom he names by phone number or username, in one look."""
        me, other = await self._looks.ask(self._look(phone, username, person_ids=(person_id,)))
        return _public(me) if me is not None else None, _public(other) if other is not None else None

    async def find_in_full(self, *, phone: str = "", username: str = "") -> Person | None:
        """Like `find`, with the whole phone number and the tier: for operators only."""
        row = await self._find(phone, username)
        return _person(row) if row is not None else None

    async def people(self, person_ids: Sequence[PersonId]) -> dict[PersonId, PublicPerson]:
        """Return those of `person_ids` that exist."""
        rows = await self._looks.ask((tuple(person_ids), "", ""))
        return {PersonId(row["person_id"]): _public(row) for row in rows if row is not None}

    async def person(self, person_id: PersonId) -> Person | None:
        """Return one person with the tier, for other contexts and for the person (never for other people)."""
        row = await self._db.pool.fetchrow(SQL["person_by_id"], person_id)
        return _person(row) if row is not None else None

    async def _find(self, phone: str, username: str) -> asyncpg.Record | None:
        (row,) = await self._looks.ask(self._look(phone, username))
        return row

    def _look(self, phone: str, username: str, *, person_ids: tuple[PersonId, ...] = ()) -> Look:
        assert bool(phone) != bool(username), "find a person by one of the two"
        if phone:
            return person_ids, self._phones.for_finding(phone) or NOBODY, ""
        # A name that nobody can have isn't looked for; this also keeps NUL characters away from the database.
        return person_ids, "", username.lower() if USERNAME.fullmatch(username) else NOBODY

    async def _look_together(self, looks: Sequence[Look]) -> list[list[asyncpg.Record | None]]:
        """Return for each look its people in the order of the ids, then the one with the number or name."""
        ids = {person_id for person_ids, _, _ in looks for person_id in person_ids}
        phones = {phone for _, phone, _ in looks if phone}
        usernames = {username for _, _, username in looks if username}
        found: dict[UUID | str, asyncpg.Record] = {}
        for row in await self._db.pool.fetch(SQL["people_named"], list(ids), list(phones), list(usernames)):
            found[row["person_id"]] = found[row["phone"]] = found[row["username"].lower()] = row
        return [
            [found.get(key) for key in person_ids] + ([found.get(phone or username)] if phone or username else [])
            for person_ids, phone, username in looks
        ]


def _public(row: asyncpg.Record) -> PublicPerson:
    return PublicPerson(person_id=PersonId(row["person_id"]), username=row["username"], phone_masked=mask(row["phone"]))


def _person(row: asyncpg.Record) -> Person:
    return Person(
        person_id=PersonId(row["person_id"]), username=row["username"], phone=row["phone"], tier=Tier(row["tier"])
    )
