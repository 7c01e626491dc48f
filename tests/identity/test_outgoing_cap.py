"""After a new password or phone number little leaves a wallet for a day, whatever way, and however many ask at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from offline.phone import Phone
from tikiwallet.identity.outgoing import read_caps
from tikiwallet.platform.config import ConfigError, Settings
from world import Someone, World, body_of, money, open_world, refusal

CAP = {"outgoing_caps": ("SGD=5000",)}
FRESH = "nine blue kettles"


@pytest.fixture
async def capped(database_url: str, data_dir: Path, sound_books: None) -> AsyncIterator[World]:
    async with open_world(database_url, data_dir, **CAP) as world:
        yield world


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def after_a_reset(world: World, someone: Someone) -> Someone:
    """Return the same person with a password that came by text message and is true now."""
    started = body_of(await world.http.post("/v1/password-resets", json={"phone": someone.phone}), 202)
    order = {"code": world.code_sent_to(someone.phone), "password": FRESH}
    body_of(await world.http.post(f"/v1/password-resets/{started['reset_id']}/verification", json=order), 200)
    world.clock.move(hours=24)
    session = {"phone": someone.phone, "password": FRESH}
    return Someone(world.http, body_of(await world.http.post("/v1/sessions", json=session), 201))


async def out_minor(rows: asyncpg.Connection) -> int:
    found: int = await rows.fetchval("SELECT coalesce(sum(out_minor), 0) FROM identity.capped_outgoing")
    return found


async def test_payments_withdrawals_and_loads_share_one_sum(capped: World) -> None:
    alice, bob = await capped.people(alice="200.00", bob="0.00")
    alice, bob = await after_a_reset(capped, alice), await capped.sign_in_again(bob)
    key = str(uuid4())
    body_of(await alice.pay(bob, "20.00", key=key), 201)
    body_of(await alice.pay(bob, "20.00", key=key), 201)  # the same payment
    body_of(await alice.post("/v1/withdrawals", {"amount": money("10.00")}), 201)
    phone = await Phone(alice, capped, "alice's").register()
    await phone.load("15.00")
    answer = await alice.pay(bob, "5.01")
    assert refusal(answer) == (422, "outgoing_capped")
    until = body_of(await alice.get("/v1/me/protection"), 200)["outgoing_capped_until"]
    assert f"until {until[:16].replace('T', ' ')} UTC at most 50.00 SGD" in answer.json()["detail"]
    assert refusal(await alice.post("/v1/withdrawals", {"amount": money("5.01")})) == (422, "outgoing_capped")
    assert refusal(await phone.try_load("5.01")) == (422, "outgoing_capped")
    asked = body_of(
        await bob.post("/v1/requests", {"payer": {"username": "alice"}, "amount": money("5.01"), "memo": ""}), 201
    )
    pay = f"/v1/requests/{asked['request_id']}/payment"
    assert refusal(await alice.post(pay)) == (422, "outgoing_capped")
    assert body_of(await alice.get(f"/v1/requests/{asked['request_id']}"), 200)["state"] == "open"
    synced = await phone.sync(wanted="16.00")
    assert synced["loading"]["state"] == "refused"
    assert synced["loading"]["code"] == "outgoing_capped"
    body_of(await alice.pay(bob, "5.00"), 201)
    body_of(await bob.pay(alice, "25.00"), 201)  # others, and what comes in, go on
    capped.clock.move(hours=24)
    alice = Someone(
        capped.http,
        body_of(await capped.http.post("/v1/sessions", json={"phone": alice.phone, "password": FRESH}), 201),
    )
    body_of(await alice.post(pay), 201)
    body_of(await alice.pay(bob, "60.00"), 201)


async def test_many_orders_at_once_take_no_more_than_the_cap(capped: World, rows: asyncpg.Connection) -> None:
    alice, bob = await capped.people(alice="200.00", bob="0.00")
    alice, bob = await after_a_reset(capped, alice), await capped.sign_in_again(bob)
    keys = [str(uuid4()) for _ in range(8)]
    answers = await asyncio.gather(*(alice.pay(bob, "10.00", key=key) for key in keys * 2))
    assert await bob.balance() == "50.00"
    assert await out_minor(rows) == 5000
    paid = {key for key, answer in zip(keys * 2, answers, strict=True) if answer.status_code == 201}
    assert len(paid) == 5
    withdrawals = await asyncio.gather(
        *(alice.post("/v1/withdrawals", {"amount": money("1.00")}) for _ in range(3)), alice.pay(bob, "1.00")
    )
    assert {refusal(answer) for answer in withdrawals} == {(422, "outgoing_capped")}


async def test_what_was_refused_gives_back_what_it_took(capped: World, rows: asyncpg.Connection) -> None:
    alice, bob = await capped.people(alice="30.00", bob="0.00")
    alice = await after_a_reset(capped, alice)
    key = str(uuid4())
    assert refusal(await alice.pay(bob, "40.00", key=key)) == (422, "insufficient_funds")
    assert await out_minor(rows) == 0
    body_of(await alice.pay(bob, "20.00", key=key), 201)  # the key is judged anew
    assert refusal(await alice.pay(bob, "21.00", key=key)) == (422, "idempotency_key_reused")
    assert await out_minor(rows) == 2000
    assert refusal(await alice.post("/v1/withdrawals", {"amount": money("20.00")})) == (422, "insufficient_funds")
    answers = await asyncio.gather(*(alice.pay(bob, "11.00", key="one") for _ in range(4)))
    assert {refusal(answer) for answer in answers} == {(422, "insufficient_funds")}
    assert await out_minor(rows) == 2000
    body_of(await alice.top_up("1.00"), 201)
    body_of(await alice.pay(bob, "11.00", key="one"), 201)
    assert await out_minor(rows) == 3100


async def test_a_payment_of_before_is_answered_again_and_takes_nothing(capped: World, rows: asyncpg.Connection) -> None:
    alice, bob = await capped.people(alice="100.00", bob="0.00")
    key = str(uuid4())
    before = body_of(await alice.pay(bob, "80.00", key=key), 201)
    alice = await after_a_reset(capped, alice)
    assert body_of(await alice.pay(bob, "80.00", key=key), 201) == before
    assert await out_minor(rows) == 0


async def test_whoever_is_not_capped_costs_no_statement_more(world: World, statements: list[str]) -> None:
    alice, bob = await world.people(alice="10.00", bob="0.00")
    statements.clear()
    body_of(await alice.pay(bob, "1.00"), 201)
    assert len(statements) == 2  # does the session live and who is the payee, move the money
    assert not any("capped_o" in statement for statement in statements)


def test_caps_that_cannot_be_meant_stop_the_start() -> None:
    assert read_caps((), currencies=("SGD", "JPY")) == {"SGD": 10000, "JPY": 100}
    assert read_caps(("SGD=0",), currencies=("SGD",)) == {"SGD": 0}
    for wrong in ("SGD", "SGD=1.5", "EUR=5", "SGD=-1"):
        with pytest.raises(ConfigError, match="TIKIWALLET_OUTGOING_CAPS"):
            read_caps((wrong,), currencies=Settings().currencies)
