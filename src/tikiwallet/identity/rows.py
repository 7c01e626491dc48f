"""A person as the database answers: one place that knows the columns, for whoever reads people."""

import asyncpg

from tikiwallet.identity.types import Person, PersonId, PersonState, Tier


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
