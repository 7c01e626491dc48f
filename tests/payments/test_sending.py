"""A person pays a person."""

import asyncio

import pytest

from crashes import open_ledger
from tikiwallet.ledger.types import Limits
from tikiwallet.payments.wallets import wallet_account_id
from world import World, body_of, money, open_world, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def test_a_retried_transfer_moves_money_once(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    first = await alice.pay(bob, "20.00", key="tunnel", memo="rice")
    again = await alice.pay(bob, "20.00", key="tunnel", memo="rice")  # the train was in a tunnel; the phone asks again
    assert first.status_code == 201
    assert again.status_code == 201
    assert again.content == first.content
    assert await world.balances() == {"alice": "30.00", "bob": "20.00"}


async def test_the_receipt_names_both_and_only_they_can_read_it(world: World) -> None:
    alice, bob, mallory = await world.people(alice="50.00", bob="0.00", mallory="0.00")
    order = {"to": {"phone": bob.phone}, "amount": money("12.50"), "memo": "für Kaffee ☕"}
    answer = await alice.post("/v1/transfers", order)
    receipt = body_of(answer, 201)
    assert receipt["payer"]["username"] == "alice"
    assert receipt["payee"] == {
        "person_id": str(bob.person_id), "username": "bob", "phone_masked": receipt["payee"]["phone_masked"],
    }  # fmt: skip
    assert bob.phone not in answer.text
    assert receipt["amount"] == money("12.50")
    assert receipt["memo"] == "für Kaffee ☕"
    address = f"/v1/transfers/{receipt['transfer_id']}"
    assert (await alice.get(address)).content == answer.content
    assert (await bob.get(address)).content == answer.content
    assert refusal(await mallory.get(address)) == (404, "transfer_unknown")
    assert refusal(await alice.get(f"/v1/transfers/{bob.person_id}")) == (404, "transfer_unknown")
    top_up = body_of(await alice.get("/v1/history"), 200)["items"][-1]
    assert refusal(await alice.get(f"/v1/transfers/{top_up['transfer_id']}")) == (404, "transfer_unknown")


async def test_a_key_used_for_another_payment_is_refused(world: World) -> None:
    alice, bob, carol = await world.people(alice="50.00", bob="0.00", carol="0.00")
    body_of(await alice.pay(bob, "1.00", key="k", memo="one"), 201)
    for again in (
        await alice.pay(bob, "2.00", key="k", memo="one"),
        await alice.pay(carol, "1.00", key="k", memo="one"),
        await alice.pay(bob, "1.00", key="k", memo="two"),
    ):
        assert refusal(again) == (422, "idempotency_key_reused")
    body_of(await bob.pay(carol, "1.00", key="k", memo="one"), 201)  # keys belong to the person
    assert await world.balances() == {"alice": "49.00", "bob": "0.00", "carol": "1.00"}


async def test_a_refused_payment_is_judged_anew_under_the_same_key(world: World) -> None:
    alice, bob = await world.people(alice="5.00", bob="0.00")
    assert refusal(await alice.pay(bob, "20.00", key="again")) == (422, "insufficient_funds")
    body_of(await alice.top_up("30.00"), 201)
    body_of(await alice.pay(bob, "20.00", key="again"), 201)
    assert await world.balances() == {"alice": "15.00", "bob": "20.00"}


async def test_everything_can_be_sent_and_nothing_more(world: World) -> None:
    alice, bob = await world.people(alice="10.00", bob="0.00")
    assert refusal(await alice.pay(bob, "10.01")) == (422, "insufficient_funds")
    body_of(await alice.pay(bob, "10.00"), 201)
    assert refusal(await alice.pay(bob, "0.01")) == (422, "insufficient_funds")
    assert await world.balances() == {"alice": "0.00", "bob": "10.00"}


async def test_limits_and_closed_wallets_are_told(database_url: str, data_dir) -> None:
    async with open_world(database_url, data_dir, wallet_balance_max_minor=60_00) as world:
        alice, bob = await world.people(alice="50.00", bob="20.00")
        assert refusal(await alice.pay(bob, "40.01")) == (422, "limit_exceeded")
        body_of(await alice.pay(bob, "40.00"), 201)
        carol, dora = await world.people("carol", "dora")
        async with open_ledger(database_url) as ledger:
            await ledger.close_account(wallet_account_id(carol.person_id, "SGD"))
            await ledger.set_limits(wallet_account_id(bob.person_id, "SGD"), Limits(out_per_day_max_minor=1_00))
        assert refusal(await alice.pay(carol, "1.00")) == (409, "wallet_closed")
        assert refusal(await bob.pay(dora, "1.01")) == (422, "limit_exceeded")
        assert await world.balances() == {"alice": "10.00", "bob": "60.00", "carol": "0.00", "dora": "0.00"}


async def test_twenty_equal_requests_at_once_have_one_effect(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    answers = await asyncio.gather(*(alice.pay(bob, "3.00", key="impatient") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await world.balances() == {"alice": "47.00", "bob": "3.00"}


async def test_people_paying_each_other_at_once_all_get_through(world: World) -> None:
    alice, bob = await world.people(alice="20.00", bob="20.00")
    answers = await asyncio.gather(
        *(alice.pay(bob, "1.00") for _ in range(15)), *(bob.pay(alice, "1.00") for _ in range(15))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert await world.balances() == {"alice": "20.00", "bob": "20.00"}


async def test_a_wallet_is_not_spent_twice_by_payments_at_once(world: World) -> None:
    alice, bob = await world.people(alice="10.00", bob="0.00")
    answers = await asyncio.gather(*(alice.pay(bob, "3.00") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [422] * 5
    assert await world.balances() == {"alice": "1.00", "bob": "9.00"}


async def test_a_new_currency_opens_wallets_when_it_is_first_used(database_url: str, data_dir) -> None:
    async with open_world(database_url, data_dir) as world:
        alice, bob = await world.people(alice="0.00", bob="0.00")
        tokens = alice.token, bob.token
    async with open_world(database_url, data_dir, currencies=("SGD", "JPY")) as world:
        assert (alice.token, bob.token) == tokens
        alice, bob = alice.moved_to(world), bob.moved_to(world)
        body_of(await alice.post("/v1/top-ups", {"amount": money("900", "JPY")}), 201)
        order = {"to": {"username": "bob"}, "amount": money("400", "JPY")}
        body_of(await alice.post("/v1/transfers", order), 201)
        assert [await alice.balance("JPY"), await bob.balance("JPY")] == ["500", "400"]
        assert body_of(await bob.get("/v1/balance"), 200) == {"balances": [money("0"), money("400", "JPY")]}
