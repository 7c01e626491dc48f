"""Payments of requests that were accepted and aren't posted, for operators: normally none is older than a moment."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.payments.wallets import SQL
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Amount

SHOWN_MAX: Final = 100


class BeingPaid(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose payer said yes, and whose money hasn't moved yet."""

    request_id: UUID
    is_payer: bool
    amount: Amount
    since: datetime


class PaymentsUnderway:
    """The payments of everybody's requests that aren't over. Reads only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_person(self, person_id: PersonId) -> list[BeingPaid]:
        """Return what one person is paying or being paid, the oldest first, at most `SHOWN_MAX`."""
        rows = await self._db.pool.fetch(SQL["requests_being_paid_of_person"], person_id, SHOWN_MAX)
        return [
            BeingPaid(
                request_id=row["request_id"],
                is_payer=row["payer_id"] == person_id,
                amount=Amount(amount_minor=row["amount_minor"], currency=row["currency"]),
                since=row["changed_at"],
            )
            for row in rows
        ]
