"""Which bank this wallet has: the only place that knows all of them. A further provider is a file and a line here."""

from tikiwallet.funding.demo_bank import DemoBank
from tikiwallet.funding.types import Bank
from tikiwallet.platform.config import ConfigError, Settings


def choose_bank(settings: Settings) -> Bank | None:
    """Return the bank that the settings name, or None when money can't come in or go out by HTTP.

    Raises `ConfigError` for the demo bank in production.
    """
    if settings.bank == "none" or (settings.is_production and not settings.bank):
        return None
    if settings.is_production:
        raise ConfigError("TIKIWALLET_BANK=demo gives money away; production needs another bank, or none.")
    return DemoBank()
