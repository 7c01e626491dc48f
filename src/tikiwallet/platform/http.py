"""The edge: strict request bodies and answers; what a refusal looks like is in problems.py.

Litestar's own body decoding takes `"12"` for a number and any content type, so bodies are read only by `read`.
A route is declared with `route`, which also gives `platform/openapi.py` what it needs, so that the published
description can't drift from what is served.
"""

import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler

from tikiwallet.platform import session_cookie
from tikiwallet.platform.errors import Kind, Refused

JSON = "application/json"
KEY_END = re.compile(rb'"\s*:')  # in JSON without a backslash a key ends so, and few other things do
BODY_BYTES_MAX = 1_000_000
PAGE_SIZE_MAX = 100
PAGE_SIZE_DEFAULT = 20
IDEMPOTENCY_KEY_LENGTH_MAX = 128

T = TypeVar("T")


class RequestInvalid(Refused):
    """The request isn't what this address takes; the field at fault is named."""

    code, kind = "request_invalid", Kind.INVALID


class ContentTypeUnsupported(Refused):
    """Send the body as application/json."""

    code, kind = "content_type_unsupported", Kind.INVALID


class BodyTooLarge(Refused):
    """The body is larger than this address takes; send less at once."""

    code, kind = "body_too_large", Kind.TOO_LARGE


class IdempotencyKeyMissing(Refused):
    """Give this payment an Idempotency-Key header, so that asking twice can't pay twice."""

    code, kind = "idempotency_key_missing", Kind.INVALID


class IdempotencyKeyInvalid(Refused):
    """An Idempotency-Key has 1 to 128 visible ASCII characters."""

    code, kind = "idempotency_key_invalid", Kind.INVALID


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used for another request; take a new key for a new payment."""

    code, kind = "idempotency_key_reused", Kind.UNPROCESSABLE


class SessionMissing(Refused):
    """Sign in first."""

    code, kind = "session_missing", Kind.UNAUTHENTICATED


class SessionInvalid(Refused):
    """Your session has ended; sign in again."""

    code, kind = "session_invalid", Kind.UNAUTHENTICATED


class NotFound(Refused):
    """There is nothing at this address."""

    code, kind = "not_found", Kind.MISSING


class MethodNotAllowed(Refused):
    """This address doesn't take that method."""

    code, kind = "method_not_allowed", Kind.INVALID


class Overloaded(Refused):
    """The wallet is busy; nothing has happened, try again in a moment."""

    code, kind = "overloaded", Kind.UNAVAILABLE


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: proven by a session. Tier, state and why it is frozen are in the words of who keeps people."""

    person_id: UUID
    session_id: UUID
    username: str
    phone: str  # E.164
    tier: str
    state: str = "active"
    frozen_because: str = ""
    outgoing_capped_until: datetime | None = None  # only little may leave the wallet until then


Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]
Meanwhile = Callable[[], None] | None
Authenticate = Callable[[str, Meanwhile], Awaitable[Caller]]
Clock = Callable[[], datetime]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the published description says of one route."""

    summary: str
    tag: str
    body: type | None
    answer: type | None
    status: int
    refusals: tuple[type[Refused], ...]
    signed_in: bool
    idempotent: bool
    query: tuple[tuple[str, str], ...]
    example: object = None
    file_type: str = ""
    scheme: str = "session"  # what shows who is asking; one of `openapi.SECURITY_SCHEMES`


def route(
    method: str,
    path: str,
    *,
    summary: str,
    tag: str,
    body: type | None = None,
    answer: type | None = None,
    status: int = 200,
    refusals: Sequence[type[Refused]] = (),
    signed_in: bool = True,
    idempotent: bool = False,
    thin: bool = False,
    early: Callable[[Any], Coroutine[Any, Any, object]] | None = None,
    query: Sequence[tuple[str, str]] = (),
    example: object = None,
    file_type: str = "",
    guard: Guard | None = None,
    scheme: str = "session",
) -> Callable[[Callable[..., Awaitable[Response[Any]]]], HTTPRouteHandler]:
    """Declare a route.

    `signed_in` demands a session; `idempotent` says that the handler calls `idempotency_key`;
    `thin` lets `platform/thin.py` serve it, for what is asked all day; then the handler takes the request alone, and
    may have a first part, `early` (see `thin.begun`).
    `file_type` is the media type of an answer that is a file (`respond_file`) instead of JSON;
    `query` holds (name, description) pairs; `example` is a body that works, shown in the description.
    `guard` finds out who is asking instead of `require_session`, by what the `scheme` of the description says.
    """
    operation = Operation(
        summary=summary, tag=tag, body=body, answer=answer, status=status, refusals=tuple(refusals),
        signed_in=signed_in, idempotent=idempotent, query=tuple(query), example=example,
        file_type=file_type, scheme=scheme,
    )  # fmt: skip
    return HTTPRouteHandler(
        path,
        http_method=method,  # type: ignore[arg-type]
        status_code=status,
        guards=[guard or _require_session] if signed_in else None,
        opt={"operation": operation, "thin": thin, "early": early},
    )


