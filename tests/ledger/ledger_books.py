"""Accounts and transfers as the stories of the ledger's tests tell them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID, uuid4

import asyncpg
from structlog.testing import capture_logs

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

PATIENCE_SECONDS = 20
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
async def open_database(database_url: str, *, size_max: int = 1) -> AsyncIterator[Database]:
    """The ledger's database under its own role."""
    database = Database(database_url, context="ledger", size_max=size_max)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_ledger(database_url: str, *, size_max: int = 4) -> AsyncIterator[PostgresLedger]:
    """A ledger of its own process, so to say."""
    async with open_database(database_url, size_max=size_max) as database:
        yield PostgresLedger(database)


@asynccontextmanager
async def as_owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do anything: to plant damage, and to look."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def nothing_is_replayed() -> Iterator[None]:
    """Fail if a batch was replayed one by one: then the database's constraints judged, and not the batch function."""
    with capture_logs() as logs:
        yield
    assert [entry for entry in logs if entry["event"] == "batch_replayed"] == []


async def until_somebody_waits(owner: asyncpg.Connection) -> None:
    """Return when a session of this database waits for a lock that another one holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await owner.execute("SELECT pg_stat_clear_snapshot()")


async def plant_error(owner: asyncpg.Connection, *, note: str, errcode: str, times: int = 10**9) -> None:
    """Let the database fail the first `times` inserts of a posting with this note; `failures` counts them."""
    # A sequence counts on when its transaction rolls back.
    await owner.execute(
        f"""CREATE SEQUENCE public.failure_{errcode};
        CREATE FUNCTION public.fail_{errcode}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF nextval('public.failure_{errcode}') <= {times} THEN
                RAISE EXCEPTION 'planted' USING ERRCODE = '{errcode}';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER planted_{errcode} BEFORE INSERT ON ledger.posting FOR EACH ROW
        WHEN (NEW.note = '{note}') EXECUTE FUNCTION public.fail_{errcode}();"""
    )


async def failures(owner: asyncpg.Connection, errcode: str) -> int:
    """How often the planted error was met."""
    row = await owner.fetchrow(f"SELECT last_value, is_called FROM public.failure_{errcode}")
    return row["last_value"] if row["is_called"] else 0
