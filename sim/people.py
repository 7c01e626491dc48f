"""Who takes part: accounts with their tier, phones with their book, villages with their network.

The numbers of the tiers are those of the operator's policy (design of offline money, section 7), in minor units.
"""

from dataclasses import dataclass, field
from typing import Final

from sim.paper import DAY, Keys
from tikicash.book import Book
from tikicash.messages import Bundle, Certificate, Revocations, Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What the operator lets an account do. Minor units and seconds."""

    number: int
    payment_max: int = 0
    voucher: int = 0
    spend_seconds: int = 0
    claim_seconds: int = 0
    cover: int = 0
    cover_budget: int = 0  # B, over all phones of the account; a till has its own
    guarantee: int = 0  # G
    release: int = 0  # L
    may_hand_on: bool = True


PHONE_ONLY: Final = Tier(
    number=0, payment_max=1000, voucher=2000, spend_seconds=3 * DAY, claim_seconds=7 * DAY, cover=500
)
BONDED: Final = Tier(
    number=1,
    payment_max=2000,
    voucher=5000,
    spend_seconds=7 * DAY,
    claim_seconds=14 * DAY,
    cover=500,
    guarantee=2000,
    release=2000,
)
IDENTIFIED: Final = Tier(
    number=2,
    payment_max=2000,
    voucher=5000,
    spend_seconds=7 * DAY,
    claim_seconds=14 * DAY,
    cover=2000,
    cover_budget=2000,
    guarantee=2000,
    release=2000,
)
TILL: Final = Tier(number=3, cover_budget=50_000, may_hand_on=False)
TILL_RENEWAL_SECONDS: Final = 14 * DAY


@dataclass(slots=True)
class Account:
    """A person or a business with the operator."""

    number: int
    tier: Tier
    honest: bool
    phones: "list[Phone]" = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Phone:
    """A wallet: its key, its book, and the copies that it brings to the operator when it can."""

    account: Account
    village: int
    keys: Keys
    clock_error_seconds: int
    book: Book = field(default_factory=Book)
    chains: dict[bytes, Bundle] = field(default_factory=dict)  # by the 16-byte id of what was received or loaded
    outbox: list[Bundle] = field(default_factory=list)
    refusals: list[Bundle] = field(default_factory=list)  # payments whose units it does not claim
    certificate: Signed[Certificate] | None = None
    revocations: Revocations | None = None
    newest_signed_time: int = 0
    backup: tuple[Bundle, ...] | None = None  # an old copy of the outbox
    favourite: "Phone | None" = None  # the till that the phone's locked voucher is for
    renewals: int = 0  # of a till's cover budget

    @property
    def honest(self) -> bool:
        """Whether the holder keeps to the rules."""
        return self.account.honest

    @property
    def is_till(self) -> bool:
        """Whether the phone only receives."""
        return self.account.tier is TILL
