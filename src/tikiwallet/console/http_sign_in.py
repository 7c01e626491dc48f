"""How operators get in and out: the link that makes a passkey, the passkey that makes a session."""

from typing import Annotated
from uuid import uuid4

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from tikiwallet.console.http import AnyRequest, address_of, asking, browser_of, console, operator, operator_route
from tikiwallet.console.rights import Right, rights_of
from tikiwallet.console.types import Me
from tikiwallet.identity.operator_sessions import (
    SESSION_LIFE,
    EnrolmentChallenge,
    EnrolmentUnknown,
    NewOperatorSession,
    make_token,
)
from tikiwallet.identity.passkeys import (
    Assertion,
    NewPasskey,
    PasskeyChallenge,
    PasskeyChallengeUnknown,
    PasskeyCopied,
    PasskeyRefused,
    PasskeysUnavailable,
    PasskeyTaken,
    make_challenge,
)
from tikiwallet.platform.http import clock_now, no_content, read, respond, route
from tikiwallet.platform.session_cookie import keep_operator_token
from tikiwallet.platform.throttle import TooManyRequests

TOKEN_LENGTH_MAX = 64

Token = Annotated[str, msgspec.Meta(min_length=1, max_length=TOKEN_LENGTH_MAX, pattern="^[A-Za-z0-9_-]+$")]


class LinkOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret of an enrolment link."""

    token: Token


class EnrolmentOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret of an enrolment link, and the passkey that was made for it."""

    token: Token
    passkey: NewPasskey


LINK = LinkOrder(token="AAEC")  # noqa: S106
PASSKEY = NewPasskey(name="key", credential_id="AAEC", client_data="e30", authenticator_data="AAEC")


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the console in `app.state.console`."""
    return [enrolment_challenge, enrol, sign_in_challenge, sign_in, sign_out]


@route(
    "POST", "/v1/operator/enrolments/challenge", summary="Begin to register an operator's passkey", tag="operators",
    signed_in=False, body=LinkOrder, answer=EnrolmentChallenge, status=201,
    refusals=(EnrolmentUnknown, PasskeysUnavailable, TooManyRequests), example=LINK,
)  # fmt: skip
async def enrolment_challenge(request: AnyRequest) -> Response[bytes]:
    """Show what an authenticator is to sign for a link of `tikiwallet operator`."""
    order = await read(request, LinkOrder)
    now = clock_now(request)
    await console(request).throttling.passkey(address=address_of(request), now=now)
    asked = await console(request).sessions.enrolment_challenge(order.token, challenge=make_challenge(), now=now)
    return respond(asked, status=201)


@route(
    "POST", "/v1/operator/enrolments", summary="Register an operator's passkey", tag="operators", signed_in=False,
    body=EnrolmentOrder, status=204,
    refusals=(
        EnrolmentUnknown, PasskeysUnavailable, PasskeyChallengeUnknown, PasskeyRefused, PasskeyTaken, TooManyRequests,
    ),
    example=EnrolmentOrder(token="AAEC", passkey=PASSKEY),  # noqa: S106
)  # fmt: skip
async def enrol(request: AnyRequest) -> Response[None]:
    """Register the passkey; the link is used up with that."""
    order = await read(request, EnrolmentOrder)
    now = clock_now(request)
    await console(request).throttling.passkey(address=address_of(request), now=now)
    await console(request).sessions.enrol(
        order.token, order.passkey, address=address_of(request), label=browser_of(request), now=now
    )
    return no_content()


@route(
    "POST", "/v1/operator/sessions/challenge", summary="Begin to sign in as an operator", tag="operators",
    signed_in=False, answer=PasskeyChallenge, status=201, refusals=(PasskeysUnavailable, TooManyRequests),
)  # fmt: skip
async def sign_in_challenge(request: AnyRequest) -> Response[bytes]:
    """Show what an operator's authenticator is to sign."""
    now = clock_now(request)
    await console(request).throttling.passkey(address=address_of(request), now=now)
    return respond(await console(request).sessions.sign_in_challenge(challenge=make_challenge(), now=now), status=201)


@route(
    "POST", "/v1/operator/sessions", summary="Sign in as an operator", tag="operators", signed_in=False,
    body=Assertion, answer=Me, status=201,
    refusals=(PasskeysUnavailable, PasskeyChallengeUnknown, PasskeyRefused, PasskeyCopied, TooManyRequests),
    example=Assertion(credential_id="AAEC", client_data="e30", authenticator_data="AAEC", signature="AAEC"),
)  # fmt: skip
async def sign_in(request: AnyRequest) -> Response[bytes]:
    """Open a session of at most six hours, which half an hour of doing nothing ends. It is kept by a cookie only."""
    answer = await read(request, Assertion)
    now = clock_now(request)
    await console(request).throttling.passkey(address=address_of(request), now=now)
    new = NewOperatorSession(
        session_id=uuid4(), token=make_token(), label=browser_of(request), address=address_of(request)
    )
    who = await console(request).sessions.sign_in(new, answer, now=now)
    shown = Me(
        operator_id=who.operator_id, name=who.name, roles=who.roles, rights=rights_of(who.roles),
        expires_at=who.expires_at,
    )  # fmt: skip
    response = respond(shown, status=201)
    keep_operator_token(request, response, new.token, life=SESSION_LIFE)
    return response


@operator_route(
    "DELETE", "/v1/operator/sessions/current", right=Right.BE_SIGNED_IN, summary="Sign out as an operator", status=204
)
async def sign_out(request: AnyRequest) -> Response[None]:
    """End this session at once, everywhere."""
    await console(request).sessions.sign_out(operator(request), by=asking(request), now=clock_now(request))
    response = no_content()
    keep_operator_token(request, response, "", life=SESSION_LIFE * 0)
    return response
