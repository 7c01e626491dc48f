"""What isn't over, for operators: which top-ups and withdrawals wait, since when and for whom, in a plain sentence.

The sentences of `operations.py` are for the owner, who can only wait; these say where somebody has to look.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tikiwallet.funding.queries import SQL
from tikiwallet.funding.types import OperationKind, OperationState, StoredOperation
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Amount

SHOWN_MAX: Final = 100

K, S = OperationKind, OperationState
WHY: Final[Mapping[tuple[OperationKind, OperationState], str]] = {
    (K.TOP_UP, S.REQUESTED): "is recorded, and we haven't reached the bank yet",
    (K.TOP_UP, S.PENDING): "waits for the bank, which hasn't decided",
    (K.TOP_UP, S.CONFIRMED): "was paid by the bank, and isn't booked into the wallet yet",
    (K.TOP_UP, S.RETURNING): "didn't fit into the wallet, and the bank hasn't taken the money back yet",
    (K.WITHDRAWAL, S.REQUESTED): "is recorded, and the money isn't set aside yet",
    (K.WITHDRAWAL, S.RESERVED): "has its money set aside, and we haven't reached the bank yet",
    (K.WITHDRAWAL, S.PENDING): "has its money set aside and waits for the bank, which hasn't decided",
    (K.WITHDRAWAL, S.CONFIRMED): "was paid out by the bank, and our books aren't closed on it yet",
    (K.WITHDRAWAL, S.RETURNING): "was refused by the bank, and the wallet has had no room for the money since",
}


class Underway(msgspec.Struct, frozen=True, kw_only=True):
    """A top-up or withdrawal that isn't over: what it waits for (a part of a sentence) and since when."""

    operation_id: UUID
    person_id: PersonId
    kind: OperationKind
    amount: Amount
    why: str
    since: datetime


class OperationsUnderway:
    """The operations of everybody that aren't over. Reads only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_person(self, person_id: PersonId) -> list[Underway]:
        """Return those of one person, the oldest first, at most `SHOWN_MAX`."""
        rows = await self._db.pool.fetch(SQL["operations_underway_of_person"], person_id, SHOWN_MAX)
        return [_underway(msgspec.convert(dict(row), StoredOperation)) for row in rows]

    async def all(self) -> list[Underway]:
        """Return those that have waited longest, at most `SHOWN_MAX`."""
        rows = await self._db.pool.fetch(SQL["operations_waiting"], SHOWN_MAX)
        return [_underway(msgspec.convert(dict(row), StoredOperation)) for row in rows]


def _underway(stored: StoredOperation) -> Underway:
    return Underway(
        operation_id=stored.operation_id,
        person_id=stored.person_id,
        kind=stored.kind,
        amount=stored.amount,
        why=WHY.get((stored.kind, stored.state), f"is in the state {stored.state}"),
        since=stored.changed_at,
    )
