"""Money comes in."""

import asyncio
from uuid import uuid4

import pytest

from crashes import open_database
from tikiwallet.funding.demo_bank import PENDING_SECONDS
from world import World, body_of, money, open_world, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def test_a_retried_top_up_moves_money_once(world: World) -> None:
    (alice,) = await world.people("alice")
    first = await alice.top_up("50.00", key="k")
    assert (await alice.top_up("50.00", key="k")).content == first.content
    operation = body_of(first, 201)
    assert (operation["state"], operation["sentence"]) == ("settled", "The money is in your wallet.")
    assert operation["is_demo"] is True
    assert (await alice.get(f"/v1/top-ups/{operation['operation_id']}")).content == first.content
    assert await world.balances() == {"alice": "50.00"}


async def test_twenty_equal_top_ups_at_once_have_one_effect(world: World) -> None:
    (alice,) = await world.people("alice")
    answers = await asyncio.gather(*(alice.top_up("5.00", key="impatient") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await world.balances() == {"alice": "5.00"}


async def test_the_bank_can_say_no(world: World) -> None:
    (alice,) = await world.people("alice")
    for _ in range(2):  # a retry hears the same
        assert refusal(await alice.top_up("20.13", key="k")) == (422, "declined_by_bank")
    assert await world.balances() == {"alice": "0.00"}


async def test_a_pending_top_up_is_settled_when_asked_later(world: World) -> None:
    (alice,) = await world.people("alice")
    operation = body_of(await alice.top_up("20.37", key="k"), 201)
    address = f"/v1/top-ups/{operation['operation_id']}"
    assert operation["state"] == "pending"
    assert operation["sentence"] == "Your bank hasn't decided yet; we keep asking."
    assert body_of(await alice.get(address), 200) == operation
    assert await world.balances() == {"alice": "0.00"}
    world.clock.move(seconds=PENDING_SECONDS)
    assert body_of(await alice.top_up("20.37", key="k"), 201)["state"] == "settled"
    settled = body_of(await alice.get(address), 200)
    assert settled["state"] == "settled"
    assert settled["changed_at"] > operation["changed_at"]
    assert await world.balances() == {"alice": "20.37"}


async def test_a_key_used_for_another_amount_is_refused(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    body_of(await alice.top_up("5.00", key="k"), 201)
    assert refusal(await alice.top_up("6.00", key="k")) == (422, "idempotency_key_reused")
    body_of(await bob.top_up("6.00", key="k"), 201)  # keys belong to the person ...
    body_of(await alice.post("/v1/withdrawals", {"amount": money("1.00")}, key="k"), 201)  # ... and to the route
    assert await world.balances() == {"alice": "4.00", "bob": "6.00"}


async def test_malformed_top_ups_are_refused(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    for path in ("/v1/top-ups", "/v1/withdrawals"):
        for value in (0, -1, 1.5, "100", None, True, 10**15 + 1):
            body = {"amount": {"amount_minor": value, "currency": "SGD"}}
            assert refusal(await alice.post(path, body)) == (400, "request_invalid"), (path, value)
        assert refusal(await alice.post(path, {"amount": money("1.00"), "to": "x"})) == (400, "request_invalid")
        assert refusal(await alice.post(path, {"amount": money("1.00", "EUR")})) == (422, "currency_not_offered")
        assert refusal(await alice.post(path, {"amount": money("10000.01")})) == (422, "limit_exceeded")
        headers = {"authorization": f"Bearer {alice.token}"}
        unkeyed = await world.http.post(path, json={"amount": money("1.00")}, headers=headers)
        assert refusal(unkeyed) == (400, "idempotency_key_missing")
        assert refusal(await world.http.post(path, json={"amount": money("1.00")})) == (401, "session_missing")
    operation = body_of(await alice.top_up("5.00"), 201)
    for someone, address in (
        (bob, f"/v1/top-ups/{operation['operation_id']}"),
        (alice, f"/v1/withdrawals/{operation['operation_id']}"),
        (alice, f"/v1/top-ups/{uuid4()}"),
    ):
        assert refusal(await someone.get(address)) == (404, "operation_unknown")


async def test_what_the_wallet_cannot_hold_is_not_asked_of_the_bank(database_url: str, data_dir) -> None:
    async with open_world(database_url, data_dir, wallet_balance_max_minor=60_00) as world:
        (alice,) = await world.people(alice="50.00")
        assert refusal(await alice.top_up("10.01", key="k")) == (422, "limit_exceeded")
        body_of(await alice.top_up("10.00", key="k"), 201)
        body_of(await alice.top_up("10.00", key="k"), 201)  # a retry needs no room
        async with open_database(database_url, "funding") as database:
            assert await database.pool.fetchval("SELECT count(*) FROM funding.operation") == 2


async def test_without_a_bank_money_neither_comes_nor_goes(database_url: str, data_dir) -> None:
    async with open_world(database_url, data_dir, bank="none") as world:
        (alice,) = await world.people("alice")
        assert refusal(await alice.top_up("5.00")) == (503, "funding_unavailable")
        withdrawal = await alice.post("/v1/withdrawals", {"amount": money("5.00")})
        assert refusal(withdrawal) == (503, "funding_unavailable")
