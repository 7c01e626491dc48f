"""Closing a wallet: its owner asks, empties it, and it closes when nothing of his is left or on its way.

Other contexts say what is in the way and close their accounts; no transaction spans them. The order makes a crash
harmless: once nothing is in the way, it is written that the accounts are being closed, from which there is no way back;
then they are closed, each only while it is empty; then the person. Money that arrives in between keeps its account open
and the person closing, and the next try goes on from there.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.states import change_state
from tikiwallet.identity.types import Obstacle, PersonFrozen, PersonId, PersonState
from tikiwallet.platform.audit import SYSTEM, By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused

ERASED_AT_ONCE_MAX = 100

FindObstacles: TypeAlias = Callable[[PersonId, datetime], Awaitable[list[Obstacle]]]
CloseAccounts: TypeAlias = Callable[[PersonId], Awaitable[bool]]  # False: there is money in one of them


class ClosingIsFinal(Refused):
    """This wallet is being closed for good; open a new one afterwards."""

    code, kind = "closing_is_final", Kind.CONFLICT


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How a wallet stands, and what is in the way of closing it."""

    state: PersonState
    obstacles: list[Obstacle]


class Closings:
    """The wallets that close. `find_obstacles` and `close_accounts` speak for the other contexts."""

    def __init__(self, db: Database, *, find_obstacles: FindObstacles, close_accounts: CloseAccounts) -> None:
        self._db = db
        self._find_obstacles = find_obstacles
        self._close_accounts = close_accounts

    async def look(self, person_id: PersonId, *, now: datetime) -> Closing:
        """Return what would be in the way."""
        row = await self._db.pool.fetchrow(SQL["person_by_id"], person_id)
        return Closing(state=PersonState(row["state"]), obstacles=await self._find_obstacles(person_id, now))

    async def begin(self, person_id: PersonId, *, by: By, now: datetime) -> Closing:
        """Begin to close, and close if nothing is in the way. Repeatable. Refusal: `PersonFrozen`."""
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_person"], person_id)
            if row["state"] == PersonState.FROZEN:
                raise PersonFrozen
            if row["state"] == PersonState.ACTIVE:
                await change_state(tx, person_id, row, PersonState.CLOSING, by=by, now=now)
        return await self.carry_on(person_id, by=by, now=now)

    async def keep(self, person_id: PersonId, *, by: By, now: datetime) -> Closing:
        """Keep the wallet after all. Repeatable. Refusals: `ClosingIsFinal`, `PersonFrozen`."""
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_person"], person_id)
            if row["state"] == PersonState.FROZEN:
                raise PersonFrozen
            if row["accounts_close_at"] is not None:
                raise ClosingIsFinal
            await change_state(tx, person_id, row, PersonState.ACTIVE, by=by, now=now)
        return await self.look(person_id, now=now)

    async def carry_on(self, person_id: PersonId, *, by: By, now: datetime) -> Closing:
        """Close a wallet that is closing, if nothing is in the way any more. Repeatable."""
        found = await self.look(person_id, now=now)
        if found.state is not PersonState.CLOSING or found.obstacles:
            return found
        if await self._db.pool.fetchval(SQL["begin_closing_accounts"], person_id, now) is None:
            return await self.look(person_id, now=now)  # its owner kept it a moment ago
        if not await self._close_accounts(person_id):
            return await self.look(person_id, now=now)
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_person"], person_id)
            if row["state"] == PersonState.CLOSING:
                await tx.execute(SQL["end_sessions_of_person"], person_id, now)
                await change_state(tx, person_id, row, PersonState.CLOSED, by=by, now=now)
        return await self.look(person_id, now=now)

    async def carry_all_on(self, *, now: datetime) -> int:
        """Close whatever can be closed by now. Returns how many were."""
        rows = await self._db.pool.fetch(SQL["people_leaving"])
        closings = [await self.carry_on(PersonId(row["person_id"]), by=SYSTEM, now=now) for row in rows]
        return sum(found.state is PersonState.CLOSED for found in closings)

    async def erase(self, person_id: PersonId, *, by: By, now: datetime) -> bool:
        """Take the names off somebody who has left; False if there is nobody to erase. Repeatable."""
        async with self._db.transaction() as tx:
            is_erased: bool = await tx.fetchval(SQL["erase_person"], person_id, now)
            if is_erased:
                await AUDIT.record(tx, Act.ERASED, by=by, about=person_id, now=now)
        return is_erased

    async def erase_old(self, *, closed_before: datetime, by: By, now: datetime) -> int:
        """Erase everybody who left before an instant. Returns how many were."""
        count = 0
        while rows := await self._db.pool.fetch(SQL["people_to_erase"], closed_before, ERASED_AT_ONCE_MAX):
            for row in rows:
                count += await self.erase(PersonId(row["person_id"]), by=by, now=now)
        return count
