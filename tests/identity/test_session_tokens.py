"""Session tokens against everything that people have tried on other people's tokens."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from tikiwallet.identity.keys import make_signing_key
from tikiwallet.identity.tokens import read_header, verify_token
from tikiwallet.platform.http import SessionInvalid
from world import Someone, World, body_of, open_world, refusal

Json = dict[str, Any]


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Json:
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def try_token(world: World, token: str) -> tuple[int, str]:
    return refusal(await world.http.get("/v1/me", headers={"authorization": f"Bearer {token}"}))


async def test_a_token_says_who_what_and_until_when(world: World) -> None:
    (alice,) = await world.people("alice")
    header, claims = (decoded(part) for part in alice.token.split(".")[:2])
    now_seconds = int(world.clock.now.timestamp())
    assert header == {"alg": "ES256", "typ": "tiki-session+jwt", "kid": header["kid"]}
    assert claims == {
        "iss": "tikiwallet", "aud": "tikiwallet-api", "sub": str(alice.person_id), "sid": claims["sid"],
        "jti": claims["sid"], "iat": now_seconds, "nbf": now_seconds, "exp": now_seconds + 6 * 3600,
    }  # fmt: skip


async def test_another_service_verifies_a_token_with_the_published_keys(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await world.http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    published = body_of(answer, 200)
    assert [set(key) for key in published["keys"]] == [{"kty", "crv", "x", "y", "kid", "alg", "use"}]
    token = jwt.decode(alice.token, KeySet.import_key_set(published), algorithms=["ES256"])
    assert token.claims["sub"] == str(alice.person_id)


def with_header(**changes: object) -> Callable[[Json, Json, ECKey], str]:
    def forge(header: Json, claims: Json, key: ECKey) -> str:
        signing_input = f"{encoded({**header, **changes})}.{encoded(claims)}"
        signature = jws.JWSRegistry.algorithms["ES256"].sign(signing_input.encode(), key)
        return f"{signing_input}.{encoded(signature)}"

    return forge


def with_claims(**changes: object) -> Callable[[Json, Json, ECKey], str]:
    def forge(header: Json, claims: Json, key: ECKey) -> str:
        return jws.serialize_compact(header, json.dumps({**claims, **changes}), key, algorithms=["ES256"])

    return forge


def alg_none(header: Json, claims: Json, _: ECKey) -> str:
    return f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}."


def public_key_as_hmac_secret(header: Json, claims: Json, key: ECKey) -> str:
    secret = OctKey.import_key(key.as_pem(private=False).decode().replace("-----BEGIN PUBLIC KEY-----", ""))
    return jws.serialize_compact({**header, "alg": "HS256"}, json.dumps(claims), secret, algorithms=["HS256"])


def key_of_the_attacker(header: Json, claims: Json, _: ECKey) -> str:
    return jws.serialize_compact(header, json.dumps(claims), make_signing_key(), algorithms=["ES256"])


def other_payload(header: Json, claims: Json, key: ECKey) -> str:
    first, _, last = with_claims()(header, claims, key).split(".")
    return f"{first}.{encoded({**claims, 'sub': str(uuid4())})}.{last}"


ATTACKS: dict[str, Callable[[Json, Json, ECKey], str]] = {
    "alg none": alg_none,
    "alg none, spelled otherwise": with_header(alg="nOnE"),
    "HS256 with our public key as the secret": public_key_as_hmac_secret,
    "a header that says HS256": with_header(alg="HS256"),
    "the attacker's own key under our key id": key_of_the_attacker,
    "an unknown key id": with_header(kid="unknown"),
    "a key id that is a path": with_header(kid="../../../../dev/null"),
    "a key id that is no text": with_header(kid=None),
    "another type of token": with_header(typ="JWT"),
    "a key in the header": with_header(jwk=make_signing_key().as_dict(private=False)),
    "the address of a key in the header": with_header(jku="https://example.com/jwks.json"),
    "a critical extension": with_header(crit=["b64"], b64=False),
    "another payload under the signature": other_payload,
    "another audience": with_claims(aud="another-api"),
    "a list of audiences": with_claims(aud=["tikiwallet-api", "another-api"]),
    "another issuer": with_claims(iss="somebody"),
    "an end in the past": with_claims(exp=int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())),
    "an end that is no number": with_claims(exp="never"),
    "an end that is a fraction": with_claims(exp=1e300),
    "a beginning in the future": with_claims(nbf=int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())),
    "another person's id": with_claims(sub=str(uuid4())),
    "a session that never was": with_claims(sid=str(uuid4()), jti=str(uuid4())),
    "two session ids": with_claims(jti=str(uuid4())),
    "a person who is no id": with_claims(sub="alice"),
    "a claim too many": with_claims(admin=True),
    "a token that is far too long": with_claims(sub="x" * 3000),
}


async def test_a_forged_token_is_refused(world: World) -> None:
    (alice,) = await world.people("alice")
    header, claims = (decoded(part) for part in alice.token.split(".")[:2])
    _, key = await world.identity.keys.at_work()
    for honest in (with_claims(), with_header()):  # what the attacks below start from
        token = honest(header, claims, key)
        assert (await world.http.get("/v1/me", headers={"authorization": f"Bearer {token}"})).status_code == 200
    for name, attack in ATTACKS.items():
        assert await try_token(world, attack(header, claims, key)) == (401, "session_invalid"), name


async def test_a_token_with_any_character_changed_is_refused(world: World) -> None:
    (alice,) = await world.people("alice")
    for position in range(0, len(alice.token) - 1, 7):  # the last character has bits that mean nothing
        changed = "A" if alice.token[position] != "A" else "B"
        token = alice.token[:position] + changed + alice.token[position + 1 :]
        assert await try_token(world, token) == (401, "session_invalid"), position


async def test_rubbish_is_refused(world: World) -> None:
    for token in ("x", "x.y.z", "..", "....", "e30.e30.e30", "null.null.null", "bnVsbA.bnVsbA.bnVsbA"):
        assert await try_token(world, token) == (401, "session_invalid"), token


@given(st.text() | st.text(alphabet="eyJ.-_=A"))
def test_any_text_is_refused_as_a_header(token: str) -> None:
    with pytest.raises(SessionInvalid):
        read_header(token)


KEY = make_signing_key()


@given(st.text(alphabet=st.characters(codec="ascii")) | st.binary().map(encoded))
def test_any_text_is_refused_as_the_rest(rest: str) -> None:
    header = encoded({"alg": "ES256", "typ": "tiki-session+jwt", "kid": "k"})
    for token in (f"{header}.{rest}", f"{header}.{rest}.{rest}", f"{header}.{encoded({})}.{rest}"):
        with pytest.raises(SessionInvalid):
            verify_token(token, KEY)


async def test_a_signature_may_come_from_a_clock_that_is_a_little_ahead(world: World) -> None:
    (alice,) = await world.people("alice")
    world.clock.move(seconds=-59)
    assert (await alice.get("/v1/me")).status_code == 200
    world.clock.move(seconds=-2)
    assert refusal(await alice.get("/v1/me")) == (401, "session_invalid")


async def test_changing_the_key_signs_nobody_out(world: World) -> None:
    (alice,) = await world.people("alice")
    await world.identity.keys.rotate(make_signing_key(), now=world.clock.now)
    (bob,) = await world.people("bob")
    assert decoded(alice.token.split(".")[0])["kid"] != decoded(bob.token.split(".")[0])["kid"]
    assert (await alice.get("/v1/me")).status_code == 200
    assert (await bob.get("/v1/me")).status_code == 200
    assert len(body_of(await world.http.get("/.well-known/jwks.json"), 200)["keys"]) == 2


async def test_a_retired_key_is_forgotten_when_its_last_session_has_ended(
    world: World, database_url: str, data_dir: Path
) -> None:
    (alice,) = await world.people("alice")
    retired = decoded(alice.token.split(".")[0])["kid"]
    await world.identity.keys.rotate(make_signing_key(), now=world.clock.now)
    world.clock.move(hours=6)
    published = body_of(await world.http.get("/.well-known/jwks.json"), 200)
    assert retired not in [key["kid"] for key in published["keys"]]
    async with open_world(database_url, data_dir) as fresh_process:
        assert await fresh_process.identity.keys.verifying(retired, now=world.clock.now) is None


async def test_processes_sign_with_one_key_and_notice_a_new_one(
    world: World, database_url: str, data_dir: Path
) -> None:
    async with open_world(database_url, data_dir) as other_process:
        before = await other_process.identity.keys.at_work()
        assert before[0] == (await world.identity.keys.at_work())[0]
        await world.identity.keys.rotate(make_signing_key(), now=world.clock.now)
        (alice,) = await world.people("alice")
        there = Someone(other_process.http, {"token": alice.token, "person": (await alice.get("/v1/me")).json()})
        assert (await there.get("/v1/me")).status_code == 200
        assert (await other_process.identity.keys.at_work())[0] != before[0]
