"""Signing up: who proves the phone becomes the person."""

from world import World, body_of


async def test_people_sign_up_and_are_signed_in(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    assert body_of(await alice.get("/v1/me"), 200) == {
        "person_id": str(alice.person_id), "username": "alice", "phone": alice.phone, "tier": "phone",
    }  # fmt: skip
    assert alice.person_id != bob.person_id
