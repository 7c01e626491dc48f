"""Who may do what: every route that is served, asked by everybody in docs/security/access-matrix.csv.

A route without a line there fails here. The words of the cells are explained in `matrix.py`.
"""

import copy
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from funding.stripe_world import open_stripe_world
from operators import sign_in, token_in
from security.callers import ROLES, Callers, bearer, sign_in_everybody
from security.calls import Call, Things
from security.matrix import COLUMNS, FILES, read_matrix, served_routes
from tikiwallet.funding.stripe import http as stripe_http
from tikiwallet.platform.http import Operation
from world import Someone, World, open_world

# Their callers have no session but sign what they send (tests/identity/test_twilio.py, tests/funding).
SIGNED_BY_OTHERS = {
    "POST /v1/text-messages/{message_id}/status": "403 report_refused",
    "POST /v1/webhooks/stripe": "400 webhook_invalid",
}
AT_STRIPE = ("/v1/webhooks/stripe", "/v1/saved-cards", "/v1/payout-account", "/v1/disputes")
STRANGERS = ("signed_out", "expired", "ended", "wrong_audience")


class Answer(NamedTuple):
    """All that a caller could tell two answers apart by."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        found = re.search(rb'"code":"(\w+)"', self.body)
        return found[1].decode() if found else ""


def answer_of(response: Response, ids: dict[str, str]) -> Answer:
    """The answer without what names one request (its incident id, and the ids that the caller sent)."""
    body = re.sub(rb'"incident_id":"[0-9a-f]+"', b"", response.content)
    for sent in ids.values():
        body = body.replace(sent.encode(), b"<sent>")
    headers = {name: value for name, value in response.headers.items() if name not in {"date", "content-length"}}
    return Answer(response.status_code, headers, body)


class Asked:
    """One route of the matrix, asked."""

    def __init__(self, world: World, callers: Callers, route: str, operation: Operation | None) -> None:
        self.http: AsyncClient = world.http
        self.callers = callers
        self.method, self.path = route.split(" ", 1)
        self.operation = operation

    async def by(self, column: str, call: Call) -> Answer:
        headers = {**self.callers.headers[column], "idempotency-key": uuid4().hex, "user-agent": "matrix"}
        content = call.content(self.operation)
        if content is not None:
            headers["content-type"] = "application/json"
        path = re.sub(r"\{(\w+)\}", lambda name: call.ids[name[1]], self.path) + call.query
        self.http.cookies.clear()
        response = await self.http.request(self.method, path, content=content, headers=headers)
        return answer_of(response, call.ids)


def operations(world: World) -> dict[str, Operation]:
    return {
        f"{method} {route.path_format}": handler.opt["operation"]
        for route in world.app.routes
        for handler in getattr(route, "route_handlers", ())
        if "operation" in handler.opt
        for method in handler.http_methods - {"OPTIONS"}
    }


def test_every_route_has_a_line_and_every_line_a_route(world: World) -> None:
    served = served_routes(world.app)
    assert served.keys() - read_matrix().keys() == set(), "add a line to docs/security/access-matrix.csv"
    assert read_matrix().keys() - served.keys() == set(), "a line of a route that isn't served"
    assert len(served[FILES]) > 10


def test_the_matrix_says_of_every_signed_in_route_that_strangers_are_refused(world: World) -> None:
    for route, operation in operations(world).items():
        row = read_matrix()[route]
        public = SIGNED_BY_OTHERS.get(route, "open")
        assert {row[column] for column in STRANGERS} == {"401" if operation.signed_in else public}, route
        assert not operation.signed_in or "open" not in row.values(), route


async def expect(asked: Asked, column: str, cell: str, call: Call) -> tuple[bool, Any]:
    """Whether the caller of a column is answered as the cell says, and the answer."""
    answer = await asked.by(column, call)
    done = asked.operation.status if asked.operation else 200
    if cell in {"open", "yes", "own"}:
        return answer.status == done, answer
    if cell == "401":
        is_asked_for = (column in ROLES) == (asked.operation is not None and asked.operation.scheme == "operator")
        # What isn't asked for here isn't even looked at: an operator's cookie, or a person's token.
        code = "session_invalid" if is_asked_for and column != "signed_out" else "session_missing"
        of_nothing = await asked.by(column, call.about_nothing())
        return (answer.status, answer.code) == (401, code) and answer == of_nothing, (answer, of_nothing)
    if cell == "hidden":
        of_nothing = await asked.by(column, call.about_nothing())
        return 400 <= answer.status < 500 and answer == of_nothing, (answer, of_nothing)
    status, code = cell.split(" ")
    return (answer.status, answer.code) == (int(status), code), answer


LIMITS = (
    "sign_ups_per_phone_max", "sign_ins_per_phone_max", "sign_ins_per_address_max", "texts_per_phone_max",
    "texts_per_prefix_max", "texts_per_hour_max",
)  # fmt: skip


@pytest.fixture
async def patient_world(database_url: str, data_dir: Path) -> AsyncIterator[World]:
    """A wallet that one phone number may ask more often than there are columns."""
    async with open_world(database_url, data_dir, **dict.fromkeys(LIMITS, 10_000)) as opened:
        yield opened


def told_of_somebody_else(answer: Answer, owner: Someone, route: str) -> bool:
    """Whether an answer to another person holds what is the owner's: a number in full, or an id that nobody gave."""
    ids = b"" if route == "GET /v1/people" else str(owner.person_id).encode()
    return owner.phone.encode() in answer.body or (bool(ids) and ids in answer.body)


