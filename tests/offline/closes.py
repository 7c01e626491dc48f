"""What a test of the close looks at: vouchers that are due, and books that must be right after every close."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from crashes import open_database
from offline.conftest import run_sql
from offline.phone import Phone
from tikicash.closing import CloseInput, settle
from tikicash.messages import signed
from tikiwallet.ledger.reconcile import reconcile
from tikiwallet.ledger.types import AccountKind, derive_account_id
from tikiwallet.offline.types import VoucherId
from world import body_of

ESCROWS = "SELECT account_id, balance_minor FROM ledger.account WHERE kind = 'escrow'"
CLOSED = """
    SELECT voucher_id,
        coalesce((
            SELECT sum(amount_minor) FROM offline.payout
            WHERE payout.voucher_id = voucher.voucher_id AND posted_at IS NULL
        ), 0) + coalesce((
            SELECT sum(amount_minor) FROM offline.advance LEFT JOIN offline.advance_posted USING (transfer_id)
            WHERE advance.voucher_id = voucher.voucher_id AND posted_at IS NULL
        ), 0) AS waiting_minor
    FROM offline.voucher WHERE state = 'closed'
"""


async def voucher_ids(database_url: str) -> list[VoucherId]:
    """All vouchers, in the order in which they were loaded."""
    rows = await run_sql(database_url, "SELECT voucher_id FROM offline.voucher ORDER BY opened_at, voucher_id")
    return [VoucherId(row["voucher_id"]) for row in rows]


async def states(database_url: str) -> list[str]:
    rows = await run_sql(database_url, "SELECT state FROM offline.voucher ORDER BY opened_at, voucher_id")
    return [row["state"] for row in rows]


async def online_of(*phones: Phone) -> tuple[int, ...]:
    """What each owner has online, in minor units."""
    views = [body_of(await phone.owner.get("/v1/balance"), 200) for phone in phones]
    return tuple(view["balances"][0]["amount_minor"] for view in views)


async def guarantee(database_url: str) -> int:
    """What the operator has added so far, in minor units."""
    (row,) = await run_sql(
        database_url, "SELECT coalesce(-sum(balance_minor), 0) AS minor FROM ledger.account WHERE kind = 'guarantee'"
    )
    return int(row["minor"])


async def assert_books_are_right(database_url: str) -> None:
    """The ledger reconciles, and the escrow of every closed voucher holds what still waits and nothing more."""
    async with open_database(database_url, "ledger") as database:
        found = await reconcile(database)
    assert found.is_right, found.differences
    escrows = {row["account_id"]: row["balance_minor"] for row in await run_sql(database_url, ESCROWS)}
    for row in await run_sql(database_url, CLOSED):
        escrow = derive_account_id(row["voucher_id"], AccountKind.ESCROW, "SGD")
        assert escrows[escrow] == row["waiting_minor"], row


async def everything_paid(database_url: str) -> dict[Any, int]:
    """What every close paid, per voucher and account."""
    rows = await run_sql(database_url, "SELECT voucher_id, person_id, key_id, amount_minor FROM offline.payout")
    return {(row["voucher_id"], row["person_id"] or row["key_id"]): row["amount_minor"] for row in rows}


async def assert_paid_what_the_rule_says(
    database_url: str, voucher_id: VoucherId, phones: list[Phone], **pots: dict[Any, int]
) -> None:
    """What was paid for a voucher is what `settle` says of the documents of some phones, with these pots."""
    (row,) = await run_sql(
        database_url, "SELECT payload, signature FROM offline.voucher WHERE voucher_id = $1", voucher_id
    )
    close = CloseInput(
        voucher=signed(row["payload"], row["signature"]),
        documents=tuple({item.id: item for phone in phones for item in phone.documents.values()}.values()),
        refused=frozenset(),
        operator=phones[0].operator,
        account_of={phone.id: UUID(str(phone.owner.person_id)) for phone in phones if phone.device_id},
    )
    expected = settle(replace(close, **pots))  # type: ignore[arg-type]
    paid = await everything_paid(database_url)
    assert {key[1]: amount for key, amount in paid.items() if key[0] == voucher_id} == expected.payouts
