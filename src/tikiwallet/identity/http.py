"""The routes of the identity context: sign up, sign in, sign out, who am I, who is that."""

from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.closing import Closing, ClosingIsFinal
from tikiwallet.identity.codes import (
    DIGITS,
    CodeAttemptsUsedUp,
    CodeExpired,
    CodeSendsUsedUp,
    CodeUsed,
    CodeWrong,
    make_code,
)
from tikiwallet.identity.export import Export
from tikiwallet.identity.keys import Jwks
from tikiwallet.identity.known_devices import make_device_secret, read_device_secret
from tikiwallet.identity.operators import PersonUnknown
from tikiwallet.identity.passwords import PasswordRefused
from tikiwallet.identity.phones import PhoneCountryRefused, PhoneInvalid
from tikiwallet.identity.proofs import ProofWrong
from tikiwallet.identity.refresh import make_refresh_token
from tikiwallet.identity.registration import (
    NewRegistration,
    PhoneTaken,
    RegistrationStarted,
    RegistrationUnknown,
    UsernameInvalid,
    UsernameTaken,
)
from tikiwallet.identity.second_proof import SecondProof, SecondProofRequired
from tikiwallet.identity.service import Identity
from tikiwallet.identity.session_labels import label_of
from tikiwallet.identity.sessions import (
    AccountClosed,
    CredentialsWrong,
    NewSession,
    OpenSession,
    Session,
    SessionUnknown,
)
from tikiwallet.identity.sms import SmsUnavailable
from tikiwallet.identity.sms_budget import SmsPaused
from tikiwallet.identity.types import GuardedAct, Person, PersonFrozen, PersonId, PublicPerson, StepUpRequired
from tikiwallet.platform import session_cookie
from tikiwallet.platform.audit import By
from tikiwallet.platform.config import Settings
from tikiwallet.platform.http import (
    RequestInvalid,
    caller,
    clock_now,
    no_content,
    read,
    respond,
    route,
)
from tikiwallet.platform.throttle import TooManyRequests, client_address

KEYS_CACHED_SECONDS = 300

Phone = Annotated[str, msgspec.Meta(max_length=32, description="E.164, or local for the wallet's own country")]
Username = Annotated[str, msgspec.Meta(max_length=30, description="letters, digits and underscores")]
Password = Annotated[str, msgspec.Meta(max_length=1024)]
# The length too: in Python's patterns, $ also matches before a newline at the end.
Code = Annotated[str, msgspec.Meta(min_length=DIGITS, max_length=DIGITS, pattern=f"^[0-9]{{{DIGITS}}}$")]


class RegistrationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person gives to sign up."""

    phone: Phone
    username: Username
    password: Password


class VerificationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code from the text message."""

    code: Code


class SessionOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person gives to sign in."""

    phone: Phone
    password: Password
    proof: SecondProof | None = None  # only on a device where this person hasn't signed in before


class SessionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is signed in, newest first."""

    items: list[OpenSession]


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [
        look_at_closing, begin_closing, keep_wallet, export,
        register, send_fresh_code, verify, sign_in, sign_out, list_sessions, end_session, me, find_person, public_keys,
    ]  # fmt: skip


def _identity(request: Request[Any, Any, Any]) -> Identity:
    identity: Identity = request.app.state.identity
    return identity


def signed_in(request: Request[Any, Any, Any], session: Session, *, device: str = "") -> Response[bytes]:
    """Answer a session that was opened or refreshed; a browser finds its secrets in cookies instead."""
    if not session_cookie.is_browser(request):
        return respond(session, status=201)
    answer = respond(msgspec.structs.replace(session, token="", refresh_token=""), status=201)
    now = clock_now(request)
    session_cookie.keep_token(request, answer, session.token, until=session.token_expires_at, now=now)
    session_cookie.keep_refresh_token(request, answer, session.refresh_token, until=session.expires_at, now=now)
    if device:
        session_cookie.keep_device(request, answer, device)
    return answer


def new_session(request: Request[Any, Any, Any]) -> NewSession:
    """Return what a session needs from the edge. A browser that has no secret yet gets one with the answer."""
    device = read_device_secret(session_cookie.device_of(request))
    if not device and session_cookie.is_browser(request):
        device = make_device_secret()
    return NewSession(
        session_id=uuid4(), refresh_token=make_refresh_token(), label=label_in(request), device=device,
        address=address_of(request),
    )  # fmt: skip


