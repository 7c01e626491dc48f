"""A thin route answers as the framework would, to the last byte."""

from typing import Any
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient, Response

from platform_parts import WholeFramework
from tikiwallet.platform.http import BODY_BYTES_MAX
from tikiwallet.platform.thin import Application
from world import Someone, World, money

JSON = {"content-type": "application/json"}


def thin_routes(app: Application) -> set[tuple[str, str]]:
    return set(app._thin)


async def both(world: World, method: str, path: str, **options: Any) -> tuple[Response, Response]:
    """Ask the same of the application and of the whole framework."""
    assert isinstance(world.app, Application)
    answers = []
    for app in (world.app, WholeFramework(world.app)):
        transport = ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with AsyncClient(transport=transport, base_url="http://wallet.test") as client:
            answers.append(await client.request(method, path, **options))
    return answers[0], answers[1]


def facts(answer: Response) -> tuple[Any, ...]:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    body = answer.json()
    body.pop("incident_id", None)
    return answer.status_code, headers, body


def headers_of(someone: Someone, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {someone.token}", **more}


def test_the_routes_that_are_asked_all_day_are_thin(world: World) -> None:
    assert isinstance(world.app, Application)
    hot = {("GET", "/v1/balance"), ("GET", "/v1/history"), ("POST", "/v1/transfers"), ("POST", "/v1/offline/sync")}
    assert hot <= thin_routes(world.app)


async def test_a_balance_and_a_history_are_the_same(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    for number in range(3):
        assert (await alice.pay(bob, "1.00", memo=f"no {number}")).status_code == 201
    for path in ("/v1/balance", "/v1/history", "/v1/history?limit=2&direction=out", "/v1/history?kind=top_up"):
        thin, whole = await both(world, "GET", path, headers=headers_of(alice))
        assert facts(thin) == facts(whole)
        assert thin.status_code == 200


async def test_a_payment_is_the_same_and_happens_once_by_either_way(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    order = {"to": {"username": bob.username}, "amount": money("2.00"), "memo": "tea"}
    thin, whole = await both(
        world, "POST", "/v1/transfers", json=order, headers=headers_of(alice, **{"idempotency-key": str(uuid4())})
    )
    assert facts(thin) == facts(whole)
    assert (thin.status_code, await world.balances()) == (201, {"alice": "48.00", "bob": "2.00"})


async def test_a_sync_is_the_same(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    thin, whole = await both(
        world, "POST", "/v1/offline/sync", json={"bundles": ["g4GAgA", "?"]}, headers=headers_of(alice)
    )
    assert thin.status_code == whole.status_code == 200
    assert thin.json()["results"] == whole.json()["results"]
    assert [result["code"] for result in thin.json()["results"]] == ["bad_cbor", "not_base64url"]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/v1/balance", {"headers": {"authorization": ""}}, 401),
        ("GET", "/v1/balance", {"headers": {"authorization": "Basic abc"}}, 401),
        ("GET", "/v1/balance", {"headers": {"authorization": "Bearer abc"}}, 401),
        ("GET", "/v1/history?limit=1000", {}, 400),
        ("GET", "/v1/history?limit=1&limit=2", {}, 400),
        ("GET", "/v1/history?surprise=1", {}, 400),
        ("GET", "/v1/history?currency=EUR", {}, 422),
        ("POST", "/v1/transfers", {"content": b"{}"}, 400),
        ("POST", "/v1/transfers", {"json": {}}, 400),
        ("POST", "/v1/transfers", {"content": b" " * (BODY_BYTES_MAX + 1), "headers": JSON}, 413),
        ("POST", "/v1/transfers", {"content": b'{"memo":"a","memo":"b"}', "headers": JSON}, 400),
        ("POST", "/v1/offline/sync", {"json": {"surprise": 1}}, 400),
        ("POST", "/v1/offline/sync", {"json": {"device_id": str(uuid4())}}, 404),
        ("POST", "/v1/offline/sync", {"content": b" " * 750_001, "headers": JSON}, 413),
        ("POST", "/v1/offline/sync", {"content": b" " * (BODY_BYTES_MAX + 1), "headers": JSON}, 413),
        ("DELETE", "/v1/balance", {}, 405),
        ("POST", "/v1/balance", {}, 405),
        ("GET", "/v1/balance/", {}, 200),
    ],
)  # fmt: skip
async def test_a_refusal_is_the_same(
    world: World, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    (alice,) = await world.people(alice="50.00")
    headers = {**headers_of(alice), "idempotency-key": "k", **options.get("headers", {})}
    thin, whole = await both(world, method, path, **{**options, "headers": headers})
    assert facts(thin) == facts(whole)
    assert thin.status_code == status


async def test_of_two_keys_the_first_one_counts_in_both(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    order = {"to": {"username": bob.username}, "amount": money("2.00"), "memo": "tea"}
    headers = [*headers_of(alice).items(), ("idempotency-key", "first"), ("idempotency-key", "second")]
    thin, whole = await both(world, "POST", "/v1/transfers", json=order, headers=headers)
    assert facts(thin) == facts(whole)
    assert await world.balances() == {"alice": "48.00", "bob": "2.00"}


async def test_a_bug_answers_without_its_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (alice,) = await world.people(alice="50.00")

    async def breaks(_: object) -> list[object]:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(world.app.state.payments.wallets, "balances", breaks)
    thin, whole = await both(world, "GET", "/v1/balance", headers=headers_of(alice))
    assert facts(thin) == facts(whole)
    assert (thin.status_code, thin.json()["code"]) == (500, "internal_error")
    assert "secret words" not in thin.text


async def test_a_browser_is_known_by_its_cookie_in_a_thin_route_too(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    cookie = {"cookie": f"other=1; tikiwallet={alice.token}"}
    thin, whole = await both(world, "GET", "/v1/balance", headers={**cookie, "tikiwallet-client": "web"})
    assert facts(thin) == facts(whole)
    assert thin.status_code == 200
    thin, whole = await both(world, "GET", "/v1/balance", headers=cookie)  # nothing shows that our page sent it
    assert facts(thin) == facts(whole)
    assert thin.status_code == 401
