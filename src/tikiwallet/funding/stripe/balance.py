"""What Stripe says has moved in our account there: the other side of the reconciliation.

Read from Stripe's own balance, and matched by what Stripe keeps with each object: a row that our database lost, or one
that it has and Stripe doesn't, would otherwise never be noticed.
"""

from datetime import UTC, datetime
from typing import Any, Final

import stripe

from tikiwallet.funding.reconciliation import Entry
from tikiwallet.funding.stripe.client import everything
from tikiwallet.platform.money import Balance

ENTRIES_MAX: Final = 1_000_000
DISPUTE_REPORTS: Final = frozenset({"dispute", "dispute_reversal"})


class StripeBalance:
    """Stripe's balance, as entries that can be compared."""

    def __init__(self, sdk: stripe.StripeClient) -> None:
        self._sdk = sdk

    async def entries(self, *, since: datetime) -> list[Entry]:
        """Return every movement of our account since then. Raises what Stripe's client raises."""
        listed = everything(
            self._sdk.v1.balance_transactions.list_async,
            count_max=ENTRIES_MAX,
            created={"gte": int(since.timestamp())},
            expand=["data.source"],
        )
        return [_entry(item) async for item in listed]

    async def held(self) -> list[Balance]:
        """Return what stands there, also what isn't available yet."""
        found = await self._sdk.v1.balance.retrieve_async()
        sums: dict[str, int] = {}
        parts: list[Any] = [*found.available, *found.pending]
        for part in parts:
            sums[part.currency] = sums.get(part.currency, 0) + part.amount
        return [Balance(amount_minor=amount, currency=currency.upper()) for currency, amount in sorted(sums.items())]


def _entry(item: Any) -> Entry:
    return Entry(
        entry_id=item.id,
        subject=_subject(item),
        kind=item.type,
        amount_minor=item.amount,
        fee_minor=item.fee,
        currency=item.currency.upper(),
        at=datetime.fromtimestamp(item.created, UTC),
    )


def _subject(item: Any) -> str:
    source = item.source
    if source is None or isinstance(source, str):
        return ""
    if item.reporting_category in DISPUTE_REPORTS:
        return f"dispute {source.id}"
    if source.object == "payout":
        return f"payout {source.id}"
    metadata = getattr(source, "metadata", None)
    operation_id = metadata.to_dict().get("operation_id", "") if metadata else ""
    return f"operation {operation_id}" if operation_id else ""
