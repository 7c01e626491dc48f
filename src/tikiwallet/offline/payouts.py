"""Payouts: money of closed vouchers on its way from the escrow to its owners.

The close decided every amount, and the escrow holds exactly their sum, so that a payout depends on nothing but the
wallet it goes to. One that is full, or a key that nobody registered yet, holds up nobody else: its money stays in the
escrow and is tried again.
"""

from typing import Final
from uuid import UUID

import asyncpg

from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import AccountKind, Ledger, Transfer, TransferId, TransferKind, derive_account_id
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Database

PAGE: Final = 500


class Payouts:
    """Everything that closed vouchers owe and that didn't arrive yet."""

    def __init__(self, db: Database, *, ledger: Ledger, policy: Policy) -> None:
        self._db = db
        self._ledger = ledger
        self._policy = policy

    async def post_waiting(self) -> int:
        """Try every payout that waits, and return how many arrived. Repeatable."""
        arrived, after = 0, UUID(int=0)
        while rows := await self._db.pool.fetch(SQL["payouts_waiting"], after, PAGE):
            arrived += await self._post(rows)
            after = rows[-1]["transfer_id"]
        return arrived

    async def post_waiting_for(self, person_id: PersonId) -> int:
        """Try the payouts of one person, those to keys that they registered later included. Repeatable."""
        return await self._post(await self._db.pool.fetch(SQL["payouts_waiting_for_person"], person_id, PAGE))

    async def _post(self, rows: list[asyncpg.Record]) -> int:
        currency = self._policy.currency
        results = await self._ledger.post_many(
            [
                Transfer(
                    transfer_id=TransferId(row["transfer_id"]),
                    debit_account_id=derive_account_id(row["voucher_id"], AccountKind.ESCROW, currency),
                    credit_account_id=derive_account_id(row["person_id"], AccountKind.WALLET, currency),
                    amount_minor=row["amount_minor"],
                    currency=currency,
                    kind=TransferKind.SETTLEMENT,
                )
                for row in rows
            ]
        )
        arrived = [(row["transfer_id"], result) for row, result in zip(rows, results, strict=True) if result.is_posted]
        await self._db.pool.executemany(
            SQL["mark_payout_posted"], [(transfer_id, result.posted_at) for transfer_id, result in arrived]
        )
        return len(arrived)
