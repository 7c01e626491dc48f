"""The routes of signing in that need more than a password: by passkey, and the text message for a new device."""

from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from tikiwallet.identity.codes import make_code
from tikiwallet.identity.http import Password, Phone, address_of, label_in, new_session, signed_in
from tikiwallet.identity.http_proofs import ANSWER, PASSKEY_REFUSALS
from tikiwallet.identity.passkeys import Assertion, PasskeyChallenge, PasskeysUnavailable, Purpose, make_challenge
from tikiwallet.identity.service import Identity
from tikiwallet.identity.sessions import AccountClosed, CredentialsWrong, Session
from tikiwallet.identity.sms import SmsUnavailable
from tikiwallet.identity.sms_budget import SmsPaused
from tikiwallet.identity.text_proofs import TextSent
from tikiwallet.platform.audit import By
from tikiwallet.platform.http import clock_now, read, respond, route
from tikiwallet.platform.throttle import TooManyRequests

AnyRequest = Request[Any, Any, Any]


class TextOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants to sign in on a new device."""

    phone: Phone
    password: Password


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [challenge, sign_in_by_passkey, send_text]


@route(
    "POST", "/v1/sessions/challenge", summary="What a passkey is to sign to sign in", tag="identity", signed_in=False,
    answer=PasskeyChallenge, status=201, refusals=(PasskeysUnavailable, TooManyRequests),
)  # fmt: skip
async def challenge(request: AnyRequest) -> Response[bytes]:
    """Make a challenge, to be answered within five minutes by any passkey of this wallet."""
    await _identity(request).throttling.passkey(address=address_of(request), now=clock_now(request))
    made = await _identity(request).passkeys.challenge(
        Purpose.SIGN_IN, None, challenge=make_challenge(), now=clock_now(request)
    )
    return respond(made, status=201)


@route(
    "POST", "/v1/sessions/passkey", summary="Sign in by passkey", tag="identity", signed_in=False, body=Assertion,
    answer=Session, status=201, refusals=(*PASSKEY_REFUSALS, AccountClosed, TooManyRequests), example=ANSWER,
)  # fmt: skip
async def sign_in_by_passkey(request: AnyRequest) -> Response[bytes]:
    """Open a session for whose passkey signed the challenge: two factors at once, so also on a new device."""
    answer = await read(request, Assertion)
    await _identity(request).throttling.passkey(address=address_of(request), now=clock_now(request))
    person_id = await _identity(request).passkeys.recognise(answer, Purpose.SIGN_IN, None, now=clock_now(request))
    new = new_session(request)
    session = await _identity(request).sessions.sign_in_by_passkey(new, person_id, now=clock_now(request))
    return signed_in(request, session, device=new.device)


@route(
    "POST", "/v1/sessions/text-message", summary="Receive a code to sign in on a new device", tag="identity",
    signed_in=False, body=TextOrder, answer=TextSent, status=202,
    refusals=(CredentialsWrong, AccountClosed, SmsPaused, SmsUnavailable, TooManyRequests),
    example=TextOrder(phone="+6591234567", password="seven green umbrellas"),  # noqa: S106
)  # fmt: skip
async def send_text(request: AnyRequest) -> Response[bytes]:
    """Send a code to the phone of whoever knows its password."""
    order, now = await read(request, TextOrder), clock_now(request)
    await _identity(request).throttling.sign_in(phone=order.phone, address=address_of(request), now=now)
    by = By.nobody(address=address_of(request), label=label_in(request))
    person = await _identity(request).sessions.who_knows(phone=order.phone, password=order.password, by=by, now=now)
    sent = await _identity(request).second_proofs.send_text(person, request_id=uuid4(), code=make_code(), now=now)
    return respond(sent, status=202)


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.app.state.identity
    return found
