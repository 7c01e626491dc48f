"""The routes by which a password or a phone number changes: with the old one, without it, and how to take it back."""

from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.codes import (
    CodeAttemptsUsedUp,
    CodeExpired,
    CodeSendsUsedUp,
    CodeUsed,
    CodeWrong,
    make_code,
)
from tikiwallet.identity.http import Code, Password, Phone, address_of, asking, label_in
from tikiwallet.identity.password_resets import NewReset, ResetProven, ResetStarted, ResetUnknown
from tikiwallet.identity.passwords import PasswordRefused
from tikiwallet.identity.phone_changes import (
    NewPhoneChange,
    PhoneChangeProven,
    PhoneChangeStarted,
    PhoneChangeUnknown,
    PhoneUnchanged,
)
from tikiwallet.identity.phones import PhoneCountryRefused, PhoneInvalid
from tikiwallet.identity.proofs import ProofWrong
from tikiwallet.identity.registration import PhoneTaken
from tikiwallet.identity.service import Identity
from tikiwallet.identity.sms import SmsUnavailable
from tikiwallet.identity.sms_budget import SmsPaused
from tikiwallet.identity.types import StepUpRequired
from tikiwallet.identity.waiting_changes import NothingWaits, Protection
from tikiwallet.platform.audit import By
from tikiwallet.platform.http import caller, clock_now, no_content, read, respond, route
from tikiwallet.platform.throttle import TooManyRequests

AnyRequest = Request[Any, Any, Any]

CODES = (CodeWrong, CodeExpired, CodeUsed, CodeAttemptsUsedUp, TooManyRequests)
TEXTS = (SmsPaused, SmsUnavailable, TooManyRequests)
NO_OR_CODE = Annotated[str, msgspec.Meta(pattern="^([0-9]{6})?$", max_length=6)]


class ResetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose password is lost."""

    phone: Phone


class ResetProofOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code from the text message, and the new password."""

    code: Code
    password: Password


class PasswordOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password beside the old one; "" counts after a fresh proof by passkey."""

    old_password: Password
    new_password: Password


class PhoneOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new phone number."""

    phone: Phone


class PhoneProofOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code on the new phone, and the one on the old phone, "" if that isn't at hand."""

    new_code: Code
    old_code: NO_OR_CODE = ""


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [
        begin_reset, send_fresh_reset_code, prove_reset, change_password, begin_phone_change, prove_phone_change,
        show_protection, cancel_password, cancel_phone,
    ]  # fmt: skip


@route(
    "POST", "/v1/password-resets", summary="I forgot my password: receive a code", tag="identity", signed_in=False,
    body=ResetOrder, answer=ResetStarted, status=202, refusals=(PhoneInvalid, PhoneCountryRefused, *TEXTS),
    example=ResetOrder(phone="+6591234567"),
)  # fmt: skip
async def begin_reset(request: AnyRequest) -> Response[bytes]:
    """Begin a new password. The answer is the same whether or not the phone has a wallet."""
    order, now = await read(request, ResetOrder), clock_now(request)
    await _identity(request).throttling.sign_up(address=address_of(request), now=now)
    new = NewReset(uuid4(), make_code())
    return respond(await _identity(request).password_resets.begin(new, phone=order.phone, now=now), status=202)


@route(
    "POST", "/v1/password-resets/{reset_id:uuid}/code", summary="Receive a fresh code for a new password",
    tag="identity", signed_in=False, answer=ResetStarted, status=202,
    refusals=(ResetUnknown, CodeUsed, CodeAttemptsUsedUp, CodeSendsUsedUp, *TEXTS),
)  # fmt: skip
async def send_fresh_reset_code(request: AnyRequest, reset_id: FromPath[UUID]) -> Response[bytes]:
    """Send a fresh code; the one before stops working and wrong tries stay counted."""
    now = clock_now(request)
    await _identity(request).throttling.code(address=address_of(request), now=now)
    resets = _identity(request).password_resets
    return respond(await resets.send_fresh_code(reset_id, code=make_code(), now=now), status=202)