def address_of(request: Request[Any, Any, Any]) -> str:
    """Return whose tries these are: the peer, or whom a proxy of ours says it speaks for."""
    settings: Settings = request.app.state.settings
    return client_address(
        request.client.host if request.client else "",
        forwarded_for=",".join(request.headers.getall("x-forwarded-for", [])),
        trusted=settings.trusted_proxies,
    )


def label_in(request: Request[Any, Any, Any]) -> str:
    """Return what asks in short, for the list of sessions."""
    return label_of(request.headers.get("user-agent", ""))


def asking(request: Request[Any, Any, Any]) -> By:
    """Return who is asking, and from where, for the audit log."""
    who = caller(request)
    return By.person(who.person_id, address=address_of(request), session_id=who.session_id, label=label_in(request))


@route(
    "POST", "/v1/registrations", summary="Sign up: receive a code by text message", tag="identity", signed_in=False,
    body=RegistrationOrder, answer=RegistrationStarted, status=202,
    refusals=(
        PhoneInvalid, PhoneCountryRefused, UsernameInvalid, UsernameTaken, PasswordRefused, SmsPaused,
        SmsUnavailable, TooManyRequests,
    ),
    example=RegistrationOrder(phone="+6591234567", username="asha", password="seven green umbrellas"),  # noqa: S106
)  # fmt: skip
async def register(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Begin a sign-up. The answer is the same whether or not the phone has a wallet already."""
    order = await read(request, RegistrationOrder)
    await _identity(request).throttling.sign_up(address=address_of(request), now=clock_now(request))
    started = await _identity(request).registrations.register(
        NewRegistration(uuid4(), PersonId(uuid4()), make_code()),
        phone=order.phone, username=order.username, password=order.password, now=clock_now(request),
    )  # fmt: skip
    return respond(started, status=202)


@route(
    "POST", "/v1/registrations/{registration_id:uuid}/code", summary="Receive a fresh code", tag="identity",
    signed_in=False, answer=RegistrationStarted, status=202,
    refusals=(
        RegistrationUnknown, CodeUsed, CodeAttemptsUsedUp, CodeSendsUsedUp, SmsPaused, SmsUnavailable,
        TooManyRequests,
    ),
)  # fmt: skip
async def send_fresh_code(request: Request[Any, Any, Any], registration_id: FromPath[UUID]) -> Response[bytes]:
    """Send a fresh code; the one before stops working and wrong tries stay counted."""
    await _identity(request).throttling.code(address=address_of(request), now=clock_now(request))
    started = await _identity(request).registrations.send_fresh_code(
        registration_id, code=make_code(), now=clock_now(request)
    )
    return respond(started, status=202)


@route(
    "POST", "/v1/registrations/{registration_id:uuid}/verification", summary="Prove the phone and open the wallet",
    tag="identity", signed_in=False, body=VerificationOrder, answer=Session, status=201,
    refusals=(
        RegistrationUnknown, CodeWrong, CodeExpired, CodeUsed, CodeAttemptsUsedUp, PhoneTaken, UsernameTaken,
        TooManyRequests,
    ),
    example=VerificationOrder(code="123456"),
)  # fmt: skip
async def verify(request: Request[Any, Any, Any], registration_id: FromPath[UUID]) -> Response[bytes]:
    """Make the person, with a wallet, and sign them in."""
    order = await read(request, VerificationOrder)
    await _identity(request).throttling.code(address=address_of(request), now=clock_now(request))
    new = new_session(request)
    session = await _identity(request).registrations.verify(
        registration_id, new, code=order.code, now=clock_now(request)
    )  # fmt: skip
    return signed_in(request, session, device=new.device)


@route(
    "POST", "/v1/sessions", summary="Sign in", tag="identity", signed_in=False, body=SessionOrder, answer=Session,
    status=201,
    refusals=(
        CredentialsWrong, AccountClosed, SecondProofRequired, ProofWrong, CodeWrong, CodeExpired, CodeUsed,
        CodeAttemptsUsedUp, TooManyRequests,
    ),
    example=SessionOrder(phone="+6591234567", password="seven green umbrellas"),  # noqa: S106
)  # fmt: skip
async def sign_in(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Open a session of at most six hours. On a device that wasn't seen before it takes a second proof."""
    order = await read(request, SessionOrder)
    await _identity(request).throttling.sign_in(
        phone=order.phone, address=address_of(request), now=clock_now(request)
    )  # fmt: skip
    new = new_session(request)
    session = await _identity(request).sessions.sign_in(
        new, phone=order.phone, password=order.password, second=order.proof, now=clock_now(request)
    )
    return signed_in(request, session, device=new.device)


@route("DELETE", "/v1/sessions/current", summary="Sign out", tag="identity", status=204)
async def sign_out(request: Request[Any, Any, Any]) -> Response[None]:
    """End this session at once, everywhere."""
    await _identity(request).sessions.sign_out(caller(request), by=asking(request), now=clock_now(request))
    answer = no_content()
    if session_cookie.is_browser(request):
        session_cookie.forget(request, answer)
    return answer


@route("GET", "/v1/sessions", summary="Where am I signed in?", tag="identity", answer=SessionsAnswer)
async def list_sessions(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List the caller's sessions that haven't ended, newest first."""
    who = caller(request)
    found = await _identity(request).sessions.of_person(
        PersonId(who.person_id), current=who.session_id, now=clock_now(request)
    )
    return respond(SessionsAnswer(items=found))


@route(
    "DELETE", "/v1/sessions/{session_id:uuid}", summary="End a session", tag="identity", status=204,
    refusals=(SessionUnknown,),
)  # fmt: skip
async def end_session(request: Request[Any, Any, Any], session_id: FromPath[UUID]) -> Response[None]:
    """End one of the caller's sessions: whoever uses it is out at the next request."""
    await _identity(request).sessions.end(session_id, caller(request), by=asking(request), now=clock_now(request))
    return no_content()


@route("GET", "/v1/me", summary="Who am I?", tag="identity", answer=Person)
async def me(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show a person their own name, phone number and tier."""
    person = await _identity(request).people.person(PersonId(caller(request).person_id))
    assert person is not None  # a session belongs to a person, by a foreign key, and people aren't deleted
    return respond(person)


@route("GET", "/v1/me/closing", summary="What is in the way of closing my wallet?", tag="identity", answer=Closing)
async def look_at_closing(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show what has to be gone before the wallet can close; nothing changes."""
    closings = _identity(request).closings
    return respond(await closings.look(PersonId(caller(request).person_id), now=clock_now(request)))


@route(
    "POST", "/v1/me/closing", summary="Close my wallet", tag="identity", answer=Closing, refusals=(PersonFrozen,),
)  # fmt: skip
async def begin_closing(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Close the wallet, or begin to and say what is in the way: nothing new comes in from then on. Safe to repeat."""
    closings = _identity(request).closings
    found = await closings.begin(PersonId(caller(request).person_id), by=asking(request), now=clock_now(request))
    return respond(found)


@route(
    "DELETE", "/v1/me/closing", summary="Keep my wallet after all", tag="identity", answer=Closing,
    refusals=(ClosingIsFinal, PersonFrozen),
)  # fmt: skip
async def keep_wallet(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Go back to an active wallet, as long as it isn't being closed for good."""
    closings = _identity(request).closings
    found = await closings.keep(PersonId(caller(request).person_id), by=asking(request), now=clock_now(request))
    return respond(found)


@route(
    "GET", "/v1/me/export", summary="Everything you hold of me", tag="identity", answer=Export,
    refusals=(StepUpRequired,),
)  # fmt: skip
async def export(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer everything that is held of the caller, as one JSON document to keep. Needs a fresh proof."""
    await _identity(request).step_up.require(caller(request), GuardedAct.EXPORT, now=clock_now(request))
    exports = _identity(request).exports
    found = await exports.export(PersonId(caller(request).person_id), by=asking(request), now=clock_now(request))
    return respond(found, headers={"content-disposition": 'attachment; filename="tikiwallet-export.json"'})


@route(
    "GET", "/v1/people", summary="Find a person by phone number or username", tag="identity", answer=PublicPerson,
    refusals=(PersonUnknown,),
    query=(("phone", "E.164 (write + as %2B), or local for the wallet's own country"), ("username", "in any case")),
)  # fmt: skip
async def find_person(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Show whom one is about to pay. Give `phone` or `username`, not both."""
    phone, username = (request.query_params.get(name, "") for name in ("phone", "username"))
    if bool(phone) == bool(username):
        raise RequestInvalid("Give either phone or username.")
    person = await _identity(request).people.find(phone=phone, username=username)
    if person is None:
        raise PersonUnknown
    return respond(person)


@route(
    "GET", "/.well-known/jwks.json", summary="The public keys of session tokens", tag="identity", answer=Jwks,
    signed_in=False,
)  # fmt: skip
async def public_keys(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Publish the keys, so that another service can verify our tokens without asking us."""
    published = await _identity(request).keys.published(now=clock_now(request))
    return respond(published, headers={"cache-control": f"public, max-age={KEYS_CACHED_SECONDS}"})
