"""Accounts and transfers as the stories of the ledger's tests tell them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import (
    AccountId,
    AccountKind,
    Ledger,
    Limits,
    PostOutcome,
    Transfer,
    TransferId,
    TransferKind,
)
from tikiwallet.platform.db import Database

NO_FLOOR = Limits(balance_min_minor=None)
ACCOUNT = {name: AccountId(UUID(int=number)) for number, name in enumerate(("bank", "alice", "bob", "carol"), 1)}


def move(
    debit: AccountId,
    credit: AccountId,
    amount_minor: int,
    *,
    transfer_id: UUID | None = None,
    currency: str = "SGD",
    kind: TransferKind = TransferKind.PAYMENT,
    note: str = "",
) -> Transfer:
    """A transfer with a fresh id unless one is given."""
    return Transfer(
        transfer_id=TransferId(transfer_id or uuid4()), debit_account_id=debit, credit_account_id=credit,
        amount_minor=amount_minor, currency=currency, kind=kind, note=note,
    )  # fmt: skip


async def open_wallet(
    ledger: Ledger, account_id: AccountId, *, holds: int = 0, currency: str = "SGD", **limits: int | None
) -> AccountId:
    """Open a wallet and fill it from the bank of its currency, whatever its ceiling."""
    bank = AccountId(UUID(int=1)) if currency == "SGD" else AccountId(UUID(bytes=currency.encode().ljust(16)))
    await ledger.open_account(bank, kind=AccountKind.BANK, currency=currency, limits=NO_FLOOR)
    await ledger.open_account(account_id, kind=AccountKind.WALLET, currency=currency, limits=Limits())
    if holds:
        filled = await ledger.post(move(bank, account_id, holds, currency=currency, kind=TransferKind.TOP_UP))
        assert filled.outcome is PostOutcome.POSTED
    await ledger.set_limits(account_id, Limits(**limits))
    return account_id


async def balance(ledger: Ledger, account_id: AccountId) -> int:
    """The balance of one account, in minor units."""
    return (await ledger.accounts([account_id]))[account_id].balance_minor


@asynccontextmanager
async def open_ledger(database_url: str, *, size_max: int = 4) -> AsyncIterator[PostgresLedger]:
    """A ledger under its own role."""
    database = Database(database_url, context="ledger", size_max=size_max)
    await database.open()
    try:
        yield PostgresLedger(database)
    finally:
        await database.close()


@asynccontextmanager
async def as_owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything: to plant damage, and to look."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
