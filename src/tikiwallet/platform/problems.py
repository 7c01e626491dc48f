"""The only code that writes a problem document (RFC 9457): what a refusal, and what a bug, looks like on the wire."""

import secrets
from typing import Any, ClassVar

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from tikiwallet.platform.errors import Kind, PassedLimit, Refused
from tikiwallet.platform.http import BodyTooLarge, Caller, MethodNotAllowed, NotFound, RequestInvalid

STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.UNPROCESSABLE: 422,
    Kind.TOO_LARGE: 413,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}

# Refusals that are written down: guessing, flooding, and reaching for what isn't one's own.
WATCHED = frozenset({Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.TOO_MANY})
LOGGED_HEADER_LENGTH_MAX = 200

log = structlog.get_logger()


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document (RFC 9457). `code` is stable; `detail` is a sentence for the person.

    `methods` are ways on; `passed` is there when a limit stood in the way.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str = ""
    incident_id: str = ""
    methods: tuple[str, ...] = ()
    passed: PassedLimit | None = None


def problem(refused: Refused, *, incident_id: str = "", status: int | None = None) -> Response[bytes]:
    """Return a refusal as a problem document (RFC 9457), with Retry-After when trying again can help."""
    status = status or STATUS[refused.kind]
    document = Problem(
        type=f"urn:tikiwallet:problem:{refused.code}",
        title=refused.sentence(),
        status=status,
        code=refused.code,
        detail=refused.detail,
        field=refused.field,
        incident_id=incident_id,
        methods=refused.methods,
        passed=refused.passed,
    )
    headers = {"cache-control": "no-store"}
    if refused.retry_after_seconds is not None:
        headers["retry-after"] = str(refused.retry_after_seconds)
    if refused.kind is Kind.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return Response(
        msgspec.json.encode(document), status_code=status, media_type="application/problem+json", headers=headers
    )


class InternalError(Refused):
    """Something went wrong on our side; your money is safe. Try again, and quote the incident if it stays."""

    code: ClassVar[str] = "internal_error"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE


def on_refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    """Answer a refusal (exception handler), with a line in the log if somebody tried what isn't theirs to do.

    Of what is missing only somebody who is signed in is named: it may be another person's thing.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if error.kind in WATCHED or (error.kind is Kind.MISSING and known is not None):
        client = request.scope.get("client")
        log.info(
            "refused",
            refusal=error.code,
            method=request.scope["method"],
            path=request.scope["path"],
            peer=client[0] if client else "",
            forwarded_for=request.headers.get("x-forwarded-for", "")[:LOGGED_HEADER_LENGTH_MAX],
            person_id=str(known.person_id) if known else "",
            session_id=str(known.session_id) if known else "",
        )
    return problem(error)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework itself refuses: unknown address, wrong method, too large, malformed path."""
    if error.status_code >= 500:
        return on_bug(request, error)
    answers: dict[int, Refused] = {404: NotFound(), 405: MethodNotAllowed(), 413: BodyTooLarge()}
    refused = answers.get(error.status_code) or RequestInvalid(error.detail)
    answer = problem(refused, status=error.status_code if error.status_code in answers else None)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "").split(", ")
        answer.headers["allow"] = ", ".join(sorted(set(allowed) - {"OPTIONS"}))  # see `thin.Application`
    return answer


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a bug: a bare 500 with an incident id; the text goes to the log only."""
    incident_id = secrets.token_hex(8)
    log.error("bug", incident_id=incident_id, path=request.scope["path"], exc_info=error)
    return problem(InternalError(), incident_id=incident_id, status=500)
