"""The operator's figures as gauges: their names are public, like error codes, because alerts are built on them.

What each means is said once, here, and served with it; what to do about it is in docs/operating.md.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tikiwallet.offline.figures import Figures

ABOUT: Final[Mapping[str, str]] = {
    "tikiwallet_exposure_cover_minor": "Cover budgets that are left, in minor units",
    "tikiwallet_exposure_guarantee_minor": "Guarantees for everybody who holds offline money, in minor units",
    "tikiwallet_exposure_early_release_minor": "Early release limits of the same people, in minor units",
    "tikiwallet_exposure_limit_minor": "Limit of the circuit breaker on the three together; absent: none",
    "tikiwallet_offline_paused": "1 while the circuit breaker lets nothing new be promised",
    "tikiwallet_guarantee_balance_minor": "Balance of the account that pays promises, in minor units",
    "tikiwallet_debt_minor": "Released early and owed back by people, in minor units",
    "tikiwallet_paid_guarantee_minor": "Paid out of guarantees so far, in minor units",
    "tikiwallet_paid_cover_minor": "Paid out of cover budgets so far, in minor units",
    "tikiwallet_vouchers_open": "Vouchers that are open",
    "tikiwallet_vouchers_closing": "Vouchers whose close was begun and isn't finished",
    "tikiwallet_closes_due": "Vouchers whose time for claims is over and that aren't closed",
    "tikiwallet_closes_stuck": "Vouchers whose last close failed",
    "tikiwallet_payouts_waiting": "Payouts of closed vouchers that didn't arrive yet",
    "tikiwallet_payouts_waiting_minor": "The same in minor units",
    "tikiwallet_revocation_epoch": "Epoch of the revocation list",
    "tikiwallet_issuer_key_seconds_left": "Seconds until nothing can be issued without a new signing key",
}


def gauges(figures: Figures, *, now: datetime) -> dict[str, int]:
    """Return every gauge of `ABOUT` with its value; a limit that isn't set is none."""
    exposure = figures.exposure
    limit = {} if exposure.limit_minor is None else {"tikiwallet_exposure_limit_minor": exposure.limit_minor}
    return limit | {
        "tikiwallet_exposure_cover_minor": exposure.cover_minor,
        "tikiwallet_exposure_guarantee_minor": exposure.guarantee_minor,
        "tikiwallet_exposure_early_release_minor": exposure.early_release_minor,
        "tikiwallet_offline_paused": exposure.is_paused,
        "tikiwallet_guarantee_balance_minor": figures.guarantee_balance_minor,
        "tikiwallet_debt_minor": figures.debt_minor,
        "tikiwallet_paid_guarantee_minor": figures.paid_guarantee_minor,
        "tikiwallet_paid_cover_minor": figures.paid_cover_minor,
        "tikiwallet_vouchers_open": figures.vouchers_open,
        "tikiwallet_vouchers_closing": figures.vouchers_closing,
        "tikiwallet_closes_due": figures.closes_due,
        "tikiwallet_closes_stuck": figures.closes_stuck,
        "tikiwallet_payouts_waiting": figures.payouts_waiting,
        "tikiwallet_payouts_waiting_minor": figures.payouts_waiting_minor,
        "tikiwallet_revocation_epoch": figures.revocation_epoch,
        "tikiwallet_issuer_key_seconds_left": int((figures.key_ends_at - now).total_seconds()),
    }
