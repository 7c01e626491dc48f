"""A person as the database answers: one place that knows the columns, for whoever reads people."""

from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import Person, PersonId, PersonState, Tier
from tikiwallet.platform.batching import Reads
from tikiwallet.platform.db import Database


class SessionKey(NamedTuple):
    """How a session is looked for: one that nobody ended, of somebody who is here, together with the person."""

    session_id: UUID


# How somebody is looked for: by a session, an id, a phone number (E.164) or a username in lower case.
Key: TypeAlias = SessionKey | UUID | str
Rows: TypeAlias = Reads[Key, asyncpg.Record]
NOBODY = ""  # no phone number and no username


def rows_of(db: Database) -> Rows:
    """Return the reads of sessions and people: all who ask at the same time share one call of the database."""

    async def read(keys: list[Key]) -> dict[Key, asyncpg.Record]:
        sessions = [key.session_id for key in keys if isinstance(key, SessionKey)]
        ids = [key for key in keys if isinstance(key, UUID)]
        words = [key for key in keys if isinstance(key, str) and key != NOBODY]
        phones = [word for word in words if word.startswith("+")]
        usernames = [word for word in words if not word.startswith("+")]
        found: dict[Key, asyncpg.Record] = {}
        for row in await db.pool.fetch(SQL["sessions_and_people"], sessions, ids, phones, usernames):
            if row["session_id"] is not None:
                found[SessionKey(row["session_id"])] = row
                continue
            found[row["person_id"]] = row
            if row["state"] != PersonState.CLOSED:  # else somebody else may have the phone number by now
                found[row["phone"]] = found[row["username"].lower()] = row
        return found

    return Reads(read, questions_each=2)  # a payment asks for its session and for its payee


def person_of(row: asyncpg.Record) -> Person:
    """Return a person from a row with these columns."""
    return Person(
        person_id=PersonId(row["person_id"]),
        username=row["username"],
        phone=row["phone"],
        tier=Tier(row["tier"]),
        state=PersonState(row["state"]),
        frozen_because=row["frozen_because"],
    )
