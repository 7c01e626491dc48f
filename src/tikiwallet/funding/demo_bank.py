"""A bank for demonstrations: it gives and takes money that doesn't exist.

So that every state can be seen by anybody, amounts decide: one that ends in .13 is declined, one that ends in .37
stays pending until it is asked again a while later. A production server that ran this would give money away, so it
refuses to be built there.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from tikiwallet.funding.types import Bank, BankAnswer, BankOrder
from tikiwallet.platform.config import ConfigError, Settings

DECLINED_CENTS = 13
PENDING_CENTS = 37
PENDING_SECONDS = 20


class DemoBank:
    """Says yes at once, except to the amounts above. Keeps nothing: its answers follow from the order and the time."""

    name: ClassVar[str] = "demo"

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take money from nowhere."""
        return _answer(order, now)

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Let money vanish."""
        return _answer(order, now)

    async def give_back(self, order: BankOrder) -> None:
        """Let money vanish again."""


def _answer(order: BankOrder, now: datetime) -> BankAnswer:
    cents = order.amount.amount_minor % 100
    if cents == DECLINED_CENTS:
        return BankAnswer.DECLINED
    if cents == PENDING_CENTS and now < order.created_at + timedelta(seconds=PENDING_SECONDS):
        return BankAnswer.PENDING
    return BankAnswer.CONFIRMED


def choose_bank(settings: Settings) -> Bank | None:
    """Return the bank that the settings name, or None when money can't come in or go out by HTTP.

    Raises `ConfigError` for the demo bank in production.
    """
    if settings.bank == "none" or (settings.is_production and not settings.bank):
        return None
    if settings.is_production:
        raise ConfigError("TIKIWALLET_BANK=demo gives money away; production needs another bank, or none.")
    return DemoBank()
