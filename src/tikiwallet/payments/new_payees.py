"""A large payment to somebody new waits for a proof that the payer is there.

Whoever takes over a session, or talks a person into "just a test", wants one large payment to a stranger. People pay
the same few people again and again, so asking only then costs them little.

Small payments, which are nearly all, are compared with a number and nothing is looked up.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from tikiwallet.identity.types import GuardedAct, PersonId, StepUp
from tikiwallet.ledger.types import STATEMENT_PAGE_MAX, Direction, Ledger, TransferKind
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.http import Caller
from tikiwallet.platform.money import AMOUNT_MINOR_MAX, Amount, exponent

LIMIT_UNITS_DEFAULT: Final = 200  # whole units of a currency, where the settings give no number of their own
# Whoever isn't among so many payments is asked once more, which is the safe side of a search that has an end.
PAGES_MAX: Final = 5


class NewPayees:
    """Who pays somebody for the first time, and how much."""

    def __init__(self, *, ledger: Ledger, step_up: StepUp, limits_minor: Mapping[str, int]) -> None:
        self._ledger = ledger
        self._step_up = step_up
        self._limits_minor = limits_minor

    async def check(self, payer: Caller, payee_id: PersonId, amount: Amount, *, now: datetime) -> None:
        """Return if the payer may pay this amount to this person now.

        Refusal: `StepUpRequired`, above the limit of the currency to somebody whom the payer never paid.
        """
        if amount.amount_minor <= self._limits_minor[amount.currency]:
            return
        if not await self._has_paid(PersonId(payer.person_id), payee_id, amount.currency):
            await self._step_up.require(payer, GuardedAct.PAYMENT, now=now)

    async def _has_paid(self, payer_id: PersonId, payee_id: PersonId, currency: str) -> bool:
        payee_account_id = wallet_account_id(payee_id, currency)
        before: int | None = None
        for _ in range(PAGES_MAX):
            page = await self._ledger.statement(
                wallet_account_id(payer_id, currency),
                before_posting_no=before,
                kinds=(TransferKind.PAYMENT,),
                direction=Direction.OUT,
            )
            if any(posting.other_account_id == payee_account_id for posting in page):
                return True
            if len(page) < STATEMENT_PAGE_MAX:
                return False
            before = page[-1].posting_no
        return False


def read_limits(limits: Sequence[str], *, currencies: Sequence[str]) -> dict[str, int]:
    """Return the limit of each currency in minor units, from settings like "SGD=20000". Raises `ConfigError`."""
    found = {currency: LIMIT_UNITS_DEFAULT * 10 ** exponent(currency) for currency in currencies}
    for limit in limits:
        currency, _, text = limit.partition("=")
        if currency not in found or not text.isdecimal() or int(text) > AMOUNT_MINOR_MAX:
            raise ConfigError(
                f"TIKIWALLET_NEW_PAYEE_LIMITS must be minor units of offered currencies, as SGD=20000, not {limit!r}."
            )
        found[currency] = int(text)
    return found
