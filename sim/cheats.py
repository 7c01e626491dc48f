"""Cheats who choose their best reply: they try what is said to pay, and learn from each other what does.

A cheat keeps the book of the day on which he starts (a rolled back phone) and signs from it again and again. The ways
of cheating differ in whom he pays the same units; which one he takes next is what has brought the most so far.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from sim.people import Phone
from tikicash.book import Holding
from tikicash.messages import Payment, Piece, Signed

WAYS: Final = (
    "many_victims",  # as many shops as possible
    "first_to_sync",  # an accomplice brings the whole voucher before anybody else can
    "self_laundering",  # the same units to his own other phone and to keys that nobody registered
    "two_phones",  # the same units to both phones of one victim
    "hand_back_pump",  # hands back what he spends, to get it early
    "tainted_relay",  # an accomplice hands the tainted units on, twice
    "rollback",  # signs twice what an honest payer gave him
    "dead_money",  # pays from a closed voucher with yesterday's date
)
EXPLORE: Final = 0.3


@dataclass(slots=True)
class Spree:
    """One cheat's try: the phone as it was, and everything that it signed since."""

    way: str
    shadow: Phone  # the same key, with the book that is never updated
    since: int
    partner: Phone | None
    quiet: bool  # pays no more people than the way needs
    rounds: int = 0
    last_at: int = 0
    victims: tuple[Phone, ...] = ()  # if only they are paid
    signed: list[Signed[Payment]] = field(default_factory=list)

    def usable(self, holdings: Sequence[Holding]) -> tuple[Holding, ...]:
        """Return what this way signs from: received money for a rollback, the own voucher otherwise."""
        received = self.way == "rollback"
        return tuple(item for item in holdings if (item.depth > 0) == received)

    def forks_of(self, payment: Signed[Payment]) -> list[Signed[Payment]]:
        """Return the earlier payments that give a unit of this one, from the same parent, to another key."""
        return [
            other
            for other in self.signed
            if other.body.payee_id != payment.body.payee_id
            and any(overlapping(one, two) for one in other.body.pieces for two in payment.body.pieces)
        ]


@dataclass(slots=True)
class Forum:
    """What the cheats know together: how much each way brought, per try."""

    gains: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    tries: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    heard_gains: Counter[str] = field(default_factory=Counter)  # of other districts
    heard_tries: Counter[str] = field(default_factory=Counter)

    def hear(self, told: Iterable[tuple[dict[str, int], dict[str, int]]]) -> None:
        """Take in what the cheats of each other district have gained so far, and in how many tries."""
        self.heard_gains, self.heard_tries = Counter(), Counter()
        for gains, tries in told:
            for way in WAYS:
                self.heard_gains[way] += gains[way]
                self.heard_tries[way] += tries[way]

    def best(self, draw: Random, only: str | None) -> str:
        """Return the way that brought the most per try; now and then another one. `only` is for a closer look."""
        if only is not None:
            return only
        tries = {way: self.tries[way] + self.heard_tries[way] for way in WAYS}
        untried = [way for way in WAYS if tries[way] == 0]
        if untried:
            return untried[0]
        if draw.random() < EXPLORE:
            return draw.choice(WAYS)
        return max(WAYS, key=lambda way: (self.gains[way] + self.heard_gains[way]) / tries[way])


def overlapping(one: Piece, two: Piece) -> bool:
    """Tell whether two pieces of one parent share a unit."""
    together = one.first < two.first + two.count and two.first < one.first + one.count
    return one.parent_id == two.parent_id and together


def shadow_of(phone: Phone) -> Phone:
    """Return the phone as a cheat copies it: same key, book and chains of this moment."""
    return Phone(
        account=phone.account,
        village=phone.village,
        keys=phone.keys,
        clock_error_seconds=0,
        book=phone.book,
        chains=dict(phone.chains),
        certificate=phone.certificate,
    )
