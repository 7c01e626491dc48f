"""What every route tells a browser and refuses from one, read from the routes: one that is added tomorrow is tried."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from httpx import Response

from operators import PAGE, an_operator
from security.callers import bearer
from security.matrix import served_routes
from security.test_access_matrix import operations
from tikiwallet.identity.types import StepUpRequired
from tikiwallet.platform import pages
from tikiwallet.platform.browsers import ANSWER_HEADERS, SAFE_METHODS, STRICT_TRANSPORT
from tikiwallet.platform.throttle import TooManyRequests
from world import PASSWORD, Someone, World, body_of, open_world, refusal

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
KEPT_BY_CACHES = {"GET /.well-known/jwks.json"}
EVIL = "https://evil.example"


def addresses(world: World) -> list[tuple[str, str, str]]:
    """Every route as its name, method and an address of nothing that exists."""
    return [
        (f"{name.split(' ')[0]} {path}", name.split(" ")[0], re.sub(r"\{\w+\}", str(uuid4()), path))
        for name, paths in served_routes(world.app).items()
        for path in paths
    ]


def assert_told(answer: Response, *, is_page: bool, what: str) -> None:
    expected = dict(ANSWER_HEADERS)
    if is_page:
        expected["content-security-policy"] = pages.CONTENT_SECURITY_POLICY
    assert {name: answer.headers.get(name) for name in expected} == expected, what
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy, what
    assert "frame-ancestors 'none'" in policy, what
    assert "unsafe" not in policy, what
    assert "server" not in answer.headers, what
    assert not [name for name in answer.headers if name.startswith("access-control-")], what
    if answer.status_code not in {204, 304}:
        kind = answer.headers["content-type"]
        assert not kind.startswith("text/") or kind.endswith("charset=utf-8"), what


async def test_every_answer_has_the_headers_and_what_is_personal_is_kept_nowhere(world: World) -> None:
    (alice,) = await world.people("alice")
    for name, method, address in addresses(world):
        is_page = name not in operations(world) and name != "GET /openapi.json"
        for headers in ({}, bearer(alice.token), {"origin": EVIL}):
            answer = await world.http.request(method, address, headers=headers)
            assert_told(answer, is_page=is_page and answer.status_code == 200, what=name)
            assert "strict-transport-security" not in answer.headers, name  # http://localhost stays what it is
            if name in operations(world) and name not in KEPT_BY_CACHES:
                assert answer.headers["cache-control"] == "no-store", name
    assert_told(await world.http.get("/v1/nothing"), is_page=False, what="an unknown address")
    assert_told(await world.http.put("/v1/me"), is_page=False, what="another method")


async def test_production_is_reached_by_https_only_and_browsers_remember(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, mode="production") as world:
        for name, method, address in addresses(world):
            answer = await world.http.request(method, address)
            assert answer.headers["strict-transport-security"] == STRICT_TRANSPORT, name
    assert int(re.findall(r"max-age=(\d+)", STRICT_TRANSPORT)[0]) >= 365 * 86400


async def test_a_method_that_no_route_has_is_refused_and_the_others_are_named(world: World) -> None:
    methods: dict[str, set[str]] = {}
    for _, method, address in addresses(world):
        methods.setdefault(re.sub(r"[0-9a-f-]{36}", "{}", address), set()).add(method)
    for address, served in methods.items():
        if address.startswith("/chunks/"):
            continue  # as every file
        path = address.replace("{}", str(uuid4()))
        for method in sorted({*METHODS} - served):
            answer = await world.http.request(method, path)
            assert refusal(answer) == (405, "method_not_allowed"), (method, path)
            assert set(answer.headers["allow"].split(", ")) >= served, (method, path)
            assert "OPTIONS" not in answer.headers["allow"], (method, path)


async def test_no_other_site_may_ask_anything(world: World) -> None:
    (alice,) = await world.people("alice")
    for name, method, address in addresses(world):
        asked_first = {
            "origin": EVIL, "access-control-request-method": method,
            "access-control-request-headers": "content-type, tikiwallet-client, authorization",
        }  # fmt: skip
        preflight = await world.http.options(address, headers=asked_first)
        assert preflight.status_code == 405, name
        answer = await world.http.request(method, address, headers={**bearer(alice.token), "origin": EVIL})
        for found in (preflight, answer):
            assert not [header for header in found.headers if header.startswith("access-control-")], name


async def test_what_another_sites_page_sends_is_refused_wherever_it_could_change_something(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    body_of(await world.sign_in_anywhere(alice.phone, tikiwallet_client="web"), 201)
    kept = dict(world.http.cookies)
    browser = {"tikiwallet-client": "web", "idempotency-key": "k"}
    unsafe = {name: op for name, op in operations(world).items() if name.split(" ")[0] not in SAFE_METHODS}
    assert len(unsafe) > 15
    operator = await an_operator(world, "olivia", "support", "risk", "finance", "admin")
    world.http.cookies.update({**kept, "tikiwallet-operator": operator.token})
    people = browser
    for name, operation in unsafe.items():
        browser = people | (PAGE if operation.scheme == "operator" else {})
        method, path = name.split(" ")
        path = re.sub(r"\{\w+\}", str(uuid4()), path)
        body = msgspec.json.encode(operation.example) if operation.body else b""
        for foreign in (
            {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": EVIL}, {"origin": "null"},
            {"origin": "http://other.wallet.test"}, {"origin": "http://wallet.test:8080"},
        ):  # fmt: skip
            headers = {**browser, **foreign, "content-type": "application/json"}
            answer = await world.http.request(method, path, content=body, headers=headers)
            assert refusal(answer) == (403, "cross_site_refused"), (name, foreign)
        if operation.body is not None:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
                headers = {**browser, "content-type": kind}
                answer = await world.http.request(method, path, content=body, headers=headers)
                assert refusal(answer) == (400, "content_type_unsupported"), (name, kind)
        if operation.signed_in:  # the cookie alone: what a form of another site would send to an old browser
            answer = await world.http.request(method, path, content=body, headers={"content-type": "application/json"})
            assert refusal(answer) == (401, "session_missing"), name
    for own in ({"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://wallet.test"}):
        order = {"amount": {"amount_minor": 100, "currency": "SGD"}}
        answer = await world.http.post("/v1/top-ups", json=order, headers={**people, **own, "idempotency-key": "own"})
        assert answer.status_code == 201, own
    assert await world.balances() == {"alice": "51.00"}


LIMITS_OF_ONE = {
    "sign_ins_per_phone_max": 1, "sign_ins_per_address_max": 1, "sign_ups_per_phone_max": 1,
    "sign_ups_per_address_max": 1, "codes_per_address_max": 1, "orders_per_person_max": 1,
    "access_token_seconds": 3600,
}  # fmt: skip


@pytest.fixture
async def strict_world(world: World, database_url: str, data_dir: Path) -> AsyncIterator[tuple[World, Someone]]:
    """Another process on the same database that lets everybody try everything once, and somebody signed in."""
    (alice,) = await world.people(alice="50.00")
    async with open_world(database_url, data_dir, **LIMITS_OF_ONE) as strict:
        strict.clock.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        yield strict, alice.moved_to(strict)


async def test_every_throttled_route_says_when_to_come_back_and_believes_no_address(
    strict_world: tuple[World, Someone],
) -> None:
    world, alice = strict_world
    throttled = {name: op for name, op in operations(world).items() if TooManyRequests in op.refusals}
    del throttled["POST /v1/sessions/refresh"]  # counted by session: tests/identity/test_refresh.py
    assert len(throttled) >= 7
    # The password last: its example changes it.
    for name, operation in sorted(throttled.items(), key=lambda item: item[0] == "POST /v1/me/password"):
        world.clock.move(hours=1)
        alice = await world.sign_in_again(alice)
        world.clock.move(minutes=15)
        if StepUpRequired in operation.refusals:
            body_of(await alice.post("/v1/proofs", {"password": PASSWORD}), 201)
        method, path = name.split(" ")
        path = re.sub(r"\{\w+\}", str(uuid4()), path)
        body = msgspec.json.encode(operation.example) if operation.body else b""
        answers = []
        for number in range(2):
            spoofed = f"198.51.100.{number}"
            headers = {
                **bearer(alice.token), "content-type": "application/json", "idempotency-key": uuid4().hex,
                "x-forwarded-for": spoofed, "x-real-ip": spoofed, "forwarded": f"for={spoofed}",
                "x-user-id": str(uuid4()), "x-client-ip": spoofed, "true-client-ip": spoofed,
            }  # fmt: skip
            answers.append(await world.http.request(method, path, content=body, headers=headers))
        assert answers[0].status_code != 429, (name, answers[0].text)
        assert refusal(answers[1]) == (429, "too_many_requests"), name
        assert 1 <= int(answers[1].headers["retry-after"]) <= 3600, name
