"""The routes that keep a session up, end others, and tell what a person should know about who is signed in."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.http import asking, signed_in
from tikiwallet.identity.notices import Notice, NoticeUnknown
from tikiwallet.identity.service import Identity
from tikiwallet.identity.sessions import Session
from tikiwallet.platform import session_cookie
from tikiwallet.platform.http import (
    SessionInvalid,
    SessionMissing,
    caller,
    clock_now,
    idempotency_key,
    no_content,
    read,
    respond,
    route,
)
from tikiwallet.platform.throttle import TooManyRequests


class RefreshOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The refresh token; a browser leaves it out, because it is in a cookie."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=64)] = ""


class NoticesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller should know, newest first."""

    items: list[Notice]


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [refresh, end_others, list_notices, dismiss_notice]


def _identity(request: Request[Any, Any, Any]) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


@route(
    "POST", "/v1/sessions/refresh", summary="Go on with a session", tag="identity", signed_in=False, idempotent=True,
    body=RefreshOrder, answer=Session, status=201, refusals=(SessionMissing, SessionInvalid, TooManyRequests),
    example=RefreshOrder(refresh_token="43-characters-of-base64url-from-the-sign-in"),  # noqa: S106
)  # fmt: skip
async def refresh(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Exchange the refresh token for a fresh access token and the next refresh token.

    The Idempotency-Key is chosen at random for each exchange: if the answer is lost, the same token with the same key
    is answered again. A token that is used a second time in any other way ends the session, everywhere.
    """
    key = idempotency_key(request)
    order = await read(request, RefreshOrder)
    token = order.refresh_token or session_cookie.refresh_token_of(request)
    if not token:
        raise SessionMissing
    return signed_in(
        request, await _identity(request).refreshes.refresh(token, exchange_key=key, now=clock_now(request))
    )


@route("DELETE", "/v1/sessions/others", summary="End all other sessions", tag="identity", status=204)
async def end_others(request: Request[Any, Any, Any]) -> Response[None]:
    """End every session of the caller but this one: whoever uses them is out at the next request."""
    await _identity(request).sessions.end_others(caller(request), by=asking(request), now=clock_now(request))
    return no_content()


@route("GET", "/v1/notices", summary="What should I know about who is signed in?", tag="identity", answer=NoticesAnswer)
async def list_notices(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List what nobody has put away yet; a session isn't told of itself."""
    who = caller(request)
    found = await _identity(request).notices.of_person(
        who.person_id, session_id=who.session_id, now=clock_now(request)
    )  # fmt: skip
    return respond(NoticesAnswer(items=found))


@route(
    "POST", "/v1/notices/{notice_id:uuid}/dismissal", summary="Put a notice away", tag="identity", status=204,
    refusals=(NoticeUnknown,),
)  # fmt: skip
async def dismiss_notice(request: Request[Any, Any, Any], notice_id: FromPath[UUID]) -> Response[None]:
    """Put a notice away on every device. Safe to repeat."""
    await _identity(request).notices.dismiss(notice_id, caller(request), now=clock_now(request))
    return no_content()