async def test_everybody_is_answered_as_the_matrix_says(patient_world: World) -> None:
    callers = await sign_in_everybody(patient_world)
    rows = {route: row for route, row in read_matrix().items() if not route.split(" ")[1].startswith(AT_STRIPE)}
    assert await answered_otherwise(Things(patient_world, callers), callers, rows) == {}


async def test_everybody_is_answered_as_the_matrix_says_where_money_comes_by_stripe(
    database_url: str, data_dir: Path
) -> None:
    async with open_stripe_world(database_url, data_dir, **dict.fromkeys(LIMITS, 10_000)) as at_stripe:
        callers = await sign_in_everybody(at_stripe.world)
        rows = {route: row for route, row in read_matrix().items() if route.split(" ")[1].startswith(AT_STRIPE)}
        assert len(rows) == len(stripe_http.routes())
        things = Things(at_stripe.world, callers, at_stripe=at_stripe)
        assert await answered_otherwise(things, callers, rows) == {}


async def answered_otherwise(things: Things, callers: Callers, rows: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Ask each route of these rows as everybody; returns what wasn't answered as the matrix says."""
    world = things.world
    described = operations(world)
    wrong = {}
    for route, row in rows.items():
        addresses = served_routes(world.app)[route] if route == FILES else [route.split(" ", 1)[1]]
        for address in addresses:
            asked = Asked(world, callers, f"{route.split(' ', 1)[0]} {address}", described.get(route))
            call = None
            # The owner last: what others were refused has changed nothing, so it still works.
            for column in sorted(COLUMNS, key=lambda name: name == "owner"):
                call = call or await things.call(route)
                if route.endswith("/sessions/current") and row[column] == "own":
                    asked.callers = await passing(world, callers, column)
                is_right, answer = await expect(asked, column, row[column], call)
                if column == "other" and row[column] == "own":
                    is_right = is_right and not told_of_somebody_else(answer, callers.owner, route)
                if not is_right:
                    wrong[f"{route} {column} {row[column]}"] = answer
                if row[column] in {"open", "yes"}:
                    call = None  # it may be used up
    return wrong


async def passing(world: World, callers: Callers, column: str) -> Callers:
    """The same callers, one of them with a session that may end."""
    passed = copy.copy(callers)
    if column in ROLES:
        operator = copy.copy(callers.operators[column])
        operator.token = token_in(await sign_in(world, operator.key))
        passed.headers = callers.headers | {column: operator.headers}
    else:
        someone = await world.sign_in_again(getattr(callers, column))
        passed.headers = callers.headers | {column: bearer(someone.token)}
    return passed
