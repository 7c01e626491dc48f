"""Money goes out."""

import asyncio

import pytest

from crashes import open_ledger
from tikiwallet.funding.demo_bank import PENDING_SECONDS
from tikiwallet.ledger.types import Limits
from tikiwallet.payments.wallets import wallet_account_id
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def withdraw(someone: Someone, text: str, *, key: str | None = None):
    return await someone.post("/v1/withdrawals", {"amount": money(text)}, key=key)


async def test_a_retried_withdrawal_moves_money_once(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    first = await withdraw(alice, "20.00", key="k")
    assert (await withdraw(alice, "20.00", key="k")).content == first.content
    operation = body_of(first, 201)
    assert (operation["state"], operation["sentence"]) == ("settled", "The money is in your bank account.")
    assert (await alice.get(f"/v1/withdrawals/{operation['operation_id']}")).content == first.content
    assert refusal(await withdraw(alice, "21.00", key="k")) == (422, "idempotency_key_reused")
    assert await world.balances() == {"alice": "30.00"}


async def test_twenty_equal_withdrawals_at_once_have_one_effect(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    answers = await asyncio.gather(*(withdraw(alice, "5.00", key="impatient") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await world.balances() == {"alice": "45.00"}


async def test_withdrawals_at_once_do_not_take_more_than_there_is(world: World) -> None:
    (alice,) = await world.people(alice="10.00")
    answers = await asyncio.gather(*(withdraw(alice, "4.00") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 422, 422, 422]
    assert await world.balances() == {"alice": "2.00"}


async def test_a_refused_withdrawal_is_judged_anew_under_the_same_key(world: World) -> None:
    (alice,) = await world.people(alice="5.00")
    for _ in range(2):
        assert refusal(await withdraw(alice, "20.00", key="k")) == (422, "insufficient_funds")
    body_of(await alice.top_up("30.00"), 201)
    body_of(await withdraw(alice, "20.00", key="k"), 201)
    assert await world.balances() == {"alice": "15.00"}


async def test_money_on_its_way_out_is_out_of_the_wallet(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    operation = body_of(await withdraw(alice, "20.37", key="k"), 201)
    assert operation["state"] == "pending"
    assert operation["sentence"] == "The money is set aside; your bank hasn't decided yet."
    assert await world.balances() == {"alice": "29.63"}
    world.clock.move(seconds=PENDING_SECONDS)
    assert body_of(await withdraw(alice, "20.37", key="k"), 201)["state"] == "settled"
    assert await world.balances() == {"alice": "29.63"}


async def test_a_declined_withdrawal_comes_back(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    for _ in range(2):
        assert refusal(await withdraw(alice, "20.13", key="k")) == (422, "declined_by_bank")
    assert await world.balances() == {"alice": "50.00"}
    items = body_of(await alice.get("/v1/history", kind="withdrawal"), 200)["items"]
    assert [item["direction"] for item in items] == ["in", "out"]


async def test_limits_and_closed_wallets_are_told(world: World, database_url: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    async with open_ledger(database_url) as ledger:
        await ledger.set_limits(wallet_account_id(alice.person_id, "SGD"), Limits(out_per_day_max_minor=1_00))
        await ledger.close_account(wallet_account_id(bob.person_id, "SGD"))
    assert refusal(await withdraw(alice, "1.01")) == (422, "limit_exceeded")
    assert refusal(await withdraw(bob, "1.00")) == (409, "wallet_closed")
    assert await world.balances() == {"alice": "50.00", "bob": "0.00"}
