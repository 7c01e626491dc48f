"""The routes of what proves who is there: proofs of a session, passkeys, recovery codes."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.codes import CodeAttemptsUsedUp, CodeExpired, CodeUsed, CodeWrong, make_code
from tikiwallet.identity.http import asking
from tikiwallet.identity.passkeys import (
    Assertion,
    NewPasskey,
    Passkey,
    PasskeyChallenge,
    PasskeyChallengeUnknown,
    PasskeyCopied,
    PasskeyName,
    PasskeyRefused,
    PasskeysTooMany,
    PasskeysUnavailable,
    PasskeyTaken,
    PasskeyUnknown,
    Purpose,
    make_challenge,
)
from tikiwallet.identity.proofs import GivenProof, ProofWrong
from tikiwallet.identity.recovery_codes import RecoveryCodesLeft, make_recovery_codes
from tikiwallet.identity.service import Identity
from tikiwallet.identity.sms import SmsUnavailable
from tikiwallet.identity.step_up import Proven
from tikiwallet.identity.text_proofs import TextSent
from tikiwallet.identity.types import StepUpRequired
from tikiwallet.platform.http import caller, clock_now, no_content, read, respond, route
from tikiwallet.platform.throttle import TooManyRequests

AnyRequest = Request[Any, Any, Any]

CODE_REFUSALS = (CodeWrong, CodeExpired, CodeUsed, CodeAttemptsUsedUp)
PASSKEY_REFUSALS = (PasskeysUnavailable, PasskeyChallengeUnknown, PasskeyRefused, PasskeyCopied)
ANSWER = Assertion(credential_id="AAEC", client_data="e30", authenticator_data="AAEC", signature="AAEC")


class PasskeysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's passkeys, oldest first."""

    items: list[Passkey]


class NameOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a passkey is to be called."""

    name: PasskeyName


class RecoveryCodesMade(msgspec.Struct, frozen=True, kw_only=True):
    """Fresh recovery codes. Nobody can show them again: the wallet keeps hashes only."""

    codes: list[str]


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [
        prove, step_up_challenge, send_text, list_passkeys, passkey_challenge, add_passkey, rename_passkey,
        remove_passkey, recovery_codes_left, make_new_recovery_codes,
    ]  # fmt: skip


@route(
    "POST", "/v1/proofs", summary="Show again that it is me", tag="identity", body=GivenProof, answer=Proven,
    status=201, refusals=(ProofWrong, TooManyRequests, *CODE_REFUSALS, *PASSKEY_REFUSALS),
    example=GivenProof(password="seven green umbrellas"),  # noqa: S106
)  # fmt: skip
async def prove(request: AnyRequest) -> Response[bytes]:
    """Prove it for this session, for five minutes; then send the order again that was refused."""
    given = await read(request, GivenProof)
    return respond(await _identity(request).proofs.prove(caller(request), given, now=clock_now(request)), status=201)


@route(
    "POST", "/v1/proofs/challenge", summary="What a passkey is to sign to show that it is me", tag="identity",
    answer=PasskeyChallenge, status=201, refusals=(PasskeysUnavailable,),
)  # fmt: skip
async def step_up_challenge(request: AnyRequest) -> Response[bytes]:
    """Make a challenge for this session, to be answered within five minutes."""
    return await _challenge(request, Purpose.STEP_UP)


@route(
    "POST", "/v1/proofs/text-message", summary="Receive a code that shows that it is me", tag="identity",
    answer=TextSent, status=202, refusals=(SmsUnavailable, TooManyRequests),
)  # fmt: skip
async def send_text(request: AnyRequest) -> Response[bytes]:
    """Send a code to the caller's phone. It counts for no payment, and for nothing that could prove one."""
    sent = await _identity(request).proofs.send_text(
        caller(request), request_id=uuid4(), code=make_code(), now=clock_now(request)
    )
    return respond(sent, status=202)


