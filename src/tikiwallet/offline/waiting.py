"""What of somebody's offline money waits, for operators: which voucher or payout, since when and for what.

A voucher that is past its date is nothing wrong: what was paid with it may still come in. Who asks after "my money is
gone" has to be told until when, and an operator has to tell that from a close that fails.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import VoucherState
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Amount, letter_code

SHOWN_MAX: Final = 100


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher or payout that waits: for what (a part of a sentence), since when, and whether something fails."""

    voucher_id: UUID
    person_id: PersonId
    is_payout: bool
    amount: Amount
    why: str
    since: datetime
    fails: bool


class OfflineWaiting:
    """What waits of everybody's offline money. Reads only."""

    def __init__(self, db: Database, *, currency: str) -> None:
        self._db = db
        self._currency = currency

    async def of_person(self, person_id: PersonId, *, now: datetime) -> list[Waiting]:
        """Return what waits of one person's vouchers and payouts, at most `SHOWN_MAX` of each."""
        vouchers = await self._db.pool.fetch(SQL["vouchers_waiting_of_person"], person_id, now, SHOWN_MAX)
        payouts = await self._db.pool.fetch(SQL["payouts_waiting_of_person"], person_id, SHOWN_MAX)
        return [_voucher(row, now=now) for row in vouchers] + [self._payout(row, person_id) for row in payouts]

    async def due(self, *, now: datetime) -> list[Waiting]:
        """Return the vouchers whose time for claims is over, the oldest first, at most `SHOWN_MAX`."""
        return [_voucher(row, now=now) for row in await self._db.pool.fetch(SQL["vouchers_due"], now, SHOWN_MAX)]

    def _payout(self, row: asyncpg.Record, person_id: PersonId) -> Waiting:
        return Waiting(
            voucher_id=row["voucher_id"], person_id=person_id, is_payout=True,
            amount=Amount(amount_minor=row["amount_minor"], currency=self._currency),
            why="is decided, and the wallet doesn't take it, because it is full or closed",
            since=row["recorded_at"], fails=False,
        )  # fmt: skip


def _voucher(row: asyncpg.Record, *, now: datetime) -> Waiting:
    why, since = _why(row, now=now)
    return Waiting(
        voucher_id=row["voucher_id"], person_id=PersonId(row["person_id"]), is_payout=False,
        amount=Amount(amount_minor=row["amount_minor"], currency=letter_code(row["currency"])),
        why=why, since=since, fails=row["failure_count"] is not None,
    )  # fmt: skip


def _why(row: asyncpg.Record, *, now: datetime) -> tuple[str, datetime]:
    if row["failure_count"] is not None:
        return f"can't be closed, tried {row['failure_count']} times: {row['error']}", row["first_failed_at"]
    if row["state"] == VoucherState.DRAFT:
        return "is promised, and its money isn't set aside yet", row["issued_at"]
    if row["state"] == VoucherState.CLOSING:
        return "is being closed", row["claim_until"]
    if row["claim_until"] <= now:
        return "is due to be closed within a minute", row["claim_until"]
    until = f"{row['claim_until']:%d %B %Y %H:%M} UTC"
    return f"can't be paid with any more; payments made with it are taken until {until}, then it closes", row[
        "spend_by"
    ]
