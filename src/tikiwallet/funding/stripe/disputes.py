"""What Stripe says of a dispute, and which top-up it is about."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import stripe

from tikiwallet.funding.disputes import DisputeSaid, DisputeState
from tikiwallet.funding.queries import SQL
from tikiwallet.platform.db import Database
from tikiwallet.platform.money import Amount

# Every other status, an inquiry included, is a dispute that isn't decided yet.
DECIDED: Final[Mapping[str, DisputeState]] = {
    "won": DisputeState.WON,
    "warning_closed": DisputeState.WON,
    "prevented": DisputeState.WON,
    "lost": DisputeState.LOST,
}


class StripeDisputes:
    """Asks Stripe."""

    def __init__(self, db: Database, sdk: stripe.StripeClient) -> None:
        self._db = db
        self._v1 = sdk.v1

    async def ask(self, dispute_id: str) -> DisputeSaid:
        """Return how a dispute stands."""
        found = await self._v1.disputes.retrieve_async(dispute_id)
        due_by = found.evidence_details.due_by
        return DisputeSaid(
            dispute_id=found.id,
            operation_id=await self._operation_of(found),
            amount=Amount(amount_minor=found.amount, currency=found.currency.upper()),
            state=DECIDED.get(found.status, DisputeState.OPEN),
            reason=found.reason,
            opened_at=datetime.fromtimestamp(found.created, UTC),
            due_by=None if due_by is None else datetime.fromtimestamp(due_by, UTC),
        )

    async def _operation_of(self, dispute: stripe.Dispute) -> UUID | None:
        payment_id = dispute.payment_intent
        if not isinstance(payment_id, str):
            return None
        known: UUID | None = await self._db.pool.fetchval(SQL["operation_of_object"], payment_id)
        if known is not None:
            return known
        # Heard of before we wrote down which payment it was: the payment says so itself.
        payment = await self._v1.payment_intents.retrieve_async(payment_id)
        return operation_in(payment.metadata.to_dict())


def operation_in(metadata: Mapping[str, str] | None) -> UUID | None:
    """Return the operation that an object says it was made for; None for what isn't ours."""
    try:
        return UUID((metadata or {}).get("operation_id", ""))
    except ValueError:
        return None
