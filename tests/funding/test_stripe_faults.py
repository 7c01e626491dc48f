"""The fault table: whatever dies, is lost, comes twice or too late, each operation happens once, to the cent."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashes import Death
from funding.stories import STORIES, Story
from funding.stripe_wallet import Points, StripeWallet, open_stripe_wallet

pytestmark = pytest.mark.usefixtures("sound_books")
FUNDING = Path(__file__).parents[2] / "src" / "tikiwallet" / "funding"
TRIES_MAX = 5  # of a person who gets no answer
ALL = bool(os.environ.get("ALL_FAULTS"))  # `make faults`: at every point, and not once for each name
LOST = (
    ("lose_before", "lose_after", "fail_before", "fail_after", "fail_for_good")
    if ALL
    else ("lose_after", "fail_for_good")
)


async def tell(
    wallet: StripeWallet,
    story: Story,
    points: Points,
    *,
    hears: bool = True,
    seen: set[str] | None = None,
    fault: dict[str, str] | None = None,
) -> None:
    """Tell one story of one person to its end, whatever happens to the process, and check how it ended.

    `fault` is what goes wrong at Stripe once the story has begun: what was there before is no part of it.
    """
    await wallet.new_person()
    async with wallet.process() as healthy:
        for step in story.before:
            await step(wallet, healthy)
    if fault is not None:
        wallet.faults(fault)
    steps, tries = list(story.steps), 0
    while steps:
        tries += 1
        async with wallet.process(points) as process:
            try:
                while steps:
                    await steps[0](wallet, process)
                    del steps[0]
            except (Death, Exception):
                if tries > TRIES_MAX:
                    raise
                if seen is not None:
                    seen.update(points.seen)
                points = Points()
        if steps:
            wallet.move(seconds=121)
    if seen is not None:
        seen.update(points.seen)
    await wallet.heal(hears=hears)
    await wallet.require_agreement()
    row = await wallet.owner.fetchrow(
        "SELECT state FROM funding.operation WHERE person_id = $1 ORDER BY created_at DESC LIMIT 1", wallet.person_id
    )
    assert (row["state"], await wallet.balance()) == (story.state, story.balance_minor)


async def test_each_operation_happens_once_whatever_dies_or_is_lost(database_url: str) -> None:
    """Dying after a point is dying before the next: nothing happens in between that outlives the process."""
    died_at: set[str] = set()
    lost: set[str] = set()
    seen: set[str] = set()
    async with open_stripe_wallet(database_url) as wallet:
        for name, story in STORIES.items():
            points, before = Points(), len(wallet.transport.requests)
            await tell(wallet, story, points)
            wallet.transport.is_checked = False  # this was every request of the story: the others are the same
            posts = {steady(path) for method, path in wallet.transport.requests[before:] if method == "POST"}
            for number, point in enumerate(points.seen):
                if point in died_at and not ALL:
                    continue
                for dies_after in (True,) if number else (False, True):
                    await fails_well(wallet, story, f"{name}: {point}", seen, dies_at=number, dies_after=dies_after)
                died_at.add(point)
            for path in sorted(posts if ALL else posts - lost):
                for kind in LOST:
                    fault = {"method": "POST", "path": path, "kind": kind}
                    await fails_well(wallet, story, f"{name}: {kind} of {path}", seen, fault=fault)
                    wallet.faults()
            lost |= posts
            wallet.transport.is_checked = True
    assert points_in_source() - {bare(point) for point in died_at | seen} == set(), "nothing dies or is lost there"


@pytest.mark.parametrize("weather", [{"copies": 0}, {"copies": 2, "order": "shuffled"}, {"order": "reversed"}])
async def test_webhooks_may_be_lost_doubled_and_in_any_order(database_url: str, weather: dict[str, object]) -> None:
    async with open_stripe_wallet(database_url) as wallet:
        wallet.transport.is_checked = False
        wallet.control("webhooks", **weather)
        for story in STORIES.values():
            await tell(wallet, story, Points(), hears=weather.get("copies") != 0)


async def fails_well(
    wallet: StripeWallet, story: Story, what: str, seen: set[str], *, fault: dict[str, str] | None = None,
    **wish: object,
) -> None:  # fmt: skip
    points = Points()
    for attribute, value in wish.items():
        setattr(points, attribute, value)
    try:
        await tell(wallet, story, points, seen=seen, fault=fault)
    except Exception as error:
        raise AssertionError(f"{what} {wish}") from error


def steady(path: str) -> str:
    """The beginning of an address, up to the first id of an object."""
    return path.split("_test", maxsplit=1)[0].rsplit("/", 1)[0] if "_test" in path else path


def functions(path: Path) -> Iterator[tuple[str, ast.AST]]:
    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{name}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}{child.name}", child
                yield from walk(child, f"{name}{child.name}.<locals>.")

    yield from walk(ast.parse(path.read_text()), "")


def own_source(path: Path, node: ast.AST) -> str:
    """What a function does itself, without the functions inside it."""
    lines = path.read_text().splitlines()
    inner = {
        line for child in ast.walk(node) if child is not node
        if isinstance(child, ast.AsyncFunctionDef) for line in range(child.lineno, child.end_lineno + 1)
    }  # fmt: skip
    return "\n".join(lines[n - 1] for n in range(node.lineno, node.end_lineno + 1) if n not in inner)


# What moves no money and is told by the flow tests, and what only time brings about.
ELSEWHERE = {
    "stripe Customers.cards", "stripe Customers.save", "stripe Customers.save_natively", "stripe Customers.remove",
    "commit Customers.customer_of",
    "stripe PayoutAccounts.open", "commit PayoutAccounts.open",
    "commit Operations._request_again",
    "commit Events.poll_again",
}  # fmt: skip
WRITES = {
    name for name in re.findall(r"^-- (\w+) --$", (FUNDING / "sql" / "queries.sql").read_text(), re.MULTILINE)
    if name.startswith(("insert", "move", "cancel", "lease", "release", "request", "set", "mark", "add", "close"))
}  # fmt: skip


def points_in_source() -> set[str]:
    """Every function of funding that commits, changes the ledger or asks Stripe, read from the source."""
    found = set()
    for path in FUNDING.rglob("*.py"):
        for name, node in functions(path):
            source = own_source(path, node)
            writes = set(re.findall(r'pool\.\w+\(\s*SQL\["(\w+)"\]', source)) & WRITES
            if "_db.transaction()" in source or writes:
                found.add(f"commit {name}")
            if "self._ledger.post(" in source or "self._ledger.post_linked(" in source:
                found.add(f"ledger {name}")
            if re.search(r"_v1\.[\w.]+_async\(|found_for\($", source, re.MULTILINE) and path.name != "client.py":
                found.add(f"stripe {name}")
    assert len(found) > 40, found
    return found - ELSEWHERE


def bare(point: str) -> str:
    """The name of a point as the source tells it."""
    kind, _, whose = point.partition(" ")
    return f"{kind} {whose.removeprefix('GET ').removeprefix('POST ')}".replace(".<locals>.<lambda>", "")
