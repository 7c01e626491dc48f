"""Session tokens: signed statements (JWT, ES256) of which session of which person this is.

The header is decoded strictly before any cryptography sees the token: it can't choose another algorithm ("none", or
HMAC with our public key as the secret), bring its own key or point to one.
"""

import base64
import binascii
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from tikiwallet.identity.keys import ALGORITHM
from tikiwallet.platform.http import SessionInvalid
from tikiwallet.platform.ids import derive_uuid

ISSUER: Final = "tikiwallet"
AUDIENCE: Final = "tikiwallet-api"
TOKEN_TYPE = "tiki-session+jwt"  # noqa: S105  (RFC 8725: a type of our own, so no other JWT passes for a session)
TOKEN_LENGTH_MAX = 2048
CLOCK_DIFFERENCE_SECONDS_MAX = 60  # of two of our machines; without it, a fresh token could be refused next door


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The only header that a session token has."""

    alg: Literal["ES256"]
    typ: Literal["tiki-session+jwt"]
    kid: str


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session token says. Instants are whole seconds since 1970 (NumericDate)."""

    iss: Literal["tikiwallet"]
    aud: Literal["tikiwallet-api"]
    sub: UUID  # the person
    sid: UUID  # the session
    jti: UUID  # this token
    iat: int
    nbf: int
    exp: int


def sign_token(
    kid: str, key: ECKey, *, person_id: UUID, session_id: UUID, issued_at: datetime, expires_at: datetime
) -> str:
    """Return a signed access token of a session. Fractions of a second are cut off."""
    issued_seconds = int(issued_at.timestamp())
    claims = Claims(
        iss=ISSUER, aud=AUDIENCE, sub=person_id, sid=session_id, jti=derive_uuid(session_id, issued_at.isoformat()),
        iat=issued_seconds, nbf=issued_seconds, exp=int(expires_at.timestamp()),
    )  # fmt: skip
    header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}
    return jws.serialize_compact(header, msgspec.json.encode(claims), key, algorithms=[ALGORITHM])


def read_header(token: str) -> Header:
    """Return the header of a token that nobody has verified yet. Refusal: `SessionInvalid`."""
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        raise SessionInvalid
    encoded = token.partition(".")[0]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=Header)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SessionInvalid from error


def verify_token(token: str, key: ECKey) -> Claims:
    """Return the claims of a token that `key` signed, whenever they hold. Refusal: `SessionInvalid`."""
    try:
        signed = jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        return msgspec.json.decode(signed.payload or b"", type=Claims)
    except (JoseError, ValueError, msgspec.DecodeError) as error:
        raise SessionInvalid from error


def check_validity(claims: Claims, *, now: datetime) -> None:
    """Return if the claims hold at `now`. Refusal: `SessionInvalid`."""
    now_seconds = now.timestamp()
    if claims.nbf > now_seconds + CLOCK_DIFFERENCE_SECONDS_MAX or claims.exp <= now_seconds:
        raise SessionInvalid
