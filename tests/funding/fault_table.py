"""The fault table: its rows are stories, and this tells one to its end whatever happens to it.

The first telling of each story, in which nothing goes wrong, says at which points its processes can die and what they
ask of Stripe; the tables of all tests are made of that.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crashes import Death
from funding.points import Points
from funding.stories import STORIES, Story
from funding.stripe_wallet import StripeWallet
from sound_books import require_promises

ALL = bool(os.environ.get("ALL_FAULTS"))  # `make faults`: at every point, and not once for each name
TRIES_MAX = 5  # of a person who gets no answer


@dataclass(frozen=True)
class Told:
    """What one telling went through."""

    lives: Sequence[Points]  # of its processes, one after the other; the last heals
    requests: Sequence[tuple[str, str]]  # to Stripe: method and address, with ids left out

    @property
    def points(self) -> list[str]:
        """The points of a telling in which nothing went wrong."""
        steps, healing = self.lives
        return [*steps.seen, *healing.seen]

    def paths(self, method: str) -> list[str]:
        """The addresses that were asked with this method, one request after the other."""
        return [path for made_by, path in self.requests if made_by == method]

    @property
    def names(self) -> set[str]:
        return {name for points in self.lives for name in points.seen}


async def tell(
    wallet: StripeWallet,
    story: Story,
    *lives: Points,
    fault: dict[str, Any] | None = None,
    silence: timedelta = timedelta(0),
    hears: bool = True,
    gives_up: bool = False,
) -> Told:
    """Tell one story of a new person to its end, whatever happens to the process, and check how it ended.

    `lives` are the first processes, others follow as they are needed; `fault` is what goes wrong at Stripe once the
    story has begun: what was there before is no part of it. `silence` is how long nobody is there after a lost answer.
    Who `gives_up` doesn't come back after the first interruption: books and promises have to be right all the same.
    """
    await wallet.new_person()
    wallet.fee_minor, wallet.silence, refunds = story.fee_minor, silence, len(wallet.all("refund"))
    async with wallet.process() as healthy:
        for step in story.before:
            await step(wallet, healthy)
    if fault is not None:
        wallet.faults(fault)
    asked_before, lived = len(wallet.transport.requests), []
    steps = [*story.steps, None]  # None: a last process does what was promised
    while steps:
        points = lives[len(lived)] if len(lived) < len(lives) else Points()
        lived.append(points)
        try:
            await _live(wallet, steps, points, hears=hears)
        except (Death, Exception) as end:
            is_healing = steps == [None]  # nobody is there who would try again
            if len(lived) > TRIES_MAX or (is_healing and not isinstance(end, Death)):
                raise
            await require_promises(wallet.owner)
            wallet.move(seconds=121)
            if gives_up:
                del steps[:-1]
    told = Told(lived, [(method, _shape(path)) for method, path in wallet.transport.requests[asked_before:]])
    await wallet.require_agreement()
    if not gives_up:
        await _require_end(wallet, story, refunds=refunds)
    return told


async def _live(wallet: StripeWallet, steps: list[Any], points: Points, *, hears: bool) -> None:
    """Take the steps that are left with one process, for as long as it lives."""
    if steps == [None]:
        await wallet.heal(points, hears=hears)
        steps.clear()
        return
    async with wallet.process(points) as process:
        while steps != [None]:
            await steps[0](wallet, process)
            del steps[0]


async def _require_end(wallet: StripeWallet, story: Story, *, refunds: int) -> None:
    state = await wallet.owner.fetchval(
        "SELECT state FROM funding.operation WHERE person_id = $1 ORDER BY created_at DESC LIMIT 1", wallet.person_id
    )
    assert (state, await wallet.balance()) == (story.state, story.balance_minor)
    assert len(wallet.all("refund")) - refunds == story.refunds
    async with wallet.process() as healthy:
        for check in story.ends:
            await check(wallet, healthy)


def _shape(path: str) -> str:
    return re.sub(r"[a-z]+_test\d+", "*", path)


class Chart:
    """All stories as they were told when nothing went wrong, and which faults are whose."""

    def __init__(self, told: Mapping[str, Told]) -> None:
        self.told = told
        self.names = {name for each in told.values() for name in each.names}

    def deaths(self, story: str) -> list[tuple[int, bool]]:
        """At which points the process of a story dies, and whether after them.

        Dying after a point is dying before the next: nothing happens in between that outlives the process.
        """
        numbers = _share({name: each.points for name, each in self.told.items()}, story)
        return [(0, False)] * (0 in numbers) + [(number, True) for number in numbers]

    def requests(self, story: str, method: str) -> list[tuple[int, str]]:
        """The requests of a method that go wrong in a story: how many go before, and the address."""
        paths = {name: each.paths(method) for name, each in self.told.items()}
        return [(number, paths[story][number]) for number in _share(paths, story)]


def _share(items: Mapping[str, Sequence[str]], story: str) -> list[int]:
    """The numbers of what a story goes through and no story before it, once each name; in the long table of all."""
    names: set[str] = set()
    for name in [*items][: [*items].index(story)]:
        names.update(items[name])
    numbers = []
    for number, name in enumerate(items[story]):
        if ALL or name not in names:
            numbers.append(number)
        names.add(name)
    return numbers


async def draw_chart(wallet: StripeWallet) -> Chart:
    """Tell each story once."""
    told = {}
    for name, story in STORIES.items():
        await wallet.begin_anew()
        told[name] = await tell(wallet, story)
        assert len(told[name].lives) == 2, name  # one that takes the steps, and one that heals
    return Chart(told)


async def fails_well(
    wallet: StripeWallet, name: str, what: str, *lives: Points, fault: dict[str, Any] | None = None, **more: Any
) -> Told:
    """Tell a story in which something goes wrong, in a world of its own."""
    await wallet.begin_anew()
    try:
        told = await tell(wallet, STORIES[name], *lives, fault=fault, **more)
    except Exception as error:
        raise AssertionError(f"{name}: {what}") from error
    assert not wallet.standin.store.state.faults, f"{name}: {what} didn't happen"
    return told


def fault_of(method: str, number: int, kind: str) -> dict[str, Any]:
    """What goes wrong with the request of this number."""
    return {"method": method, "path": "/v1/", "skip": number, "kind": kind}


def new_names(told: Told, known: Iterable[str]) -> list[tuple[int, int, str]]:
    """The points that only somebody reaches to whom something went wrong: in which life, where, and the name."""
    found, known = [], set(known)
    for life, points in enumerate(told.lives):
        for number, name in enumerate(points.seen):
            if name not in known:
                found.append((life, number, name))
                known.add(name)
    return found
