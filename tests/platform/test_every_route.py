"""What every route refuses, read from the routes themselves: one that is added tomorrow is tried too."""

import re
from typing import Any
from uuid import uuid4

import msgspec

from tikiwallet.platform.http import Operation
from world import Someone, World, refusal


def operations(world: World) -> list[tuple[str, str, Operation]]:
    """Every route with its method and an address of nothing that exists."""
    return [
        (method, re.sub(r"\{[^}]+\}", str(uuid4()), route.path), handler.opt["operation"])
        for route in world.app.routes
        for handler in getattr(route, "route_handlers", ())
        if "operation" in handler.opt
        for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"})
    ]


async def ask(world: World, method: str, path: str, content: bytes = b"", **headers: str) -> tuple[int, str]:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(await world.http.request(method, path, content=content, headers=found))


def signed_in(someone: Someone, **headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {someone.token}", "content_type": "application/json", **headers}


async def test_without_a_session_or_with_an_old_one_nothing_is_answered(world: World) -> None:
    (alice,) = await world.people("alice")
    guarded = [(method, path) for method, path, operation in operations(world) if operation.signed_in]
    assert len(guarded) > 20
    for method, path in guarded:
        assert await ask(world, method, path) == (401, "session_missing"), path
        assert await ask(world, method, path, authorization=alice.token) == (401, "session_missing"), path
        assert await ask(world, method, path, authorization="Bearer x") == (401, "session_invalid"), path
    world.clock.move(hours=6, seconds=1)
    for method, path in guarded:
        assert await ask(world, method, path, **signed_in(alice)) == (401, "session_invalid"), path


NOT_A_BODY = {
    "nothing": b"", "half of one": b'{"a', "a list": b"[]", "text": b'"x"', "an unknown field": b'{"surprise": 1}',
    "a key twice": b'{"a": 1, "a": 2}', "no number": b'{"a": NaN}', "a NUL": b'{"a": "\\u0000"}', "bytes": b"\xff\xfe",
}  # fmt: skip


async def test_a_body_that_is_none_is_refused_everywhere(world: World) -> None:
    (alice,) = await world.people("alice")
    taking = [(method, path) for method, path, operation in operations(world) if operation.body is not None]
    assert len(taking) >= 8
    for method, path in taking:
        for what, content in NOT_A_BODY.items():
            headers = signed_in(alice, idempotency_key=uuid4().hex)
            assert await ask(world, method, path, content, **headers) == (400, "request_invalid"), (path, what)
        as_form = signed_in(alice, content_type="application/x-www-form-urlencoded", idempotency_key="k")
        assert await ask(world, method, path, b"a=1", **as_form) == (400, "content_type_unsupported"), path


async def test_what_moves_money_needs_a_key_everywhere(world: World) -> None:
    (alice,) = await world.people("alice")
    keyed = [(method, path, operation) for method, path, operation in operations(world) if operation.idempotent]
    assert {path for _, path, _ in keyed} >= {"/v1/transfers", "/v1/top-ups", "/v1/withdrawals", "/v1/offline/vouchers"}
    for method, path, operation in keyed:
        body = msgspec.json.encode(operation.example) if operation.body else b""
        assert await ask(world, method, path, body, **signed_in(alice)) == (400, "idempotency_key_missing"), path
        for key in ("", "a b", "x" * 129):
            headers = signed_in(alice, idempotency_key=key)
            assert await ask(world, method, path, body, **headers) == (400, "idempotency_key_invalid"), (path, key)


async def test_an_id_that_is_not_mine_is_an_id_of_nothing(world: World) -> None:
    (alice,) = await world.people("alice")
    for method, path, operation in operations(world):
        if operation.signed_in and re.search(r"/[0-9a-f-]{36}", path) and not path.startswith("/v1/statements/"):
            headers: dict[str, Any] = signed_in(alice, idempotency_key=uuid4().hex)
            body = msgspec.json.encode(operation.example) if operation.body else b""
            status, code = await ask(world, method, path, body, **headers)
            assert (status, code.endswith("_unknown")) == (404, True), (path, code)
