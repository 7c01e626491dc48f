"""What the stand-in remembers: every object, which account it belongs to, and the clock.

It is one struct of plain values, so that keeping it in a file is one line and nothing can be forgotten there.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from tikiwallet.stripe_standin.errors import Thing, missing

API_VERSION = "2026-05-27.dahlia"
SECONDS_OF_KEYS = 24 * 3600  # how long Stripe is bound to remember an idempotency key


class Remembered(msgspec.Struct, kw_only=True):
    """The answer that belongs to an idempotency key."""

    fingerprint: str
    status: int
    body: str  # JSON
    until: int


class Delivery(msgspec.Struct, kw_only=True):
    """An event on its way to the webhook."""

    event_id: str
    due: int
    attempt: int = 1


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to go wrong with the next requests to an address."""

    method: str = ""  # empty: any
    path: str = ""  # the beginning of the address; empty: any
    kind: str  # one of faults.KINDS
    times: int = 1
    skip: int = 0  # how many requests to this address go well before
    status: int = 500
    error: Thing = msgspec.field(default_factory=dict)  # what the error says, for `refuse`


class Weather(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How webhooks fare."""

    is_held: bool = False  # nothing is sent until it is let go
    delay_seconds: int = 0
    copies: int = 1  # 0: lost, 2: sent twice
    order: str = "sent"  # "sent" or "reversed"


class State(msgspec.Struct, kw_only=True):
    """Everything."""

    run: str  # part of every id, so that a stand-in that began anew never gives an old id to something else
    serial: int = 0
    ahead_seconds: int = 0  # how far the clock was moved
    kept: dict[str, dict[str, Thing]] = {}
    owners: dict[str, str] = {}  # the connected account of an object; those of the platform aren't here
    remembered: dict[str, Remembered] = {}
    deliveries: list[Delivery] = []
    faults: list[Fault] = []
    weather: Weather = msgspec.field(default_factory=Weather)
    cards: dict[str, str] = {}  # the number behind a payment method
    bank_numbers: dict[str, str] = {}  # the number behind a bank account
    due: dict[str, int] = {}  # when something about an object is to happen


class Store:
    """The state, and what makes it handy."""

    def __init__(self, state: State, *, clock: Callable[[], datetime], base_url: str) -> None:
        self.state = state
        self.base_url = base_url
        self._clock = clock

    def now(self) -> int:
        """Return the time in whole seconds, as Stripe tells it."""
        return int(self._clock().timestamp()) + self.state.ahead_seconds

    def next_id(self, prefix: str) -> str:
        """Return an id that nothing has had."""
        self.state.serial += 1
        return f"{prefix}_{self.state.run}{self.state.serial:06d}"

    def add(self, kind: str, prefix: str, *, owner: str = "", **fields: Any) -> Thing:
        """Keep a new object and return it."""
        thing = {"id": self.next_id(prefix), "object": kind, "created": self.now(), "livemode": False, **fields}
        self.state.kept.setdefault(kind, {})[thing["id"]] = thing
        if owner:
            self.state.owners[thing["id"]] = owner
        return thing

    def get(self, kind: str, name: str, *, owner: str = "", param: str = "id") -> Thing:
        """Return an object of an account, or refuse."""
        thing = self.state.kept.get(kind, {}).get(name)
        if thing is None or self.owner_of(name) != owner:
            raise missing(kind.replace(".", " "), name, param=param)
        return thing

    def find(self, name: str) -> Thing | None:
        """Return the object of this id, of whatever kind and account."""
        return next((things[name] for things in self.state.kept.values() if name in things), None)

    def owner_of(self, name: str) -> str:
        """Return the connected account that an object belongs to; empty for the platform."""
        return self.state.owners.get(name, "")

    def all(self, kind: str, *, owner: str | None = "") -> Iterator[Thing]:
        """Return the objects of an account (None: of all), newest first."""
        for thing in reversed(list(self.state.kept.get(kind, {}).values())):
            if owner is None or self.owner_of(thing["id"]) == owner:
                yield thing
