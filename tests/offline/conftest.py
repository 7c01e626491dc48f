"""People with phones, ready to pay each other without a network."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from offline.phone import Phone
from tikiwallet.identity.types import Tier
from world import World

PhoneOf = Callable[..., Awaitable[Phone]]


async def run_sql(database_url: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Run a statement as the owner of the database."""
    connection = await asyncpg.connect(database_url)
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return found
    finally:
        await connection.close()


async def identify(database_url: str, username: str, tier: Tier) -> None:
    await run_sql(database_url, "UPDATE identity.person SET tier = $2 WHERE username = $1", username, tier)


@pytest.fixture
def phone_of(world: World, database_url: str) -> PhoneOf:
    """Sign somebody up and register a phone: `await phone_of("asha", "100.00")`."""

    async def make(
        username: str, funds: str = "0.00", *, tier: Tier = Tier.IDENTIFIED, receive_only: bool = False
    ) -> Phone:
        (owner,) = await world.people(**{username: funds})
        if tier is not Tier.PHONE:
            await identify(database_url, username, tier)
        return await Phone(owner, world, f"{username}'s phone").register(receive_only=receive_only)

    return make


def balance(view: dict[str, Any], part: str) -> int:
    """One sum of a money view, in minor units."""
    return sum(item["amount_minor"] for item in view[part])


def parts(view: dict[str, Any]) -> dict[str, int]:
    """All sums of a money view, in minor units."""
    return {part: balance(view, part) for part in ("online", "offline", "final", "provisional", "underway")}


def day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"
