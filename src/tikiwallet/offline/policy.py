"""The numbers of offline money, per tier: how much may be loaded, for how long, and what the operator promises.

Every loss that a cheat can cause is bounded by these numbers (docs: offline money, section 7), so they stand in one
table that an operator reads and overrides in one file, and no other module holds a number of its own.
"""

import tomllib
from pathlib import Path

import msgspec

from tikiwallet.identity.types import Tier
from tikiwallet.platform.config import ConfigError
from tikiwallet.platform.money import AMOUNT_MINOR_MAX, exponent

DAY_SECONDS = 24 * 3600
SECONDS_MAX = 366 * DAY_SECONDS
PHONES_MAX = 100


class TierPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of one tier. Amounts are minor units of the offline currency; zero switches a promise off."""

    number: int  # how documents call the tier
    payment_max_minor: int  # in one payment
    voucher_max_minor: int  # in one voucher; 0: nothing can be loaded
    vouchers_open_max: int  # at one time, so that a person's loads stay countable
    spend_seconds: int  # from issue until the last day for paying
    claim_seconds: int  # from issue until the close
    cover_minor: int  # promised to a payee of one voucher
    budget_minor: int  # B: promised to this payee over all vouchers, per person (per phone where `budget_per_phone`)
    budget_per_phone: bool
    budget_renewal_seconds: int | None  # None: renewed by identification only
    guarantee_minor: int  # G: what the operator adds for one culprit
    early_release_minor: int  # L: handed back money that is released before the close
    certificate_seconds: int
    notice_max_minor: int | None = None  # a first double spend up to this, made good, is a notice; None: payment_max
    receive_only: bool  # phones of this tier can't load or hand on
    phones_max: int  # not retired, per person

    @property
    def notice_limit_minor(self) -> int:
        """Return up to what a first double spend that cost nobody else is a notice; 0: none is."""
        return self.payment_max_minor if self.notice_max_minor is None else self.notice_max_minor


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The table of tiers, and the one currency that offline money is in."""

    currency: str  # ISO 4217; certificates promise cover in no currency of their own, so there is only one
    tiers: dict[Tier, TierPolicy]
    exposure_max_minor: int | None = None  # of all promises together; above it nothing new is issued

    @property
    def certificate_seconds_max(self) -> int:
        """Return how long the longest certificate lasts: whoever pays or is paid by one has synced since."""
        return max(tier.certificate_seconds for tier in self.tiers.values())

    def of(self, tier: Tier) -> TierPolicy:
        """Return the numbers of a tier."""
        return self.tiers[tier]


def default_tiers(currency: str) -> dict[Tier, TierPolicy]:
    """Return the table of the design, in minor units of `currency`."""
    unit = 10 ** exponent(currency)
    person = TierPolicy(
        number=1, payment_max_minor=10 * unit, voucher_max_minor=20 * unit, vouchers_open_max=8,
        spend_seconds=3 * DAY_SECONDS, claim_seconds=7 * DAY_SECONDS, cover_minor=5 * unit,
        budget_minor=0, budget_per_phone=False, budget_renewal_seconds=None, guarantee_minor=0,
        early_release_minor=0, certificate_seconds=14 * DAY_SECONDS, receive_only=False, phones_max=5,
    )  # fmt: skip
    identified = msgspec.structs.replace(
        person, number=2, payment_max_minor=20 * unit, voucher_max_minor=50 * unit, spend_seconds=7 * DAY_SECONDS,
        claim_seconds=14 * DAY_SECONDS, cover_minor=20 * unit, budget_minor=20 * unit, guarantee_minor=20 * unit,
        early_release_minor=20 * unit,
    )  # fmt: skip
    till = msgspec.structs.replace(
        identified, number=3, payment_max_minor=0, voucher_max_minor=0, cover_minor=0, budget_minor=500 * unit,
        budget_per_phone=True, budget_renewal_seconds=14 * DAY_SECONDS, guarantee_minor=0, early_release_minor=0,
        receive_only=True, phones_max=50,
    )  # fmt: skip
    return {Tier.PHONE: person, Tier.IDENTIFIED: identified, Tier.TILL: till}


def read_policy(path: str, *, currency: str) -> Policy:
    """Return the policy: the design's table, with the numbers that the TOML file at `path` replaces (empty: none).

    The file has one table per tier: `[identified]`, `cover_minor = 1000`, and may begin with
    `exposure_max_minor = 100000`. Raises `ConfigError` for an unknown tier or
    number, or numbers that contradict each other.
    """
    tiers = default_tiers(currency)
    tables = _tables(path)
    exposure_max_minor = tables.pop("exposure_max_minor", None)
    if exposure_max_minor is not None and (type(exposure_max_minor) is not int or exposure_max_minor < 0):
        raise ConfigError("exposure_max_minor of the offline policy must be a whole number from 0.")
    for name, changes in tables.items():
        try:
            tier = Tier(name)
            if not isinstance(changes, dict):
                raise ConfigError(f"The offline policy must hold a table [{name}].")
            numbers = msgspec.structs.asdict(tiers[tier]) | changes
            tiers[tier] = msgspec.convert(numbers, TierPolicy, strict=True)
        except (ValueError, msgspec.ValidationError) as error:
            raise ConfigError(f"The offline policy of [{name}] can't be read: {error}.") from error
    for tier, policy in tiers.items():
        _check(tier, policy)
    return Policy(currency=currency, tiers=tiers, exposure_max_minor=exposure_max_minor)


def _tables(path: str) -> dict[str, object]:
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The offline policy {path} can't be read: {error}.") from error


def _check(tier: Tier, policy: TierPolicy) -> None:
    amounts = {
        name: value for name, value in msgspec.structs.asdict(policy).items()
        if name.endswith("_minor") and value is not None
    }  # fmt: skip
    for name, value in amounts.items():
        if not 0 <= value <= AMOUNT_MINOR_MAX:
            raise ConfigError(f"{name} of [{tier}] must be from 0 to {AMOUNT_MINOR_MAX}.")
    if not 0 < policy.spend_seconds <= policy.claim_seconds <= SECONDS_MAX:
        raise ConfigError(f"[{tier}] needs 0 < spend_seconds <= claim_seconds <= {SECONDS_MAX}.")
    if not 0 < policy.certificate_seconds <= SECONDS_MAX:
        raise ConfigError(f"certificate_seconds of [{tier}] must be from 1 to {SECONDS_MAX}.")
    if policy.payment_max_minor > policy.voucher_max_minor:
        raise ConfigError(f"payment_max_minor of [{tier}] is above voucher_max_minor.")
    if policy.voucher_max_minor and not policy.payment_max_minor:
        raise ConfigError(f"[{tier}] may load a voucher and could pay nothing with it.")
    if policy.receive_only and policy.voucher_max_minor:
        raise ConfigError(f"[{tier}] is receive-only and can't load vouchers.")
    if not 1 <= policy.phones_max <= PHONES_MAX:
        raise ConfigError(f"phones_max of [{tier}] must be from 1 to {PHONES_MAX}.")
    if not 1 <= policy.number <= 23:
        raise ConfigError(f"number of [{tier}] must be from 1 to 23.")