@route(
    "POST", "/v1/password-resets/{reset_id:uuid}/verification", summary="Prove the phone and choose a password",
    tag="identity", signed_in=False, body=ResetProofOrder, answer=ResetProven,
    refusals=(ResetUnknown, PasswordRefused, *CODES),
    example=ResetProofOrder(code="123456", password="nine blue kettles"),  # noqa: S106
)  # fmt: skip
async def prove_reset(request: AnyRequest, reset_id: FromPath[UUID]) -> Response[bytes]:
    """Let the new password wait for its time; the old one works until then, and can cancel it."""
    order, now = await read(request, ResetProofOrder), clock_now(request)
    await _identity(request).throttling.code(address=address_of(request), now=now)
    resets = _identity(request).password_resets
    by = By.nobody(address=address_of(request), label=label_in(request))
    return respond(await resets.prove(reset_id, code=order.code, password=order.password, by=by, now=now))


@route(
    "POST", "/v1/me/password", summary="Change my password", tag="identity", body=PasswordOrder, status=204,
    refusals=(ProofWrong, PasswordRefused, TooManyRequests),
    example=PasswordOrder(old_password="seven green umbrellas", new_password="nine blue kettles"),  # noqa: S106
)  # fmt: skip
async def change_password(request: AnyRequest) -> Response[None]:
    """Change it at once and end every other session."""
    order = await read(request, PasswordOrder)
    await _identity(request).password_changes.change(
        caller(request),
        old_password=order.old_password,
        new_password=order.new_password,
        by=asking(request),
        now=clock_now(request),
    )
    return no_content()


@route(
    "POST", "/v1/me/phone-changes", summary="Move to another phone number", tag="identity", body=PhoneOrder,
    answer=PhoneChangeStarted, status=202,
    refusals=(StepUpRequired, PhoneInvalid, PhoneCountryRefused, PhoneUnchanged, *TEXTS),
    example=PhoneOrder(phone="+6591234568"),
)  # fmt: skip
async def begin_phone_change(request: AnyRequest) -> Response[bytes]:
    """Send a code to the new phone and one to the old."""
    order = await read(request, PhoneOrder)
    new = NewPhoneChange(uuid4(), make_code(), make_code())
    changes = _identity(request).phone_changes
    started = await changes.begin(new, caller(request), phone=order.phone, now=clock_now(request))
    return respond(started, status=202)


@route(
    "POST", "/v1/me/phone-changes/{change_id:uuid}/verification", summary="Prove the new phone number",
    tag="identity", body=PhoneProofOrder, answer=PhoneChangeProven,
    refusals=(PhoneChangeUnknown, PhoneTaken, *CODES), example=PhoneProofOrder(new_code="123456", old_code="654321"),
)  # fmt: skip
async def prove_phone_change(request: AnyRequest, change_id: FromPath[UUID]) -> Response[bytes]:
    """Move at once with both codes; with the new one alone after a waiting time, in which it can be cancelled."""
    order, now = await read(request, PhoneProofOrder), clock_now(request)
    await _identity(request).throttling.code(address=address_of(request), now=now)
    proven = await _identity(request).phone_changes.prove(
        change_id, caller(request), new_code=order.new_code, old_code=order.old_code, by=asking(request), now=now
    )
    return respond(proven)


@route(
    "GET", "/v1/me/protection", summary="What is about to change about how I sign in?", tag="identity",
    answer=Protection,
)  # fmt: skip
async def show_protection(request: AnyRequest) -> Response[bytes]:
    """Show a new password or phone number that waits, and until when little money leaves the wallet."""
    return respond(await _identity(request).waiting_changes.of_person(caller(request), now=clock_now(request)))


@route(
    "DELETE", "/v1/me/waiting-password", summary="Keep my old password", tag="identity", status=204,
    refusals=(NothingWaits,),
)  # fmt: skip
async def cancel_password(request: AnyRequest) -> Response[None]:
    """Cancel a new password that waits."""
    await _identity(request).waiting_changes.cancel_password(
        caller(request), by=asking(request), now=clock_now(request)
    )
    return no_content()


@route(
    "DELETE", "/v1/me/waiting-phone", summary="Keep my old phone number", tag="identity", status=204,
    refusals=(NothingWaits,),
)  # fmt: skip
async def cancel_phone(request: AnyRequest) -> Response[None]:
    """Cancel a new phone number that waits."""
    await _identity(request).waiting_changes.cancel_phone(caller(request), by=asking(request), now=clock_now(request))
    return no_content()


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.app.state.identity
    return found
