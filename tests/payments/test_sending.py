"""A person pays a person."""

from world import World, body_of


async def test_a_retried_transfer_moves_money_once(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    first = await alice.pay(bob, "20.00", key="tunnel", memo="rice")
    again = await alice.pay(bob, "20.00", key="tunnel", memo="rice")  # the train was in a tunnel; the phone asks again
    assert body_of(first, 201)["memo"] == "rice"
    assert again.content == first.content
    assert await world.balances() == {"alice": "30.00", "bob": "20.00"}
