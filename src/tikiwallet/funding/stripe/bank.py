"""Stripe behind the port: which steps are whose, and what a withdrawal costs."""

from datetime import datetime
from typing import ClassVar, Final

from tikiwallet.funding.stripe.payments import Payments
from tikiwallet.funding.stripe.payouts import Payouts
from tikiwallet.funding.stripe.people import PayoutAccounts
from tikiwallet.funding.types import BankAnswer, BankOrder
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.config import Settings
from tikiwallet.platform.money import Amount

BPS: Final = 10_000


class StripeBank:
    """Takes cards, and pays to the bank accounts that people gave to Stripe."""

    name: ClassVar[str] = "stripe"
    is_demo: ClassVar[bool] = False
    takes_cards: ClassVar[bool] = True

    def __init__(self, settings: Settings, *, payments: Payments, payouts: Payouts, accounts: PayoutAccounts) -> None:
        self._settings = settings
        self._payments = payments
        self._payouts = payouts
        self._accounts = accounts

    def fee_minor(self, amount: Amount) -> int:
        """Return the operator's fee: a fixed part and a share, rounded up."""
        share_minor = -(-amount.amount_minor * self._settings.withdrawal_fee_bps // BPS)
        return self._settings.withdrawal_fee_minor + share_minor

    def top_up_min_minor(self) -> int:
        """Return the least: below it, card fees would eat it, and Stripe refuses it."""
        return self._settings.top_up_min_minor

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take a top-up one step further."""
        return await self._payments.collect(order, now=now)

    async def require_payee(self, person_id: PersonId) -> None:
        """Refuse (`PayoutAccountMissing`) who hasn't told Stripe where to pay."""
        await self._accounts.require_ready(person_id)

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take a withdrawal one step further."""
        return await self._payouts.pay_out(order, now=now)

    async def give_back(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take a refund one step further."""
        return await self._payments.give_back(order, now=now)
