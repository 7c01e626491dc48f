"""What every route refuses, read from the routes themselves: one that is added tomorrow is tried too."""

import re
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from operators import SignedInOperator, an_operator
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


class Everybody:
    """A person and an operator with every role: each route is asked by whom it is for."""

    def __init__(self, alice: Someone, olivia: SignedInOperator) -> None:
        self.alice, self.olivia = alice, olivia

    def signed_in(self, operation: Operation, **headers: str) -> dict[str, str]:
        shown = {"authorization": f"Bearer {self.alice.token}"}
        if operation.scheme == "operator":
            shown = self.olivia.headers
        return {**shown, "content_type": "application/json", **headers}


@pytest.fixture
async def everybody(world: World) -> Everybody:
    (alice,) = await world.people("alice")
    return Everybody(alice, await an_operator(world, "olivia", "support", "risk", "finance", "admin"))


async def test_without_a_session_or_with_an_old_one_nothing_is_answered(world: World, everybody: Everybody) -> None:
    guarded = [(method, path, operation) for method, path, operation in operations(world) if operation.signed_in]
    assert len(guarded) > 20
    wrong = {
        "session": {"authorization": "Bearer x"},
        "operator": {"tikiwallet-client": "operator", "cookie": "tikiwallet-operator=x"},
    }
    for method, path, operation in guarded:
        assert await ask(world, method, path) == (401, "session_missing"), path
        bare = await ask(world, method, path, authorization=everybody.alice.token)
        assert bare == (401, "session_missing"), path
        assert await ask(world, method, path, **wrong[operation.scheme]) == (401, "session_invalid"), path
    world.clock.move(hours=6, seconds=1)
    for method, path, operation in guarded:
        assert await ask(world, method, path, **everybody.signed_in(operation)) == (401, "session_invalid"), path


NOT_A_BODY = {
    "nothing": b"", "half of one": b'{"a', "a list": b"[]", "text": b'"x"', "an unknown field": b'{"surprise": 1}',
    "a key twice": b'{"a": 1, "a": 2}', "no number": b'{"a": NaN}', "a NUL": b'{"a": "\\u0000"}', "bytes": b"\xff\xfe",
}  # fmt: skip


async def test_a_body_that_is_none_is_refused_everywhere(world: World, everybody: Everybody) -> None:
    taking = [(method, path, operation) for method, path, operation in operations(world) if operation.body is not None]
    assert len(taking) >= 8
    for method, path, operation in taking:
        for what, content in NOT_A_BODY.items():
            headers = everybody.signed_in(operation, idempotency_key=uuid4().hex)
            assert await ask(world, method, path, content, **headers) == (400, "request_invalid"), (path, what)
        as_form = everybody.signed_in(operation, content_type="application/x-www-form-urlencoded", idempotency_key="k")
        assert await ask(world, method, path, b"a=1", **as_form) == (400, "content_type_unsupported"), path


async def test_what_moves_money_needs_a_key_everywhere(world: World, everybody: Everybody) -> None:
    keyed = [(method, path, operation) for method, path, operation in operations(world) if operation.idempotent]
    assert {path for _, path, _ in keyed} >= {"/v1/transfers", "/v1/top-ups", "/v1/withdrawals", "/v1/offline/vouchers"}
    for method, path, operation in keyed:
        body = msgspec.json.encode(operation.example) if operation.body else b""
        assert await ask(world, method, path, body, **everybody.signed_in(operation)) == (
            400,
            "idempotency_key_missing",
        ), path
        for key in ("", "a b", "x" * 129):
            headers = everybody.signed_in(operation, idempotency_key=key)
            assert await ask(world, method, path, body, **headers) == (400, "idempotency_key_invalid"), (path, key)


# A month is no id; a saved card is Stripe's, with which tests/security/test_access_matrix.py asks for it.
ASKED_ELSEWHERE = ("/v1/statements/", "/v1/saved-cards/")


async def test_an_id_that_is_not_mine_is_an_id_of_nothing(world: World, everybody: Everybody) -> None:
    for method, path, operation in operations(world):
        if operation.signed_in and re.search(r"/[0-9a-f-]{36}", path) and not path.startswith(ASKED_ELSEWHERE):
            headers: dict[str, Any] = everybody.signed_in(operation, idempotency_key=uuid4().hex)
            body = msgspec.json.encode(operation.example) if operation.body else b""
            status, code = await ask(world, method, path, body, **headers)
            assert (status, code.endswith("_unknown")) == (404, True), (path, code)
