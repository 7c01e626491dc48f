"""A bank for demonstrations: it gives and takes money that doesn't exist.

So that every state can be seen by anybody, amounts decide: one that ends in .13 is declined, one that ends in .37
stays pending until it is asked again a while later, and can be cancelled until then. A production server that ran this
would give money away, so that it refuses to (`banks.py`).
"""

from datetime import datetime, timedelta
from typing import ClassVar

from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, Reason
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.money import Amount

DECLINED_CENTS = 13
PENDING_CENTS = 37
PENDING_SECONDS = 20


class DemoBank:
    """Says yes at once, except to the amounts above. Keeps nothing: its answers follow from the order and the time."""

    name: ClassVar[str] = "demo"
    is_demo: ClassVar[bool] = True
    takes_cards: ClassVar[bool] = False

    def fee_minor(self, amount: Amount) -> int:  # noqa: ARG002
        """Take nothing for it."""
        return 0

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take money from nowhere."""
        return _answer(order, now)

    def top_up_min_minor(self) -> int:
        """Take anything."""
        return 1

    async def require_payee(self, person_id: PersonId) -> None:
        """Know everybody."""

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Let money vanish."""
        return _answer(order, now)

    async def give_back(self, order: BankOrder, *, now: datetime) -> BankAnswer:  # noqa: ARG002
        """Let money vanish again."""
        return BankAnswer(decision=Decision.CONFIRMED)


def _answer(order: BankOrder, now: datetime) -> BankAnswer:
    cents = order.amount.amount_minor % 100
    if cents == DECLINED_CENTS:
        return BankAnswer(decision=Decision.DECLINED)
    decided_at = order.created_at + timedelta(seconds=PENDING_SECONDS)
    if cents == PENDING_CENTS and now < decided_at:
        if order.is_cancelled:
            return BankAnswer(decision=Decision.DECLINED, reason=Reason.CANCELLED)
        return BankAnswer(decision=Decision.PENDING, expected_by=decided_at)
    return BankAnswer(decision=Decision.CONFIRMED)
