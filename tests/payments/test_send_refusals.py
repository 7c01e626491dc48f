"""What isn't an order to pay is refused, with the exact code, and moves nothing."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from world import Someone, World, body_of, money, open_world, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


def order(**changes: Any) -> dict[str, Any]:
    """An order to pay bob 1.00, with changes."""
    return {"to": {"username": "bob"}, "amount": money("1.00"), "memo": "x", **changes}


def amount(value: object, currency: object = "SGD") -> dict[str, Any]:
    return order(amount={"amount_minor": value, "currency": currency})


MALFORMED: dict[str, dict[str, Any]] = {
    "zero": amount(0),
    "negative": amount(-5),
    "a float": amount(12.5),
    "a whole float": amount(12.0),
    "a string": amount("12"),
    "true": amount(True),
    "null": amount(None),
    "more than any amount": amount(10**15 + 1),
    "more than 64 bits": amount(2**64),
    "thousands of digits": amount(10**4000),
    "a lower-case currency": amount(100, "sgd"),
    "no currency": order(amount={"amount_minor": 100}),
    "an unknown field": order(tip=1),
    "an unknown field inside": order(amount={**money("1.00"), "exponent": 2}),
    "nobody": order(to={}),
    "two people": order(to={"username": "bob", "phone": "+6591230002"}),
    "a name that is no text": order(to={"username": 7}),
    "no amount": {"to": {"username": "bob"}},
    "a memo that is no text": order(memo=None),
    "a NUL character": order(memo="a\0b"),
}

NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "half a document": b'{"to": {"username": "bob"}',
    "a key twice": json.dumps(order()).replace('"memo"', '"to": {"username": "carol"}, "memo"').encode(),
    "not a number": json.dumps(order()).replace("100", "NaN").encode(),
    "half a character": json.dumps(order()).replace('"x"', '"\\ud800"').encode(),
    "not UTF-8": b'{"memo": "\xff"}',
    "a list": b"[]",
    "deep": b"[" * 100_000,
}  # fmt: skip


async def send_raw(someone: Someone, body: bytes, **headers: str) -> tuple[int, str]:
    all_headers = {
        "authorization": f"Bearer {someone.token}", "idempotency-key": "k", "content-type": "application/json",
    } | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
    return refusal(await someone.http.post("/v1/transfers", content=body, headers=all_headers))


async def test_malformed_orders_are_refused(world: World) -> None:
    alice, _ = await world.people(alice="50.00", bob="0.00")
    for what, body in MALFORMED.items():
        assert refusal(await alice.post("/v1/transfers", body)) == (400, "request_invalid"), what
    for what, raw in NOT_JSON.items():
        assert await send_raw(alice, raw) == (400, "request_invalid"), what
    valid = json.dumps(order()).encode()
    assert await send_raw(alice, valid, content_type="text/plain") == (400, "content_type_unsupported")
    assert await send_raw(alice, b'"' + b"x" * 1_100_000 + b'"') == (413, "body_too_large")
    assert await world.balances() == {"alice": "50.00", "bob": "0.00"}


async def test_the_field_at_fault_is_named(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await alice.post("/v1/transfers", amount(0))
    assert answer.json()["field"] == "amount.amount_minor"
    answer = await alice.post("/v1/transfers", order(to={}))
    assert answer.json()["field"] == "to"


async def test_orders_against_the_rules_are_refused(world: World) -> None:
    alice, _ = await world.people(alice="50.00", bob="0.00")
    expected = {
        "somebody unknown": (order(to={"username": "nobody"}), (404, "payee_unknown")),
        "an unknown phone": (order(to={"phone": "+6598765432"}), (404, "payee_unknown")),
        "no phone number": (order(to={"phone": "call me"}), (404, "payee_unknown")),
        "oneself": (order(to={"username": "alice"}), (422, "payee_is_payer")),
        "oneself by phone": (order(to={"phone": alice.phone}), (422, "payee_is_payer")),
        "another currency": (amount(100, "EUR"), (422, "currency_not_offered")),
        "a currency nobody has": (amount(100, "ZZZ"), (422, "currency_not_offered")),
        "a memo too long": (order(memo="x" * 141), (422, "memo_invalid")),
        "a line break": (order(memo="a\nb"), (422, "memo_invalid")),
        "a paragraph": (order(memo="a\u2029b"), (422, "memo_invalid")),
        "writing turned round": (order(memo="a\u202eb"), (422, "memo_invalid")),
    }
    for what, (body, code) in expected.items():
        assert refusal(await alice.post("/v1/transfers", body)) == code, what
    assert (await alice.post("/v1/transfers", order(memo="ß" * 140))).status_code == 201
    assert await world.balances() == {"alice": "49.00", "bob": "1.00"}


async def test_keys_are_demanded_and_bounded(world: World) -> None:
    alice, _ = await world.people(alice="50.00", bob="0.00")
    valid = json.dumps(order()).encode()
    headers = {"authorization": f"Bearer {alice.token}", "content-type": "application/json"}
    missing = await alice.http.post("/v1/transfers", content=valid, headers=headers)
    assert refusal(missing) == (400, "idempotency_key_missing")
    for key in ("", "two words", "x" * 129):
        assert await send_raw(alice, valid, idempotency_key=key) == (400, "idempotency_key_invalid"), key
    assert (await alice.post("/v1/transfers", order(), key="~" * 128)).status_code == 201


async def test_only_people_with_a_session_may_pay_or_look(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    paths = ["/v1/balance", "/v1/history", "/v1/requests", f"/v1/transfers/{bob.person_id}"]
    for path in paths:
        assert refusal(await world.http.get(path)) == (401, "session_missing"), path
    assert refusal(await world.http.post("/v1/transfers", json=order())) == (401, "session_missing")
    world.clock.move(hours=6, seconds=1)
    for path in paths:
        assert refusal(await alice.get(path)) == (401, "session_invalid"), path
    assert refusal(await alice.pay(bob, "1.00")) == (401, "session_invalid")


async def test_one_person_can_give_so_many_orders_a_minute(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, orders_per_person_max=3) as world:
        alice, bob = await world.people(alice="50.00", bob="5.00")
        key = str(uuid4())
        paid = body_of(await alice.pay(bob, "1.00", key=key), 201)
        assert [(await alice.pay(bob, "1.00")).status_code for _ in range(2)] == [201, 201]
        refused = await alice.pay(bob, "1.00")
        assert refusal(refused) == (429, "too_many_requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await bob.pay(alice, "2.00")).status_code == 201  # nobody else waits
        world.clock.move(seconds=60)
        assert body_of(await alice.pay(bob, "1.00", key=key), 201) == paid  # a payment of before is still the same one
        assert await world.balances() == {"alice": "49.00", "bob": "6.00"}
