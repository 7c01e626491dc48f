"""Debts: money that was released early and that the close showed to be somebody else's.

Early release is an advance. Where it was more than the close was worth, the operator made it good, and gets it back
before the debtor loads anything new: an advance that was never set off would be money for the asking. A wallet never
goes below zero for it; what isn't there is collected later.
"""

from typing import Final
from uuid import uuid5

import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import (
    AccountKind,
    Ledger,
    Limits,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
)
from tikiwallet.offline.certificates import lock_holder
from tikiwallet.offline.close_plan import GUARANTOR_ID
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused

ROUNDS_MAX: Final = 3  # a wallet that changes while we look is looked at again, and then later


class DebtOpen(Refused):
    """Money that was released to you early is owed back; top up your wallet by that much, then load."""

    code, kind = "debt_open", Kind.FORBIDDEN


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """What one person owes the operator."""

    person_id: PersonId
    amount_minor: int


class Debts:
    """What people owe the operator, and its collection."""

    def __init__(self, db: Database, *, ledger: Ledger, policy: Policy) -> None:
        self._db = db
        self._ledger = ledger
        self._policy = policy

    async def collect(self, person_id: PersonId) -> int:
        """Take what is owed from the wallet, as far as it goes. Returns what is still owed, in minor units.

        Repeatable, and safe at the same moment: the n-th payment of a person is one transfer, whoever asks for it.
        """
        for _ in range(ROUNDS_MAX):
            row = await self._db.pool.fetchrow(SQL["debt_of"], person_id)
            if row is None or row["debt_minor"] == 0:
                return 0
            if not await self._pay(person_id, row["payment_count"] + 1, owed_minor=row["debt_minor"]):
                break
        left: int = await self._db.pool.fetchval(SQL["debt_left"], person_id)
        return left

    async def owed(self) -> list[Debt]:
        """Return who owes how much, for the operator."""
        rows = await self._db.pool.fetch(SQL["people_in_debt"])
        return [Debt(person_id=PersonId(row["person_id"]), amount_minor=row["debt_minor"]) for row in rows]

    async def collect_all(self) -> None:
        """Collect from everybody who owes something."""
        for debt in await self.owed():
            await self.collect(debt.person_id)

    async def _pay(self, person_id: PersonId, number: int, *, owed_minor: int) -> bool:
        """Make and write down one payment. Returns whether it pays to look again."""
        transfer_id = TransferId(uuid5(person_id, f"debt/{number}"))
        posted = await self._ledger.posted(transfer_id)
        if posted is None:
            transfer = await self._transfer(person_id, transfer_id, owed_minor=owed_minor)
            if transfer is None:
                return False
            if not (await self._ledger.post(transfer)).is_posted:
                return True  # the wallet changed meanwhile, or somebody else collects too
            posted = transfer
        async with self._db.transaction() as tx:
            await lock_holder(tx, person_id)
            is_new = await tx.fetchval(
                SQL["insert_debt_payment"], person_id, number, transfer_id, posted.amount_minor
            )  # fmt: skip
            if is_new:
                await tx.execute(SQL["change_debt"], person_id, -posted.amount_minor)
        return True

    async def _transfer(self, person_id: PersonId, transfer_id: TransferId, *, owed_minor: int) -> Transfer | None:
        currency = self._policy.currency
        wallet = derive_account_id(person_id, AccountKind.WALLET, currency)
        guarantor = derive_account_id(GUARANTOR_ID, AccountKind.GUARANTEE, currency)
        await self._ledger.open_account(
            guarantor, kind=AccountKind.GUARANTEE, currency=currency, limits=Limits(balance_min_minor=None)
        )
        account = (await self._ledger.accounts([wallet])).get(wallet)
        amount_minor = min(owed_minor, account.balance_minor) if account is not None else 0
        if amount_minor <= 0:
            return None
        return Transfer(
            transfer_id=transfer_id,
            debit_account_id=wallet,
            credit_account_id=guarantor,
            amount_minor=amount_minor,
            currency=currency,
            kind=TransferKind.SETTLEMENT,
        )
