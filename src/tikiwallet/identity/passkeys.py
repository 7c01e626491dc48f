"""Passkeys: a key in a phone or a security key that signs for this wallet's address and no other.

A person can be talked into telling a password or a code to a page that looks like ours; a passkey can't be: the browser
signs the address that it really is at. It asks for a finger, a face or a PIN each time, so it is two factors at once.

What is signed is a challenge of ours: random, for one purpose, bound to the session that asked, five minutes old at
most, and gone with the first answer that carries it. The library checks what the authenticator says; here is kept what
it can't know: whose the passkey is, what the challenge was for, and how often it signed.
"""

import asyncio
import base64
import binascii
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import GuardedAct, PersonId, StepUp
from tikiwallet.platform.audit import By
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller

CHALLENGE_BYTES: Final = 32
CHALLENGE_TTL: Final = timedelta(minutes=5)
FORGOTTEN_AT_ONCE_MAX: Final = 20
PASSKEYS_MAX: Final = 10  # of one person; the constraint passkeys_within_max says the same
NAME_LENGTH_MAX: Final = 40
RELYING_PARTY_NAME: Final = "TikiWallet"

log = structlog.get_logger()


class PasskeysUnavailable(Refused):
    """This wallet can't use passkeys: its operator hasn't said at which address it is reached."""

    code, kind = "passkeys_unavailable", Kind.UNAVAILABLE


class PasskeysTooMany(Refused):
    """You have as many passkeys as one may have; remove one first."""

    code, kind = "passkeys_too_many", Kind.CONFLICT


class PasskeyUnknown(Refused):
    """You have no such passkey; see the list of your passkeys."""

    code, kind = "passkey_unknown", Kind.MISSING


class PasskeyTaken(Refused):
    """This passkey is in the wallet already."""

    code, kind = "passkey_taken", Kind.CONFLICT


class PasskeyRefused(Refused):
    """This passkey doesn't prove who you are here."""

    code, kind = "passkey_refused", Kind.UNPROCESSABLE


class PasskeyChallengeUnknown(Refused):
    """This took too long, or was answered already; begin again."""

    code, kind = "passkey_challenge_unknown", Kind.CONFLICT


class PasskeyCopied(Refused):
    """There seems to be a copy of this passkey; sign in another way, then remove it."""

    code, kind = "passkey_copied", Kind.CONFLICT


class Purpose(StrEnum):
    """What a challenge is for."""

    SIGN_IN = "sign_in"
    REGISTER = "register"
    STEP_UP = "step_up"


Base64Url = Annotated[str, msgspec.Meta(min_length=1, max_length=8192, pattern="^[A-Za-z0-9_-]+$")]
PasskeyName = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]