@route("GET", "/v1/passkeys", summary="My passkeys", tag="identity", answer=PasskeysAnswer)
async def list_passkeys(request: AnyRequest) -> Response[bytes]:
    """List the caller's passkeys, oldest first."""
    return respond(PasskeysAnswer(items=await _identity(request).passkeys.of_person(caller(request))))


@route(
    "POST", "/v1/passkeys/challenge", summary="What a new passkey is to be made for", tag="identity",
    answer=PasskeyChallenge, status=201, refusals=(PasskeysUnavailable, PasskeysTooMany, StepUpRequired),
)  # fmt: skip
async def passkey_challenge(request: AnyRequest) -> Response[bytes]:
    """Make a challenge for this session, to be answered within five minutes."""
    return await _challenge(request, Purpose.REGISTER)


@route(
    "POST", "/v1/passkeys", summary="Add a passkey", tag="identity", body=NewPasskey, answer=Passkey, status=201,
    refusals=(
        PasskeysUnavailable, PasskeyChallengeUnknown, PasskeyRefused, PasskeyTaken, PasskeysTooMany, StepUpRequired,
    ),
    example=NewPasskey(name="My phone", credential_id="AAEC", client_data="e30", authenticator_data="AAEC"),
)  # fmt: skip
async def add_passkey(request: AnyRequest) -> Response[bytes]:
    """Keep the public half of what an authenticator has made."""
    new = await read(request, NewPasskey)
    added = await _identity(request).passkeys.add(
        caller(request), new, passkey_id=uuid4(), by=asking(request), now=clock_now(request)
    )
    return respond(added, status=201)


@route(
    "PATCH", "/v1/passkeys/{passkey_id:uuid}", summary="Name a passkey", tag="identity", body=NameOrder, answer=Passkey,
    refusals=(PasskeyUnknown,), example=NameOrder(name="My phone"),
)  # fmt: skip
async def rename_passkey(request: AnyRequest, passkey_id: FromPath[UUID]) -> Response[bytes]:
    """Call one of the caller's passkeys something else."""
    order = await read(request, NameOrder)
    return respond(await _identity(request).passkeys.rename(passkey_id, order.name, caller(request)))


@route(
    "DELETE", "/v1/passkeys/{passkey_id:uuid}", summary="Remove a passkey", tag="identity", status=204,
    refusals=(PasskeyUnknown, StepUpRequired),
)  # fmt: skip
async def remove_passkey(request: AnyRequest, passkey_id: FromPath[UUID]) -> Response[None]:
    """Forget one of the caller's passkeys: it opens nothing any more."""
    await _identity(request).passkeys.remove(passkey_id, caller(request), by=asking(request), now=clock_now(request))
    return no_content()


@route(
    "GET", "/v1/recovery-codes", summary="How many recovery codes have I left?", tag="identity",
    answer=RecoveryCodesLeft,
)  # fmt: skip
async def recovery_codes_left(request: AnyRequest) -> Response[bytes]:
    """Tell how many are left and since when; never the codes themselves."""
    return respond(await _identity(request).recovery_codes.left(caller(request)))


@route(
    "POST", "/v1/recovery-codes", summary="Make new recovery codes", tag="identity", answer=RecoveryCodesMade,
    status=201, refusals=(StepUpRequired,),
)  # fmt: skip
async def make_new_recovery_codes(request: AnyRequest) -> Response[bytes]:
    """Make ten codes, shown this once; those from before stop working."""
    codes = make_recovery_codes()
    await _identity(request).recovery_codes.replace(caller(request), codes, by=asking(request), now=clock_now(request))
    return respond(RecoveryCodesMade(codes=codes), status=201)


async def _challenge(request: AnyRequest, purpose: Purpose) -> Response[bytes]:
    challenge = await _identity(request).passkeys.challenge(
        purpose, caller(request), challenge=make_challenge(), now=clock_now(request)
    )
    return respond(challenge, status=201)


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.app.state.identity
    return found
