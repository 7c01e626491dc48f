"""A person asks another for money."""

import asyncio
from typing import Any

import pytest

from tikiwallet.payments import requests
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def ask(payee: Someone, payer: Someone, text: str = "10.00", *, memo: str = "", key: str | None = None) -> Any:
    order = {"payer": {"username": payer.username}, "amount": money(text), "memo": memo}
    return body_of(await payee.post("/v1/requests", order, key=key), 201)


async def states(someone: Someone, **query: str) -> list[tuple[str, str]]:
    page = body_of(await someone.get("/v1/requests", **query), 200)
    return [(item["memo"], item["state"]) for item in page["items"]]


async def test_a_request_is_paid_and_both_see_it(world: World) -> None:
    alice, bob, mallory = await world.people(alice="50.00", bob="0.00", mallory="0.00")
    asked = await ask(bob, alice, "12.50", memo="lunch")
    assert (asked["state"], asked["receipt"], asked["payer"]["username"]) == ("open", None, "alice")
    address = f"/v1/requests/{asked['request_id']}"
    assert body_of(await alice.get(address), 200) == asked
    assert refusal(await mallory.get(address)) == (404, "request_unknown")
    answer = await alice.post(f"{address}/payment", key="yes")
    paid = body_of(answer, 201)
    assert paid["state"] == "paid"
    assert paid["receipt"]["amount"] == money("12.50")
    assert (await alice.post(f"{address}/payment", key="yes")).content == answer.content
    assert (await bob.get(address)).content == answer.content
    receipt = await bob.get(f"/v1/transfers/{paid['receipt']['transfer_id']}")
    assert body_of(receipt, 200) == paid["receipt"]
    assert await world.balances() == {"alice": "37.50", "bob": "12.50", "mallory": "0.00"}


async def test_asking_twice_with_one_key_is_asking_once(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    order = {"payer": {"username": "alice"}, "amount": money("10.00"), "memo": "rent"}
    answers = await asyncio.gather(*(bob.post("/v1/requests", order, key="once") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await states(alice) == [("rent", "open")]
    other = {**order, "memo": "more rent"}
    assert refusal(await bob.post("/v1/requests", other, key="once")) == (422, "idempotency_key_reused")


async def test_only_the_asked_may_pay_or_decline_and_only_the_asker_cancel(world: World) -> None:
    alice, bob, mallory = await world.people(alice="50.00", bob="50.00", mallory="50.00")
    asked = await ask(bob, alice)
    address = f"/v1/requests/{asked['request_id']}"
    for action in ("payment", "decline", "cancellation"):
        assert refusal(await mallory.post(f"{address}/{action}")) == (404, "request_unknown")
        assert refusal(await mallory.post(f"/v1/requests/{alice.person_id}/{action}")) == (404, "request_unknown")
    assert refusal(await bob.post(f"{address}/payment")) == (403, "request_not_yours")
    assert refusal(await bob.post(f"{address}/decline")) == (403, "request_not_yours")
    assert refusal(await alice.post(f"{address}/cancellation")) == (403, "request_not_yours")
    assert await states(alice) == [("", "open")]
    assert refusal(await world.http.post(f"{address}/payment")) == (401, "session_missing")
    unkeyed = await world.http.post(f"{address}/payment", headers={"authorization": f"Bearer {alice.token}"})
    assert refusal(unkeyed) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(("action", "state"), [("decline", "declined"), ("cancellation", "cancelled")])
async def test_a_closed_request_stays_closed(world: World, action: str, state: str) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    address = f"/v1/requests/{(await ask(bob, alice))['request_id']}"
    closer = alice if action == "decline" else bob
    closed = await closer.post(f"{address}/{action}")
    assert body_of(closed, 200)["state"] == state
    assert (await closer.post(f"{address}/{action}")).content == closed.content
    assert refusal(await alice.post(f"{address}/payment")) == (409, "request_not_open")
    other = ("cancellation", bob) if action == "decline" else ("decline", alice)
    assert refusal(await other[1].post(f"{address}/{other[0]}")) == (409, "request_not_open")
    assert await world.balances() == {"alice": "50.00", "bob": "0.00"}


async def test_a_request_expires_after_seven_days(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    asked = await ask(bob, alice, memo="old")
    world.clock.move(days=6, hours=23)
    alice, bob = await world.sign_in_again(alice), await world.sign_in_again(bob)
    await ask(bob, alice, memo="new")
    assert await states(alice) == [("new", "open"), ("old", "open")]
    world.clock.move(hours=1)
    alice, bob = await world.sign_in_again(alice), await world.sign_in_again(bob)
    assert await states(alice, state="open") == [("new", "open")]
    assert await states(bob, state="expired") == [("old", "expired")]
    address = f"/v1/requests/{asked['request_id']}"
    for someone, action in ((alice, "payment"), (alice, "decline"), (bob, "cancellation")):
        assert refusal(await someone.post(f"{address}/{action}")) == (409, "request_not_open")
    expired = body_of(await alice.get(address), 200)
    assert expired["changed_at"] == expired["expires_at"]


async def test_requests_are_listed_by_role_and_state_in_pages(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    for memo in ("one", "two", "three"):
        await ask(bob, alice, memo=memo)
        world.clock.move(seconds=1)
    back = await ask(alice, bob, memo="back")
    body_of(await bob.post(f"/v1/requests/{back['request_id']}/decline"), 200)
    assert await states(alice, role="payee") == [("back", "declined")]
    assert await states(alice, role="payer", state="open") == [("three", "open"), ("two", "open"), ("one", "open")]
    assert await states(bob, role="payer") == [("back", "declined")]
    first = body_of(await alice.get("/v1/requests", limit="2"), 200)
    await ask(bob, alice, memo="newer")
    second = body_of(await alice.get("/v1/requests", limit="2", cursor=first["next_cursor"]), 200)
    assert [item["memo"] for item in first["items"] + second["items"]] == ["back", "three", "two", "one"]
    assert second["next_cursor"] is None
    for query in (
        {"role": "friend"}, {"state": "lost"}, {"limit": "0"}, {"cursor": "x"}, {"cursor": "9" * 60 + ".0"},
        {"cursor": "1.two"}, {"page": "1"},
    ):  # fmt: skip
        assert refusal(await alice.get("/v1/requests", **query)) == (400, "request_invalid"), query


async def test_requests_against_the_rules_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await world.people("alice", "bob")
    valid = {"payer": {"username": "alice"}, "amount": money("1.00"), "memo": ""}
    expected = {
        "somebody unknown": ({**valid, "payer": {"username": "nobody"}}, (404, "payer_unknown")),
        "oneself": ({**valid, "payer": {"username": "bob"}}, (422, "payer_is_payee")),
        "another currency": ({**valid, "amount": money("1.00", "EUR")}, (422, "currency_not_offered")),
        "a memo too long": ({**valid, "memo": "x" * 141}, (422, "memo_invalid")),
        "zero": ({**valid, "amount": money("0")}, (400, "request_invalid")),
        "an unknown field": ({**valid, "urgent": True}, (400, "request_invalid")),
    }
    for what, (body, code) in expected.items():
        assert refusal(await bob.post("/v1/requests", body)) == code, what
    monkeypatch.setattr(requests, "REQUESTS_OPEN_MAX", 2)
    first = await ask(bob, alice)
    await ask(bob, alice)
    assert refusal(await bob.post("/v1/requests", valid)) == (422, "requests_too_many")
    body_of(await alice.post(f"/v1/requests/{first['request_id']}/decline"), 200)
    await ask(bob, alice)
