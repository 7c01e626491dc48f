"""How much leaves the wallet of somebody whose phone number or password has just changed without the old one.

A thief who got that far wants everything out at once. For a day he gets little, and the owner has that day to notice.
Payments, withdrawals and loads take from one sum, before they begin, each under the id that makes it happen once; only
an order that surely hasn't happened gives back what it took.

Who isn't capped, which is nearly everybody nearly always, is told by the look that every request makes at its session.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import OutgoingCapped
from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.money import AMOUNT_MINOR_MAX, Amount, exponent, format_decimal

CAP_UNITS_DEFAULT = 100  # whole units of a currency, where the settings give no number of their own
WINDOW = timedelta(days=1)


class OutgoingCaps:
    """The sums of everybody who is capped (`types.OutgoingCap`)."""

    def __init__(self, db: Database, *, max_minor: Mapping[str, int]) -> None:
        self._db = db
        self._max_minor = max_minor

    @contextlib.asynccontextmanager
    async def held(
        self,
        caller: Caller,
        order_id: UUID,
        amount: Amount,
        *,
        is_done: Callable[[], Awaitable[bool]],
        now: datetime,
    ) -> AsyncIterator[None]:
        """Take `amount` from what may still leave, while the order is carried out; give it back if it is refused.

        An order that `is_done` already takes nothing. Refusals: `OutgoingCapped`, `IdempotencyKeyReused`.
        """
        if caller.outgoing_capped_until is None or caller.outgoing_capped_until <= now:
            yield
            return
        # A currency that isn't offered is for the order itself to refuse.
        if amount.currency not in self._max_minor or await is_done():
            yield
            return
        await self._take(caller.person_id, order_id, amount, until=caller.outgoing_capped_until, now=now)
        try:
            yield
        except Refused as refused:
            # Of "try again later" nobody knows whether it will have happened.
            if refused.kind is not Kind.UNAVAILABLE:
                await self._give_back(order_id)
            raise

    async def _take(self, person_id: UUID, order_id: UUID, amount: Amount, *, until: datetime, now: datetime) -> None:
        minor, currency = amount.amount_minor, amount.currency
        max_minor = self._max_minor[currency]
        async with self._db.transaction() as tx:
            # Locks the sum, and begins a new one where the day of the last is over.
            await tx.execute(SQL["open_capped_outgoing"], person_id, currency, now, now - WINDOW, max_minor)
            await tx.execute(SQL["forget_capped_orders"], person_id, currency)
            known = await tx.fetchrow(SQL["attempt_capped_order"], order_id)
            if known is not None:
                if (known["person_id"], known["currency"], known["amount_minor"]) != (person_id, currency, minor):
                    raise IdempotencyKeyReused
                return
            if await tx.fetchval(SQL["take_capped_outgoing"], person_id, currency, minor, max_minor) is None:
                cap = f"{format_decimal(max_minor, currency)} {currency}" if max_minor else "nothing"
                raise OutgoingCapped(
                    f"Your phone number or password has changed: until {until:%Y-%m-%d %H:%M} UTC at most {cap} a day "
                    "leaves your wallet.",
                    field="amount",
                )
            await tx.execute(SQL["insert_capped_order"], order_id, person_id, currency, minor)

    async def _give_back(self, order_id: UUID) -> None:
        async with self._db.transaction() as tx:
            known = await tx.fetchrow(SQL["capped_order"], order_id)
            if known is None:  # its day is over
                return
            # The sum before the order, as whoever takes from it does; and then the order as it stands now.
            await tx.execute(SQL["lock_capped_outgoing"], known["person_id"], known["currency"])
            known = await tx.fetchrow(SQL["capped_order"], order_id)
            if known is None:
                return
            if known["attempts"] > 1:  # another one with the same id may still succeed, or has
                await tx.execute(SQL["fewer_attempts_of_capped_order"], order_id)
                return
            await tx.execute(SQL["delete_capped_order"], order_id)
            await tx.execute(
                SQL["give_capped_outgoing_back"], known["person_id"], known["currency"], known["amount_minor"]
            )


def read_caps(caps: Sequence[str], *, currencies: Sequence[str]) -> dict[str, int]:
    """Return the cap of each currency in minor units, from settings like "SGD=10000". Raises `ConfigError`."""
    found = {currency: CAP_UNITS_DEFAULT * 10 ** exponent(currency) for currency in currencies}
    for cap in caps:
        currency, _, text = cap.partition("=")
        if currency not in found or not text.isdecimal() or int(text) > AMOUNT_MINOR_MAX:
            raise ConfigError(
                f"TIKIWALLET_OUTGOING_CAPS must be minor units of offered currencies, as SGD=10000, not {cap!r}."
            )
        found[currency] = int(text)
    return found
