"""What the operator looks at: money of its own that is promised, owed and paid out, and what waits to be done.

Each figure is one indexed sum, so that it can be asked for every few seconds. The circuit breaker itself is
exposure.py.
"""

from datetime import datetime

import msgspec

from tikiwallet.ledger.types import AccountKind, Ledger, derive_account_id
from tikiwallet.offline.close_plan import GUARANTOR_ID
from tikiwallet.offline.exposure import Exposure, Exposures
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Database


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's side of offline money at one moment. Amounts in minor units."""

    exposure: Exposure
    guarantee_balance_minor: int  # of the account that pays promises; below zero by what they cost so far
    debt_minor: int  # released early and owed back by people
    paid_guarantee_minor: int  # G: paid out for double spenders so far
    paid_cover_minor: int  # B: paid out to payees so far
    vouchers_open: int
    vouchers_closing: int  # a close was begun and isn't finished
    closes_due: int  # the time for claims is over; those that are closing too
    closes_stuck: int  # of these, whose last close failed
    payouts_waiting: int
    payouts_waiting_minor: int
    revocation_epoch: int
    key_ends_at: datetime  # nothing can be issued after that


async def read_figures(
    db: Database, *, exposures: Exposures, ledger: Ledger, issuer: Issuer, policy: Policy, now: datetime
) -> Figures:
    """Return the figures of now; the breaker acts on the exposure as it does each minute."""
    exposure = await exposures.measure()
    guarantor = derive_account_id(GUARANTOR_ID, AccountKind.GUARANTEE, policy.currency)
    account = (await ledger.accounts([guarantor])).get(guarantor)
    row = await db.pool.fetchrow(SQL["figures"])
    return Figures(
        exposure=exposure,
        guarantee_balance_minor=account.balance_minor if account is not None else 0,
        key_ends_at=issuer.ends_at(now),
        **dict(row),
    )
