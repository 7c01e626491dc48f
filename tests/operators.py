"""Operators as tests see them: made as the command makes them, signed in by a passkey in software, asking by cookie."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from httpx import Response

from authenticator import Authenticator
from tikiwallet.identity.operator_accounts import OperatorRole, make_link
from tikiwallet.platform.audit import By
from world import World, as_json, body_of

PAGE = {"tikiwallet-client": "operator"}
REASON = "the customer wrote to us about it"
BY = By.operator("root")


class SignedInOperator:
    """An operator with a passkey and a session."""

    def __init__(self, world: World, name: str, key: Authenticator, session: Response) -> None:
        self.world = world
        self.name = name
        self.key = key
        self.operator_id = UUID(body_of(session, 201)["operator_id"])
        self.token = token_in(session)

    @property
    def headers(self) -> dict[str, str]:
        return {**PAGE, "cookie": f"tikiwallet-operator={self.token}"}

    async def get(self, path: str) -> Response:
        return await self._ask("GET", path)

    async def post(self, path: str, body: object = None, *, key: str = "") -> Response:
        return await self._ask("POST", path, {"idempotency-key": key or str(uuid4())}, **as_json(body))

    async def delete(self, path: str) -> Response:
        return await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Response:
        self.world.http.cookies.clear()
        return await self.world.http.request(
            method, f"/v1/operator{path}", headers={**self.headers, **(headers or {})}, **options
        )


def token_in(session: Response) -> str:
    """The token in the cookie that an answer sets."""
    found = re.search(r"tikiwallet-operator=([^;]+)", session.headers["set-cookie"])
    assert found is not None, session.headers
    return found[1]


async def make_operator(world: World, name: str, roles: Sequence[str]) -> str:
    """Make an operator as the command does; returns the secret of the link."""
    link = make_link()
    await world.identity.operator_accounts.add(
        name, [OperatorRole(role) for role in roles], link, operator_id=uuid4(), by=BY, now=world.clock.now
    )
    return link.token


async def enrol(world: World, token: str, key: Authenticator) -> Response:
    """Open the link and register a passkey."""
    asked = body_of(await world.http.post("/v1/operator/enrolments/challenge", json={"token": token}), 201)
    key.user_handle = asked["user_handle"]
    order = {"token": token, "passkey": key.make(asked["challenge"], name="key")}
    return await world.http.post("/v1/operator/enrolments", json=order)


async def sign_in(world: World, key: Authenticator) -> Response:
    """Sign in by passkey."""
    asked = body_of(await world.http.post("/v1/operator/sessions/challenge"), 201)
    return await world.http.post("/v1/operator/sessions", json=key.sign(asked))


async def an_operator(world: World, name: str, *roles: str) -> SignedInOperator:
    """Make an operator, with a passkey, signed in."""
    key = Authenticator()
    enrolled = await enrol(world, await make_operator(world, name, roles), key)
    assert enrolled.status_code == 204, enrolled.text
    session = await sign_in(world, key)
    world.http.cookies.clear()
    return SignedInOperator(world, name, key, session)
