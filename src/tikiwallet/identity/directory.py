"""Finding people: whom somebody is about to pay, and what other contexts may know of a person.

Other people see an id, a username and a masked phone number: enough to be sure whom one pays, too little to call them.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg

from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.registration import USERNAME
from tikiwallet.identity.rows import NOBODY, Key, Rows, person_of
from tikiwallet.identity.types import Asked, Person, PersonId, PersonState, PublicPerson
from tikiwallet.platform.db import Database
from tikiwallet.platform.http import Caller

PAGE_SIZE = 500
ERASED = "erased"  # in the place of a phone number


class People:
    """The directory (`types.Directory`). All reads; those at the same time share one call of the database."""

    def __init__(self, db: Database, *, rows: Rows, phones: PhoneRules) -> None:
        self._db = db
        self._rows = rows
        self._phones = phones

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for the default country) or username, if any."""
        return await self.ask(phone=phone, username=username)()

    def ask(self, *, phone: str = "", username: str = "") -> Asked:
        """Ask what `find` asks now; who never awaits the answer has lost nothing. Refusal: `Overloaded`."""
        key = self._key(phone, username)
        rows = self._rows.ask((key,))

        async def answer() -> PublicPerson | None:
            row = (await rows).get(key)
            return _public(row) if row is not None else None

        return answer

    def seen(self, caller: Caller) -> PublicPerson:
        """Return the caller as everybody may see them."""
        return _seen(PersonId(caller.person_id), username=caller.username, phone=caller.phone, state=caller.state)

    async def find_in_full(self, *, phone: str = "", username: str = "") -> Person | None:
        """Like `find`, with the whole phone number and the tier: for operators only."""
        key = self._key(phone, username)
        row = (await self._rows.get((key,))).get(key)
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

    def _key(self, phone: str, username: str) -> Key:
        assert bool(phone) != bool(username), "find a person by one of the two"
        if phone:
            return self._phones.for_finding(phone) or NOBODY
        # A name that nobody can have isn't looked for; this also keeps NUL characters away from the database.
        return username.lower() if USERNAME.fullmatch(username) else NOBODY


def _public(row: asyncpg.Record) -> PublicPerson:
    return _seen(PersonId(row["person_id"]), username=row["username"], phone=row["phone"], state=row["state"])


def _seen(person_id: PersonId, *, username: str, phone: str, state: str) -> PublicPerson:
    return PublicPerson(
        person_id=person_id,
        username=username,
        phone_masked=mask(phone) if phone != ERASED else "",
        takes_money=PersonState(state) not in {PersonState.CLOSING, PersonState.CLOSED},
    )