class PasskeyChallenge(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser is to ask of an authenticator. Binary values are base64url without padding."""

    challenge: str
    rp_id: str
    credential_ids: list[str]  # signing: those that may; registering: those that the person has already
    expires_at: datetime


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey that an authenticator has just made: its answer, and what the person calls it."""

    name: PasskeyName
    credential_id: Base64Url
    client_data: Base64Url
    authenticator_data: Base64Url


class Assertion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an authenticator signed. `user_handle` is the id of the person as it was kept there, "" if it isn't told."""

    credential_id: Base64Url
    client_data: Base64Url
    authenticator_data: Base64Url
    signature: Base64Url
    user_handle: Annotated[str, msgspec.Meta(max_length=128, pattern="^[A-Za-z0-9_-]*$")] = ""


class Passkey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey in its owner's list."""

    passkey_id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class RelyingParty(NamedTuple):
    """Whom passkeys are for: the address of the wallet, and the domain in it."""

    origin: str
    rp_id: str


def relying_party(settings: Settings) -> RelyingParty | None:
    """Return where browsers reach the wallet; None in production as long as the operator hasn't said it."""
    if not settings.origin and settings.is_production:
        return None
    scheme = "https" if settings.tls_cert else "http"
    origin = settings.origin or f"{scheme}://localhost:{settings.port}"
    return RelyingParty(origin, urlsplit(origin).hostname or "")


def make_challenge() -> bytes:
    """Return a fresh random challenge. Called at the edge only."""
    return secrets.token_bytes(CHALLENGE_BYTES)


class Passkeys:
    """The passkeys of everybody."""

    def __init__(self, db: Database, *, relying_party: RelyingParty | None, step_up: StepUp) -> None:
        self._db = db
        self._relying_party = relying_party
        self._step_up = step_up

    async def challenge(
        self, purpose: Purpose, caller: Caller | None, *, challenge: bytes, now: datetime
    ) -> PasskeyChallenge:
        """Return what an authenticator is to sign for `purpose`. To sign in, nobody is the caller yet.

        Refusals: `PasskeysUnavailable`; to register also `StepUpRequired` and `PasskeysTooMany`.
        """
        assert (purpose is Purpose.SIGN_IN) == (caller is None), purpose
        party = self._party()
        if caller is not None and purpose is Purpose.REGISTER:
            await self._step_up.require(caller, GuardedAct.PASSKEYS, now=now)
        rows = [] if caller is None else await self._db.pool.fetch(SQL["passkeys_of_person"], caller.person_id)
        if purpose is Purpose.REGISTER and len(rows) >= PASSKEYS_MAX:
            raise PasskeysTooMany
        expires_at = now + CHALLENGE_TTL
        session_id = None if caller is None else caller.session_id
        async with self._db.transaction() as tx:
            await tx.execute(SQL["insert_passkey_challenge"], challenge, purpose, session_id, now, expires_at)
            await tx.execute(SQL["forget_passkey_challenges"], now, FORGOTTEN_AT_ONCE_MAX)
        return PasskeyChallenge(
            challenge=to_text(challenge), rp_id=party.rp_id, expires_at=expires_at,
            credential_ids=[to_text(row["credential_id"]) for row in rows],
        )  # fmt: skip

    async def add(self, caller: Caller, new: NewPasskey, *, passkey_id: UUID, by: By, now: datetime) -> Passkey:
        """Add the passkey that an authenticator made for the caller's challenge.

        Refusals: `PasskeysUnavailable`, `StepUpRequired`, `PasskeyChallengeUnknown`, `PasskeyRefused`, `PasskeyTaken`,
        `PasskeysTooMany`.
        """
        party = self._party()
        await self._step_up.require(caller, GuardedAct.PASSKEYS, now=now)
        challenge = await self._take(new.client_data, Purpose.REGISTER, caller.session_id, now=now)
        made = await asyncio.to_thread(verify_new, new, party, challenge)
        try:
            async with self._db.transaction() as tx:
                # Locked, so that two at once don't take one number.
                await tx.fetchrow(SQL["lock_person"], caller.person_id)
                added = await tx.fetchval(
                    SQL["insert_passkey"], passkey_id, caller.person_id, PASSKEYS_MAX, made.credential_id,
                    made.public_key, made.sign_count, new.name, now,
                )  # fmt: skip
                if added is None:
                    raise PasskeysTooMany
                await AUDIT.record(
                    tx, Act.PASSKEY_ADDED, by=by, about=caller.person_id, now=now, passkey=str(passkey_id)
                )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "credential_of_one_passkey":
                raise
            raise PasskeyTaken from error
        return Passkey(passkey_id=passkey_id, name=new.name, created_at=now, last_used_at=None)

    async def recognise(self, answer: Assertion, purpose: Purpose, caller: Caller | None, *, now: datetime) -> PersonId:
        """Return whose passkey signed a challenge of this purpose (and of the caller's session), and count its use.

        Refusals: `PasskeysUnavailable`, `PasskeyChallengeUnknown`, `PasskeyRefused` (also for somebody else's passkey),
        `PasskeyCopied`.
        """
        party = self._party()
        session_id = None if caller is None else caller.session_id
        challenge = await self._take(answer.client_data, purpose, session_id, now=now)
        row = await self._db.pool.fetchrow(SQL["passkey_by_credential"], to_bytes(answer.credential_id))
        if row is None or (caller is not None and row["person_id"] != caller.person_id):
            raise PasskeyRefused("This wallet doesn't know that passkey, or not any more.")
        if answer.user_handle and to_bytes(answer.user_handle) != row["person_id"].bytes:
            raise PasskeyRefused
        sign_count = await asyncio.to_thread(verify_use, answer, party, challenge, row["public_key"])
        # One statement, so that of two answers with one count the second finds it used.
        if await self._db.pool.fetchval(SQL["count_passkey_use"], row["passkey_id"], sign_count, now) is None:
            log.warning("a passkey signed with an old count", passkey_id=str(row["passkey_id"]))
            raise PasskeyCopied
        return PersonId(row["person_id"])

    async def of_person(self, caller: Caller) -> list[Passkey]:
        """Return the caller's passkeys, oldest first."""
        rows = await self._db.pool.fetch(SQL["passkeys_of_person"], caller.person_id)
        return [_passkey(row) for row in rows]

    async def rename(self, passkey_id: UUID, name: str, caller: Caller) -> Passkey:
        """Call a passkey of the caller something else. Refusal: `PasskeyUnknown`."""
        row = await self._db.pool.fetchrow(SQL["rename_passkey"], passkey_id, caller.person_id, name)
        if row is None:
            raise PasskeyUnknown
        return _passkey(row)

    async def remove(self, passkey_id: UUID, caller: Caller, *, by: By, now: datetime) -> None:
        """Remove a passkey of the caller: it opens nothing any more. Refusals: `StepUpRequired`, `PasskeyUnknown`."""
        await self._step_up.require(caller, GuardedAct.PASSKEYS, now=now)
        async with self._db.transaction() as tx:
            if await tx.fetchval(SQL["delete_passkey"], passkey_id, caller.person_id) is None:
                raise PasskeyUnknown
            await AUDIT.record(tx, Act.PASSKEY_REMOVED, by=by, about=caller.person_id, now=now, passkey=str(passkey_id))

    def _party(self) -> RelyingParty:
        if self._relying_party is None:
            raise PasskeysUnavailable
        return self._relying_party

    async def _take(self, client_data: str, purpose: Purpose, session_id: UUID | None, *, now: datetime) -> bytes:
        """Return the challenge that an answer carries, which is gone with that."""
        challenge = challenge_in(to_bytes(client_data))
        if await self._db.pool.fetchval(SQL["take_passkey_challenge"], challenge, purpose, session_id, now) is None:
            raise PasskeyChallengeUnknown
        return challenge


class _ClientData(msgspec.Struct, frozen=True):
    """The one field of the browser's statement that is needed to find the challenge; the library checks the others."""

    challenge: str


class VerifiedPasskey(NamedTuple):
    """What is kept of a new passkey."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


def verify_new(new: NewPasskey, party: RelyingParty, challenge: bytes) -> VerifiedPasskey:
    """Return the passkey if an authenticator made it for this challenge, at our address, for a person who was there.

    Refusal: `PasskeyRefused`. Runs in a thread, because the library takes a while to load when it is first wanted.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

    try:
        made = verify_registration_response(
            credential=RegistrationCredential(
                id=new.credential_id,
                raw_id=to_bytes(new.credential_id),
                response=AuthenticatorAttestationResponse(
                    client_data_json=to_bytes(new.client_data),
                    attestation_object=_without_attestation(to_bytes(new.authenticator_data)),
                ),
            ),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    # A key that lacks a part of it leaves the library as the two others.
    except (WebAuthnException, LookupError, TypeError) as error:
        raise PasskeyRefused from error
    return VerifiedPasskey(made.credential_id, made.credential_public_key, made.sign_count)


def _without_attestation(authenticator_data: bytes) -> bytes:
    """Return the attestation object (CBOR) that claims no maker: who made the phone is nothing that we judge by.

    So none of the formats in which makers claim it is ever read.
    """
    size = len(authenticator_data).to_bytes(2, "big")
    return b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59" + size + authenticator_data


def verify_use(answer: Assertion, party: RelyingParty, challenge: bytes, public_key: bytes) -> int:
    """Return the signature count if the key signed this challenge, at our address, for a person who was there.

    Refusal: `PasskeyRefused`. Runs in a thread, as `verify_new`.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

    try:
        used = verify_authentication_response(
            credential=AuthenticationCredential(
                id=answer.credential_id,
                raw_id=to_bytes(answer.credential_id),
                response=AuthenticatorAssertionResponse(
                    client_data_json=to_bytes(answer.client_data),
                    authenticator_data=to_bytes(answer.authenticator_data),
                    signature=to_bytes(answer.signature),
                ),
            ),
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # compared where it is written, so that two at once can't both pass
            require_user_verification=True,
        )
    except WebAuthnException as error:
        raise PasskeyRefused from error
    return used.new_sign_count


def _passkey(row: asyncpg.Record) -> Passkey:
    return Passkey(
        passkey_id=row["passkey_id"], name=row["name"], created_at=row["created_at"], last_used_at=row["last_used_at"]
    )


def challenge_in(client_data: bytes) -> bytes:
    """Return the challenge that the browser says was signed. Refusal: `PasskeyRefused`."""
    try:
        return to_bytes(msgspec.json.decode(client_data, type=_ClientData).challenge)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PasskeyRefused from error


def to_text(value: bytes) -> str:
    """Return bytes as base64url without padding, as browsers have them."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    """Return what `to_text` wrote. Refusal: `PasskeyRefused`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise PasskeyRefused from error
