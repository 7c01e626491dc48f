"""What Schemathesis can't know of this wallet: who may ask, what exists, and how Stripe signs.

It loads this module before it begins (SCHEMATHESIS_HOOKS). A made-up id names nothing, so a request with one never gets
further than "unknown". Of the requests that fit the description, some are therefore asked about something that exists
(tests/security/calls.py makes it), some are replaced by one that works, and some by one that works but for a field.
Which, depends on what was made up and on nothing else, so that Hypothesis can ask again.

How often each route gave which status is left behind for security/fuzz.py, in a file.
"""

import asyncio
import atexit
import contextlib
import copy
import json
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import uuid4

import schemathesis
from schemathesis.auths import AuthContext, set_on_case
from schemathesis.core import NotSet
from schemathesis.core.parameters import ParameterLocation

from operators import PAGE
from security.asking import OPERATOR_COOKIE, Asking
from security.far_world import FarStripe, open_far_world
from tikiwallet.platform.http import JSON
from tikiwallet.stripe_standin.events import signature
from world import DEVICE

T = TypeVar("T")

AS_MADE_UP, ABOUT_WHAT_IS, AS_IT_WORKS, BUT_FOR_A_FIELD = range(4)
BELOW_OPERATOR = "/v1/operator/"
WEBHOOK = "/v1/webhooks/stripe"
SIGNATURE = "Stripe-Signature"
PLACEHOLDER = "who asks"
# After these who asked can't ask on, or only a little.
USE_UP_WHO_ASKS = {
    "DELETE /v1/sessions/current", "POST /v1/me/password", "POST /v1/me/closing",
}  # fmt: skip
EVENT_TYPES = (
    "account.updated", "charge.dispute.created", "checkout.session.completed", "payment_intent.succeeded",
    "payout.failed", "refund.failed",
)  # fmt: skip
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
# What Stripe's webhooks look like, of which the description of our API says nothing: they aren't ours.
SAID = {
    "type": "object", "required": ["id", "type", "created", "data"],
    "properties": {
        "id": NAME,
        "type": {"anyOf": [{"enum": list(EVENT_TYPES)}, NAME]},
        "created": {"type": "integer"},
        "data": {
            "type": "object", "required": ["object"],
            "properties": {
                "object": {
                    "type": "object",
                    "properties": {
                        "id": {**NAME, "minLength": 0, "pattern": "^[!-~]*$"},
                        "payment_intent": {"type": ["string", "null"]},
                        "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
                    },
                }
            },
        },
    },
}  # fmt: skip
EVENT = {
    "id": "evt_fuzz", "type": "payment_intent.succeeded", "created": 1_767_225_600,
    "data": {"object": {"id": "pi_fuzz", "metadata": {}}},
}  # fmt: skip


class Fuzzing:
    """The wallet that is fuzzed, and what came of it."""

    def __init__(self, *, address: str, data_dir: Path, database_url: str, stripe: str, secret: str) -> None:
        self.secret = secret
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.examples: dict[str, Any] = {}  # of each route: None where it takes no body
        self.lost: list[str] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._stack = contextlib.AsyncExitStack()
        self.asking = self.wait(self._begin(address, data_dir, database_url, stripe))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what is needed to ask. Schemathesis has threads of its own, and they ask one after the other."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    async def _begin(self, address: str, data_dir: Path, database_url: str, stripe: str) -> Asking:
        world = await self._stack.enter_async_context(open_far_world(address, data_dir, database_url=database_url))
        return await Asking.begin(world, FarStripe(stripe) if stripe else None)

    def end(self, report: Path) -> None:
        """Leave what was counted behind."""
        self.wait(self._stack.aclose())
        counted = [[route, status, count] for (route, status), count in self.statuses.items()]
        report.write_text(json.dumps({"routes": [*self.examples], "statuses": counted, "lost": self.lost}))


def begin() -> Fuzzing:
    """Look at the wallet that the environment names."""
    told = {name: os.environ[f"FUZZ_{name.upper()}"] for name in ("address", "data_dir", "database_url", "stripe")}
    begun = Fuzzing(**{**told, "data_dir": Path(told["data_dir"])}, secret=os.environ["FUZZ_SECRET"])  # type: ignore[arg-type]
    atexit.register(begun.end, Path(os.environ["FUZZ_REPORT"]))
    return begun


