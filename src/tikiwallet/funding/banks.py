"""Which bank this wallet has: the only place that knows all of them. A further provider is a file and a line here."""

from typing import TYPE_CHECKING

from tikiwallet.funding.demo_bank import DemoBank
from tikiwallet.platform.config import ConfigError, Settings
from tikiwallet.platform.db import Database

if TYPE_CHECKING:
    from tikiwallet.funding.stripe.service import Stripe


def choose_demo_bank(settings: Settings) -> DemoBank | None:
    """Return the demo bank if the settings name it, or None: then money comes by a provider or not at all.

    Raises `ConfigError` for the demo bank in production.
    """
    if settings.bank_name != DemoBank.name:
        return None
    if settings.is_production:
        raise ConfigError("TIKIWALLET_BANK=demo gives money away; production needs another bank, or none.")
    return DemoBank()


def choose_stripe(settings: Settings, db: Database) -> "Stripe | None":
    """Return Stripe if the settings name it."""
    if settings.bank_name != "stripe":
        return None
    # Only where it is wanted: the import takes a second of a slow machine, and most demonstrations do without.
    from tikiwallet.funding.stripe.service import Stripe

    return Stripe(settings, db)
