"""What operators look at, and the sessions of people that they end.

Looking somebody up changes nothing and is still an act: whoever sells what he sees has to be found. So the entry is
written before anything is shown, and what can't be written down isn't shown.
"""

from datetime import datetime

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.sessions import OpenSession, Sessions
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database


class OperatorTraces:
    """Looks and their entries."""

    def __init__(self, db: Database, *, sessions: Sessions) -> None:
        self._db = db
        self._sessions = sessions

    async def looks_up(self, person_id: PersonId | None, *, reason: str, by: By, now: datetime) -> None:
        """Write down that a person is looked up; None: nobody was found."""
        async with self._db.transaction() as tx:
            await AUDIT.record(tx, Act.PERSON_LOOKED_UP, by=by, about=person_id, now=now, reason=reason)

    async def looks_at(self, what: str, *, by: By, now: datetime) -> None:
        """Write down that a list is looked at."""
        async with self._db.transaction() as tx:
            await AUDIT.record(tx, Act.OPERATOR_LOOKED_AT, by=by, about=None, now=now, what=what)

    async def is_refused(self, what: str, *, by: By, now: datetime) -> None:
        """Write down that an operator wanted what none of their roles may."""
        async with self._db.transaction() as tx:
            await AUDIT.record(tx, Act.OPERATOR_REFUSED, by=by, about=None, now=now, what=what)

    async def sessions_of(self, person_id: PersonId, *, now: datetime) -> list[OpenSession]:
        """Return where a person is signed in, newest first; none of the sessions is the operator's."""
        return await self._sessions.of_person(person_id, now=now)

    async def end_sessions(self, person_id: PersonId, *, reason: str, by: By, now: datetime) -> None:
        """End every session of a person at once, everywhere. Repeatable."""
        async with self._db.transaction() as tx:
            await self._sessions.end_all(tx, person_id, now=now)
            await AUDIT.record(tx, Act.SESSIONS_ENDED_BY_OPERATOR, by=by, about=person_id, now=now, reason=reason)
