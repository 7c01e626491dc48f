"""What each tier may hold and send: numbers for the ledger, which judges every transfer by them.

The ledger knows no tiers and identity no numbers. So the table stands here, once, and reaches the accounts when a
wallet is opened, when somebody gets another tier (`set-tier`) and when the numbers are changed (`apply-tiers`).

The defaults are those of a wallet in a city where a coffee costs four dollars. A currency whose unit is worth less has
the same numbers, scaled.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tikiwallet.identity.types import Tier
from tikiwallet.ledger.types import Limits
from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.money import AMOUNT_MINOR_MAX, exponent

# How many units of a currency buy what one Singapore dollar does, to one digit; 1 for those that aren't here.
UNITS_FOR_ONE: Final = {
    "INR": 50, "KES": 100, "TZS": 2000, "UGX": 3000, "IDR": 10_000, "PHP": 40, "THB": 25, "VND": 20_000, "XOF": 500,
    "XAF": 500, "NGN": 1000, "GHS": 10, "EGP": 30, "MAD": 7, "PKR": 200, "BDT": 90, "LKR": 200, "NPR": 100, "JPY": 100,
    "KRW": 1000, "MXN": 15, "ZAR": 14,
}  # fmt: skip


class TierLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of one tier in one currency, in minor units."""

    balance_max_minor: int
    out_per_day_max_minor: int
    out_per_month_max_minor: int


# In units: at most in the wallet, out of it in a day and in a month.
DEFAULT_UNITS: Final = {
    Tier.PHONE: (20_000, 5_000, 20_000),
    Tier.IDENTIFIED: (100_000, 20_000, 100_000),
    Tier.TILL: (1_000_000, 200_000, 2_000_000),
}


class Tiers:
    """The table, for the currencies of the settings."""

    def __init__(self, table: Mapping[tuple[Tier, str], TierLimits]) -> None:
        self._table = dict(table)

    def limits(self, tier: Tier, currency: str) -> Limits:
        """Return what the ledger has to keep for a wallet of this tier in this currency."""
        found = self._table[tier, currency]
        return Limits(
            balance_max_minor=found.balance_max_minor,
            out_per_day_max_minor=found.out_per_day_max_minor,
            out_per_month_max_minor=found.out_per_month_max_minor,
        )


def read_tiers(path: str, *, currencies: Sequence[str], balance_max_minor: int) -> Tiers:
    """Return the defaults, with the numbers that the TOML file at `path` replaces (empty: none).

    The file has a table for each tier and currency: `[phone.SGD]`, `out_per_day_max_minor = 100000`. No tier holds more
    than `balance_max_minor`. Raises `ConfigError` for an unknown tier, currency or number, or numbers that contradict
    each other.
    """
    replaced = _tables(path)
    for tier, tables in replaced.items():
        if tier not in list(Tier) or not isinstance(tables, dict):
            raise ConfigError(f"The limits of tiers know no [{tier}].")
        if unknown := set(tables) - set(currencies):
            raise ConfigError(
                f"The limits of [{tier}] are in no currency of this wallet: {', '.join(sorted(unknown))}."
            )
    table = {}
    for tier in Tier:
        for currency in currencies:
            given = replaced.get(tier, {}).get(currency, {})
            table[tier, currency] = _limits(tier, currency, given, balance_max_minor=balance_max_minor)
    return Tiers(table)


def _limits(tier: Tier, currency: str, given: object, *, balance_max_minor: int) -> TierLimits:
    unit = 10 ** exponent(currency) * UNITS_FOR_ONE.get(currency, 1)
    numbers = dict(zip(TierLimits.__struct_fields__, (unit * units for units in DEFAULT_UNITS[tier]), strict=True))
    numbers["balance_max_minor"] = min(numbers["balance_max_minor"], balance_max_minor)
    if not isinstance(given, dict):
        raise ConfigError(f"The limits of tiers must hold a table [{tier}.{currency}].")
    try:
        found = msgspec.convert(numbers | given, TierLimits, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"The limits of [{tier}.{currency}] can't be read: {error}.") from error
    for name in TierLimits.__struct_fields__:
        if not 0 <= getattr(found, name) <= AMOUNT_MINOR_MAX:
            raise ConfigError(f"{name} of [{tier}.{currency}] must be from 0 to {AMOUNT_MINOR_MAX}.")
    if found.out_per_day_max_minor > found.out_per_month_max_minor:
        raise ConfigError(f"[{tier}.{currency}] lets more leave in a day than in a month.")
    if found.balance_max_minor > balance_max_minor:
        raise ConfigError(f"[{tier}.{currency}] holds more than TIKIWALLET_WALLET_BALANCE_MAX_MINOR.")
    return found


def _tables(path: str) -> dict[str, dict[str, object]]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The limits of tiers {path} can't be read: {error}.") from error