fuzzing = begin()


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Marks a request as one of who asks; which session that is, is seen when it is sent."""

    def get(self, case: Any, context: Any) -> str:
        """Whoever it is."""
        return PLACEHOLDER

    def set(self, case: Any, data: str, context: Any) -> None:
        """An operator's session is a cookie, a person's is not."""
        if case.path.startswith(BELOW_OPERATOR):
            case.cookies = {**(case.cookies or {}), OPERATOR_COOKIE: data}
        else:
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: Any) -> None:
    """Say what the description leaves out."""
    raw_schema["components"]["securitySchemes"]["operator"]["name"] = OPERATOR_COOKIE  # its name without TLS
    webhook = raw_schema["paths"][WEBHOOK]["post"]
    webhook["requestBody"] = {
        "required": True, "content": {JSON: {"schema": SAID, "example": EVENT}},
    }  # fmt: skip
    webhook["parameters"] = [{"name": SIGNATURE, "in": "header", "required": True, "schema": {"type": "string"}}]
    for path, methods in raw_schema["paths"].items():
        for method, described in methods.items():
            body = described.get("requestBody", {}).get("content", {}).get(JSON, {})
            fuzzing.examples[f"{method.upper()} {path}"] = body.get("example")
            if "coverage" not in os.environ["FUZZ_ARGUMENTS"]:
                # Nothing else needs it there, and Schemathesis draws what an example leaves out, which takes seconds.
                body.pop("example", None)


@schemathesis.hook
def before_add_examples(context: Any, examples: list[Any]) -> None:
    """Ask each route what works, also one whose description has no example."""
    if examples:
        return
    operation = context.operation
    ids = {each.name: str(uuid4()) for each in operation.path_parameters}
    headers = {"Idempotency-Key": str(uuid4())} if operation.headers.get("Idempotency-Key") else {}
    body = copy.deepcopy(fuzzing.examples[operation.label])
    sent = {} if body is None else {"body": body, "media_type": JSON}
    case = operation.Case(path_parameters=ids, headers=headers, **sent)
    set_on_case(case, AuthContext(operation=operation, app=None), None)
    examples.append(case)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Let a request be one that can get further than the door."""
    way = way_of(case)
    asking = fuzzing.asking
    if "step_up_required" in json.dumps(case.operation.definition.raw.get("responses", {}).get("403", {})):
        fuzzing.wait(asking.prove())
    fill_in(case, way)
    case.headers.update({"x-forwarded-for": asking.address, "tikiwallet-device": DEVICE})
    case.headers.update(PAGE if case.path.startswith(BELOW_OPERATOR) else {})
    if case.headers.get("Authorization") == f"Bearer {PLACEHOLDER}":
        case.headers["Authorization"] = f"Bearer {asking.owner.token}"
    if (case.cookies or {}).get(OPERATOR_COOKIE) == PLACEHOLDER:
        case.cookies[OPERATOR_COOKIE] = asking.operator.token
    if case.path == WEBHOOK:
        kwargs["data"] = content = content_of(case.body)
        if way != AS_MADE_UP and fits(case, ParameterLocation.HEADER):
            case.headers[SIGNATURE] = signature(content, secrets=[fuzzing.secret], at=int(time.time()))


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Count, and let somebody else ask if this one can't any more."""
    route, status, asking = case.operation.label, response.status_code, fuzzing.asking
    if case.method.upper() != case.operation.method.upper():
        return  # a method that no route has
    fuzzing.statuses[route, status] += 1
    if status != 400:
        asking.used(route)
    if status == 401 and has_session(case) and b"session_invalid" in response.content:
        fuzzing.lost.append(f"{route} {case.path_parameters}")
        fuzzing.wait(asking.renew())
        fuzzing.wait(asking.sign_in_operator())
    if status == 429 or (200 <= status < 300 and uses_up(case, route)):
        fuzzing.wait(asking.renew())
    if 200 <= status < 300 and route == "DELETE /v1/operator/sessions/current":
        fuzzing.wait(asking.sign_in_operator())


def content_of(body: Any) -> bytes:
    """A body as it is sent; some are made up as bytes that are no JSON."""
    if isinstance(body, NotSet):
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def has_session(case: Any) -> bool:
    """Whether a living session was sent to where one is needed."""
    asking = fuzzing.asking
    return bool(case.operation.definition.raw["security"]) and (
        case.headers.get("Authorization") == f"Bearer {asking.owner.token}"
        or (case.cookies or {}).get(OPERATOR_COOKIE) == asking.operator.token
    )


def uses_up(case: Any, route: str) -> bool:
    """Whether a request that succeeded leaves who asks without a session, or without a wallet that works."""
    owner_id = str(fuzzing.asking.owner.person_id)
    return route in USE_UP_WHO_ASKS or owner_id in (case.path_parameters or {}).values()


def way_of(case: Any) -> int:
    """How much of a request is filled in."""
    phase = case.meta.phase.name.value if case.meta else "examples"
    if phase == "examples":
        return AS_IT_WORKS
    if phase == "coverage":
        return ABOUT_WHAT_IS  # each tries one place of the body, or of the path
    if phase == "stateful" and case.path_parameters:
        return AS_MADE_UP  # what it is about came from the answers before
    return zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 4


def fits(case: Any, location: ParameterLocation) -> bool:
    """Whether a part of a request fits the description."""
    part = case.meta.components.get(location) if case.meta else None  # of our own examples nothing is told
    return part is None or part.mode.is_positive


def fill_in(case: Any, way: int) -> None:
    """Put things that exist into what fits the description."""
    if way == AS_MADE_UP or (way == ABOUT_WHAT_IS and not case.path_parameters):
        return
    call = fuzzing.wait(fuzzing.asking.call(case.operation.label))
    if fits(case, ParameterLocation.PATH):
        case.path_parameters = {
            name: call.ids.get(name, value) for name, value in (case.path_parameters or {}).items()
        }  # fmt: skip
    if way == ABOUT_WHAT_IS:
        return
    if fits(case, ParameterLocation.HEADER) and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())
    if call.query and fits(case, ParameterLocation.QUERY) and way == AS_IT_WORKS:
        case.query = {name: values[0] for name, values in parse_qs(call.query[1:]).items()}
    if isinstance(case.body, dict) and fits(case, ParameterLocation.BODY):
        example = copy.deepcopy(fuzzing.examples[case.operation.label])
        works = call.body(call.ids) if call.body else example
        if case.path == WEBHOOK:
            works = {**example, "id": f"evt_{uuid4().hex}"}  # what came before is kept once, and looked at once
        if way == AS_IT_WORKS:
            case.body = works
        elif case.body and isinstance(works, dict):
            name = sorted(case.body)[zlib.crc32(repr(case.body).encode()) % len(case.body)]
            case.body = {**works, name: case.body[name]}