async def _require_session(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    await require_session(connection)


async def require_session(connection: ASGIConnection[Any, Any, Any, Any], meanwhile: Meanwhile = None) -> None:
    """Find out who is asking, or refuse: `SessionMissing`, `SessionInvalid`. `meanwhile`: `Sessions.authenticate`."""
    scheme, _space, token = connection.headers.get("authorization", "").partition(" ")
    if not scheme:
        token = session_cookie.token_of(connection)
    elif scheme.lower() != "bearer":
        token = ""
    if not token:
        raise SessionMissing
    authenticate: Authenticate = connection.app.state.authenticate
    connection.state.caller = await authenticate(token, meanwhile)


def caller(request: Request[Any, Any, Any]) -> Caller:
    """Return who is asking. Only for routes declared with `signed_in` (the default)."""
    found: Caller = request.state.caller
    return found


def utc_now() -> datetime:
    """Return the clock of this process: the default of `app.state.clock`. Handlers call `clock_now`."""
    return datetime.now(UTC)


def clock_now(request: ASGIConnection[Any, Any, Any, Any]) -> datetime:
    """Return the time by the application's clock (UTC), which tests move. Use cases take `now` as an argument."""
    clock: Clock = request.app.state.clock
    return clock()


async def read(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """Decode the body into `kind` (a frozen struct that forbids unknown fields), or refuse.

    Refusals: `ContentTypeUnsupported`, `BodyTooLarge`, `RequestInvalid` (wrong JSON, wrong or unknown field, a key
    twice, a NUL character).
    """
    content_type = request.headers.get("content-type", "")
    if content_type != JSON and content_type.split(";")[0].strip().lower() != JSON:
        raise ContentTypeUnsupported
    try:
        raw = await request.body()
    except InternalServerException as error:  # the framework's word for a client that left; nobody will read this
        raise RequestInvalid("The request ended before its body did.") from error
    try:
        # The struct decoder is strict about types, but keeps the last of two equal keys.
        if not _has_each_key_once(raw):
            json.loads(raw, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        if b"\\u0000" in raw:
            raise RequestInvalid("The body holds a NUL character.")
        return msgspec.json.decode(raw, type=kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise RequestInvalid(message, field=path.rstrip("`").lstrip(".")) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RequestInvalid("The body isn't valid JSON, or a key stands in it twice.") from error


def _has_each_key_once(raw: bytes) -> bool:
    """Return whether a glance is enough: nothing is escaped, and no key stands anywhere twice."""
    if b"\\" in raw:
        return False
    ends = [end.start() for end in KEY_END.finditer(raw)]
    keys = {raw[raw.rfind(b'"', 0, end) + 1 : end] for end in ends}
    return len(keys) == len(ends)


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)


def idempotency_key(request: Request[Any, Any, Any]) -> str:
    """Return the Idempotency-Key header. Refusals: `IdempotencyKeyMissing`, `IdempotencyKeyInvalid`."""
    key = request.headers.get("idempotency-key")
    if key is None:
        raise IdempotencyKeyMissing
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH_MAX or not all("!" <= c <= "~" for c in key):
        raise IdempotencyKeyInvalid
    return key


def respond(content: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return `content` (a struct, or a list of them) as JSON that no cache keeps."""
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store", **(headers or {})},
    )


def respond_file(content: bytes, *, media_type: str, name: str) -> Response[bytes]:
    """Return a file to be saved under a name; no cache keeps it, and no browser shows it as a page of ours."""
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response(content, media_type=media_type, headers=headers)


def no_content() -> Response[None]:
    """Return 204: done, and nothing to say."""
    return Response(None, status_code=204, headers={"cache-control": "no-store"})
