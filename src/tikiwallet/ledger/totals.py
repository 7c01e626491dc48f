"""What stands in all accounts of a kind together: what people are owed is a sum that no other way of reading gives."""

import msgspec

from tikiwallet.ledger.service import SQL
from tikiwallet.ledger.types import AccountKind
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Balance

TIMEOUT_SECONDS = 600  # every account is read once
OWED_TO_PEOPLE = frozenset({AccountKind.WALLET, AccountKind.ESCROW, AccountKind.IN_FLIGHT})


class KindTotal(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of all balances of one kind in one currency."""

    kind: AccountKind
    currency: str
    balance_minor: int


async def totals(database: Database) -> list[KindTotal]:
    """Return the sums of one instant. `database` is the open one of the context "ledger"."""
    async with database.pool.acquire() as connection:
        rows = await connection.fetch(SQL["balances_by_kind"], timeout=TIMEOUT_SECONDS)
    return [
        KindTotal(kind=AccountKind(row["kind"]), currency=row["currency"], balance_minor=int(row["balance_minor"]))
        for row in rows
    ]


def owed_to_people(found: list[KindTotal]) -> list[Balance]:
    """Return what people are owed in each currency: in their wallets, offline, and on its way."""
    sums: dict[str, int] = {}
    for total in found:
        sums[total.currency] = sums.get(total.currency, 0) + (
            total.balance_minor if total.kind in OWED_TO_PEOPLE else 0
        )
    return [Balance(amount_minor=amount, currency=currency) for currency, amount in sorted(sums.items())]
