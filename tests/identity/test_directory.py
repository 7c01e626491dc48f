"""Finding people: whom am I about to pay?"""

from uuid import uuid4

from tikiwallet.identity.types import Directory, Person, PersonId, PublicPerson, Tier
from world import World, body_of, refusal


async def test_a_person_is_found_by_phone_and_by_username(world: World) -> None:
    alice, bob = await world.people("Alice", "bob")
    seen = {"person_id": str(alice.person_id), "username": "Alice", "phone_masked": f"+65 •••• {alice.phone[-4:]}"}
    assert body_of(await bob.get("/v1/people", username="aLiCe"), 200) == seen
    assert body_of(await bob.get("/v1/people", phone=f"{alice.phone[:3]} {alice.phone[3:]}"), 200) == seen


async def test_nobody_is_found_by_what_nobody_has(world: World) -> None:
    (alice,) = await world.people("alice")
    for username in ("nobody", "alice\0", "ALICE ", "%", "x" * 2000):
        assert refusal(await alice.get("/v1/people", username=username)) == (404, "person_unknown"), username
    for phone in ("+6598887777", "12", "+65\0", "alice"):
        assert refusal(await alice.get("/v1/people", phone=phone)) == (404, "person_unknown"), phone


async def test_a_search_names_one_thing(world: World) -> None:
    (alice,) = await world.people("alice")
    for query in ({}, {"username": "alice", "phone": alice.phone}, {"username": "", "phone": ""}):
        assert refusal(await alice.get("/v1/people", **query)) == (400, "request_invalid"), query


async def test_other_contexts_see_people_by_id(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    directory: Directory = world.identity.people
    alice_id, bob_id, nobody = PersonId(alice.person_id), PersonId(bob.person_id), PersonId(uuid4())
    found = await directory.people([alice_id, bob_id, nobody])
    assert set(found) == {alice_id, bob_id}
    assert found[alice_id] == PublicPerson(
        person_id=alice_id, username="alice", phone_masked=f"+65 •••• {alice.phone[-4:]}"
    )
    assert await directory.person(alice_id) == Person(
        person_id=alice_id, username="alice", phone=alice.phone, tier=Tier.PHONE
    )
    assert await directory.person(nobody) is None
    assert await directory.find(phone=alice.phone) == found[alice_id]
    assert await directory.find(username="nobody") is None
