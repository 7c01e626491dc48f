"""Session tokens against everything that people have tried on other people's tokens."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from offline.test_operator_commands import tikiwallet
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
        "jti": claims["jti"], "iat": now_seconds, "nbf": now_seconds, "exp": now_seconds + 600,
    }  # fmt: skip
    world.clock.move(seconds=1)
    fresh = decoded(body_of(await alice.refresh(), 201)["token"].split(".")[1])
    assert (fresh["sid"], fresh["exp"]) == (claims["sid"], claims["exp"] + 1)
    assert fresh["jti"] != claims["jti"]


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


def without_header(name: str) -> Callable[[Json, Json, ECKey], str]:
    def forge(header: Json, claims: Json, key: ECKey) -> str:
        return with_header()({each: value for each, value in header.items() if each != name}, claims, key)

    return forge


def without_claim(name: str) -> Callable[[Json, Json, ECKey], str]:
    def forge(header: Json, claims: Json, key: ECKey) -> str:
        return with_claims()(header, {each: value for each, value in claims.items() if each != name}, key)

    return forge


def another_algorithm(algorithm: str) -> Callable[[Json, Json, ECKey], str]:
    def forge(header: Json, claims: Json, _: ECKey) -> str:
        key = RSAKey.generate_key(2048) if algorithm == "RS256" else ECKey.generate_key("P-384")
        return jws.serialize_compact(
            {**header, "alg": algorithm}, json.dumps(claims), key, algorithms=[algorithm]
        )  # fmt: skip

    return forge


def own_key_in_the_header(header: Json, claims: Json, _: ECKey) -> str:
    key = make_signing_key()
    named = {**header, "kid": key.thumbprint(), "jwk": key.as_dict(private=False)}
    return with_header()(named, claims, key)


def resigned(header: Json, claims: Json, key: ECKey, signature: Callable[[bytes], bytes]) -> str:
    signing_input, _, last = with_claims()(header, claims, key).rpartition(".")
    return f"{signing_input}.{encoded(signature(base64.urlsafe_b64decode(last + '==')))}"


def no_signature(header: Json, claims: Json, key: ECKey) -> str:
    return resigned(header, claims, key, lambda _: b"")


def zero_signature(header: Json, claims: Json, key: ECKey) -> str:
    return resigned(header, claims, key, lambda raw: bytes(len(raw)))


def der_signature(header: Json, claims: Json, key: ECKey) -> str:
    def as_der(raw: bytes) -> bytes:
        return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    return resigned(header, claims, key, as_der)


def token_in_json(header: Json, claims: Json, key: ECKey) -> str:
    protected, payload, signature = with_claims()(header, claims, key).split(".")
    return json.dumps({"protected": protected, "payload": payload, "signature": signature}, separators=(",", ":"))


ATTACKS: dict[str, Callable[[Json, Json, ECKey], str]] = {
    "alg none": alg_none,
    "alg none, spelled otherwise": with_header(alg="nOnE"),
    "HS256 with our public key as the secret": public_key_as_hmac_secret,
    "a header that says HS256": with_header(alg="HS256"),
    "the attacker's own key under our key id": key_of_the_attacker,
    "RS256 with a key of the attacker": another_algorithm("RS256"),
    "ES384 with a key of the attacker": another_algorithm("ES384"),
    "an unknown key id": with_header(kid="unknown"),
    "no key id": without_header("kid"),
    "a key id that is a path": with_header(kid="../../../../dev/null"),
    "a key id that is a path in other letters": with_header(kid="..%2f..%2fdev%2fnull"),
    "a key id that is an SQL statement": with_header(kid="' OR retired_at IS NULL --"),
    "a key id that is a command": with_header(kid="|cat /etc/passwd"),
    "a key id that is an address": with_header(kid="https://example.com/key.pem"),
    "a key id that ends in a NUL": lambda header, claims, key: with_header(kid=header["kid"] + "\0")(
        header, claims, key
    ),
    "a key id that is no text": with_header(kid=None),
    "a list of key ids": with_header(kid=["a", "b"]),
    "no type": without_header("typ"),
    "another type of token": with_header(typ="JWT"),
    "the type of an access token of others": with_header(typ="at+jwt"),
    "the type in capitals": with_header(typ="TIKI-SESSION+JWT"),
    "a key in the header": with_header(jwk=make_signing_key().as_dict(private=False)),
    "the attacker's own key in the header": own_key_in_the_header,
    "the address of a key in the header": with_header(jku="https://example.com/jwks.json"),
    "the address of a certificate in the header": with_header(x5u="https://example.com/chain.pem"),
    "a certificate in the header": with_header(x5c=["MIIB"]),
    "a critical extension": with_header(crit=["b64"], b64=False),
    "compressed": with_header(zip="DEF"),
    "another payload under the signature": other_payload,
    "no signature": no_signature,
    "a signature of zeros": zero_signature,
    "a signature in DER": der_signature,
    "an encrypted token": lambda header, claims, key: "e30.e30.e30.e30.e30",
    "a token in JSON": token_in_json,
    "another audience": with_claims(aud="another-api"),
    "a list of audiences": with_claims(aud=["tikiwallet-api", "another-api"]),
    "no audience": without_claim("aud"),
    "another issuer": with_claims(iss="somebody"),
    "the issuer as an address": with_claims(iss="https://tikiwallet"),
    "no issuer": without_claim("iss"),
    "no end": without_claim("exp"),
    "no beginning": without_claim("nbf"),
    "no session": without_claim("sid"),
    "no person": without_claim("sub"),
    "an end in the past": with_claims(exp=int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())),
    "an end that is no number": with_claims(exp="never"),
    "an end that is a number in quotes": with_claims(exp="9999999999"),
    "an end that is true": with_claims(exp=True),
    "an end that is a fraction": with_claims(exp=1e300),
    "an end before 1970": with_claims(exp=-1),
    "a beginning in the future": with_claims(nbf=int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())),
    "another person's id": with_claims(sub=str(uuid4())),
    "a session that never was": with_claims(sid=str(uuid4()), jti=str(uuid4())),
    "a person who is no id": with_claims(sub="alice"),
    "a claim too many": with_claims(admin=True),
    "a token that is far too long": with_claims(sub="x" * 3000),
    "a token of two megabytes": lambda header, claims, key: "x" * 2_000_000,
}


async def test_a_forged_token_is_refused(world: World) -> None:
    (alice,) = await world.people("alice")
    header, claims = (decoded(part) for part in alice.token.split(".")[:2])
    _, key = await world.identity.keys.at_work(now=world.clock.now)
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
        before = await other_process.identity.keys.at_work(now=world.clock.now)
        assert before[0] == (await world.identity.keys.at_work(now=world.clock.now))[0]
        await world.identity.keys.rotate(make_signing_key(), now=world.clock.now)
        (alice,) = await world.people("alice")
        there = Someone(other_process.http, {"token": alice.token, "person": (await alice.get("/v1/me")).json()})
        assert (await there.get("/v1/me")).status_code == 200
        assert (await other_process.identity.keys.at_work(now=world.clock.now))[0] != before[0]


async def test_the_next_key_is_published_before_it_signs_and_the_old_one_after(
    world: World, database_url: str, data_dir: Path
) -> None:
    (alice,) = await world.people("alice")

    async def published() -> list[str]:
        keys = body_of(await world.http.get("/.well-known/jwks.json"), 200)["keys"]
        return [key["kid"] for key in keys]

    async def signs() -> str:
        kid: str = decoded((await world.sign_in_again(alice)).token.split(".")[0])["kid"]
        return kid

    (old,) = await published()
    code, said = await tikiwallet(database_url, data_dir, "rotate-session-key", "--overlap-minutes", "30")
    assert (code, said.split(".")[0]) == (0, "Session keys published: 2")
    assert await signs() == old
    first, new = await published()
    assert first == old
    world.clock.move(minutes=40)  # the command has a clock of its own, which went on meanwhile
    assert await signs() == new
    world.clock.move(minutes=-31)  # a machine whose clock is behind goes on with the old one
    assert await signs() == old
    assert (await alice.get("/v1/me")).status_code == 200
    world.clock.move(hours=7)
    assert await published() == [new]
    await world.identity.keys.rotate(make_signing_key(), now=world.clock.now, overlap=timedelta(hours=1))
    world.clock.move(seconds=1)
    await world.identity.keys.rotate(make_signing_key(), now=world.clock.now)  # the waiting one never signs
    assert await signs() == (await published())[-1]
    assert len(await published()) == 3
