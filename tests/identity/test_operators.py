"""What an operator changes about a person stays readable: who, when, from what to what."""

import json

import pytest

from crashes import open_database
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.operators import PersonUnknown
from tikiwallet.identity.types import FreezeReason, PersonState, Tier
from tikiwallet.platform.audit import By
from world import World, body_of


async def test_an_operator_gives_a_tier_and_leaves_a_trace(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    operators, olga = world.identity.operators, By.operator("olga")
    given = await operators.set_tier("ALICE", Tier.IDENTIFIED, by=olga, now=world.clock.now)
    assert given.tier is Tier.IDENTIFIED
    assert body_of(await alice.get("/v1/me"), 200)["tier"] == "identified"
    await operators.set_tier(alice.phone, Tier.TILL, by=olga, now=world.clock.now)
    await operators.set_tier(alice.phone, Tier.TILL, by=olga, now=world.clock.now)  # nothing changes or is written
    for reason in (FreezeReason.UNUSUAL, FreezeReason.UNUSUAL, FreezeReason.LAW):
        await operators.freeze("alice", reason, by=olga, now=world.clock.now)
    for _ in range(2):
        assert (await operators.unfreeze("alice", by=olga, now=world.clock.now)).state is PersonState.ACTIVE
    async with open_database(database_url, "identity") as database:
        written = (await AUDIT.entries(database, about=alice.person_id))[1:]
    assert [(entry.act, json.loads(entry.detail)) for entry in written] == [
        ("tier_changed", {"before": "phone", "after": "identified"}),
        ("tier_changed", {"before": "identified", "after": "till"}),
        ("state_changed", {"before": "active", "after": "frozen", "reason": "unusual"}),
        ("state_changed", {"before": "frozen", "after": "frozen", "reason": "law"}),
        ("state_changed", {"before": "frozen", "after": "active", "reason": ""}),
    ]
    assert {(entry.subject, entry.actor, entry.at) for entry in written} == {
        (alice.person_id, "operator:olga", world.clock.now)
    }


async def test_an_operator_who_names_nobody_changes_nothing(world: World) -> None:
    await world.people("alice")
    for name in ("nobody", "+6598887777", "", "+", "91230001"):
        with pytest.raises(PersonUnknown):
            await world.identity.operators.set_tier(name, Tier.TILL, by=By.operator("olga"), now=world.clock.now)
