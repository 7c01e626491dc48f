"""What an operator changes about a person stays readable: who, when, from what to what."""

from uuid import UUID

import asyncpg
import pytest

from tikiwallet.identity.operators import Change, PersonUnknown
from tikiwallet.identity.types import PersonState, Tier
from world import World, body_of


def olga(world: World, number: int) -> Change:
    return Change(UUID(int=number), "olga", world.clock.now)


async def test_an_operator_gives_a_tier_and_leaves_a_trace(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    operators = world.identity.operators
    assert (await operators.set_tier("ALICE", Tier.IDENTIFIED, change=olga(world, 1))).tier is Tier.IDENTIFIED
    assert body_of(await alice.get("/v1/me"), 200)["tier"] == "identified"
    await operators.set_tier(alice.phone, Tier.TILL, change=olga(world, 2))
    await operators.set_tier(alice.phone, Tier.TILL, change=olga(world, 3))  # nothing changes, nothing is written
    await operators.set_state("alice", PersonState.FROZEN, change=olga(world, 4))
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("SELECT * FROM identity.person_change ORDER BY change_id")
    await connection.close()
    assert [(row["change_id"].int, row["field"], row["before"], row["after"]) for row in rows] == [
        (1, "tier", "phone", "identified"),
        (2, "tier", "identified", "till"),
        (4, "state", "active", "frozen"),
    ]
    assert {(row["person_id"], row["changed_by"], row["changed_at"]) for row in rows} == {
        (alice.person_id, "olga", world.clock.now)
    }


async def test_an_operator_who_names_nobody_changes_nothing(world: World) -> None:
    await world.people("alice")
    for name in ("nobody", "+6598887777", "", "+", "91230001"):
        with pytest.raises(PersonUnknown):
            await world.identity.operators.set_tier(name, Tier.TILL, change=olga(world, 1))
