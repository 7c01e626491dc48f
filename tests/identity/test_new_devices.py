"""On a device where a person hasn't signed in before, the password alone opens nothing."""

import asyncio
from typing import Any

import pytest
from httpx import Response

from authenticator import Authenticator
from tikiwallet.identity.known_devices import make_device_secret
from world import PASSWORD, Someone, World, body_of, refusal

REQUIRED = (403, "second_proof_required")


async def sign_in(world: World, who: Someone, device: str, *, password: str = PASSWORD, **proof: Any) -> Response:
    order = {"phone": who.phone, "password": password, **({"proof": proof} if proof else {})}
    return await world.http.post("/v1/sessions", json=order, headers={"tikiwallet-device": device})


async def text_for(world: World, who: Someone) -> dict[str, str]:
    order = {"phone": who.phone, "password": PASSWORD}
    sent = body_of(await world.http.post("/v1/sessions/text-message", json=order), 202)
    assert sent["phone_masked"] != who.phone
    return {"request_id": sent["request_id"], "code": world.code_sent_to(who.phone)}


async def add_passkey(who: Someone) -> Authenticator:
    authenticator = Authenticator()
    made = authenticator.make(body_of(await who.post("/v1/passkeys/challenge"), 201))
    body_of(await who.post("/v1/passkeys", made), 201)
    authenticator.belongs_to(who.person_id)
    return authenticator


async def by_passkey(world: World, authenticator: Authenticator, **cheat: Any) -> Response:
    challenge = body_of(await world.http.post("/v1/sessions/challenge"), 201)
    assert challenge["credential_ids"] == []  # nothing is told of who has which
    answer = {**authenticator.sign(challenge), **cheat}
    return await world.http.post(
        "/v1/sessions/passkey", json=answer, headers={"tikiwallet-device": make_device_secret()}
    )


async def test_a_new_device_needs_a_second_proof_once(world: World) -> None:
    (alice,) = await world.people("alice")
    device = make_device_secret()
    refused = await sign_in(world, alice, device)
    assert refusal(refused) == REQUIRED
    assert refused.json()["methods"] == ["text_message"]
    assert not await world.identity.devices.is_known(alice.person_id, device)
    text = await text_for(world, alice)
    body_of(await sign_in(world, alice, device, text_message=text), 201)
    body_of(await sign_in(world, alice, device), 201)
    assert refusal(await sign_in(world, alice, "")) == REQUIRED  # what doesn't say what it is, is new each time
    for device in (make_device_secret(), ""):
        assert refusal(await sign_in(world, alice, device, text_message=text)) == (409, "code_used")
    # Paper does it too, and is used up only where it is needed.
    codes = body_of(await alice.post("/v1/recovery-codes"), 201)["codes"]
    await add_passkey(alice)
    refused = await sign_in(world, alice, make_device_secret())
    assert refused.json()["methods"] == ["passkey", "text_message", "recovery_code"]
    body_of(await sign_in(world, alice, make_device_secret(), recovery_code=codes[0]), 201)
    assert refusal(await sign_in(world, alice, make_device_secret(), recovery_code=codes[0])) == (422, "proof_wrong")
    at_once = [sign_in(world, alice, make_device_secret(), recovery_code=codes[1]) for _ in range(5)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*at_once)) == [201, 422, 422, 422, 422]
    assert body_of(await alice.get("/v1/recovery-codes"), 200)["left"] == 8


async def test_what_proves_nothing_lets_nobody_in(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    device, hers = make_device_secret(), await text_for(world, alice)
    assert refusal(await sign_in(world, bob, device, text_message=hers)) == (422, "proof_wrong")
    wrong = {**hers, "code": f"{(int(hers['code']) + 1) % 10**6:06d}"}
    assert refusal(await sign_in(world, alice, device, text_message=wrong)) == (422, "code_wrong")
    # The password is judged first: who doesn't know it learns nothing and uses nothing up.
    answer = await sign_in(world, alice, device, password="seven red umbrellas", text_message=hers)
    assert refusal(answer) == (401, "credentials_wrong")
    order = {"phone": alice.phone, "password": "seven red umbrellas"}
    assert refusal(await world.http.post("/v1/sessions/text-message", json=order)) == (401, "credentials_wrong")
    for proof in ({"text_message": hers, "recovery_code": "x"}, {"surprise": 1}):
        assert refusal(await sign_in(world, alice, device, **proof)) == (400, "request_invalid")
    # A code that confirms something in a session opens no other.
    stepping = body_of(await alice.post("/v1/proofs/text-message"), 202)
    confirming = {"request_id": stepping["request_id"], "code": world.code_sent_to(alice.phone)}
    assert refusal(await sign_in(world, alice, device, text_message=confirming)) == (422, "proof_wrong")
    world.clock.move(minutes=10)
    assert refusal(await sign_in(world, alice, device, text_message=hers)) == (422, "code_expired")
    assert not await world.identity.devices.is_known(alice.person_id, device)


async def test_guessing_a_second_proof_has_an_end(world: World) -> None:
    (alice,) = await world.people("alice")
    found = [refusal(await sign_in(world, alice, "", recovery_code=f"AAAAA-AAAA{n % 8 + 2}")) for n in range(20)]
    assert {*found} == {(422, "proof_wrong")}
    assert refusal(await sign_in(world, alice, "", recovery_code="AAAAA-AAAAA")) == (429, "too_many_requests")


async def test_a_passkey_signs_in_anywhere_without_a_password(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    authenticator = await add_passkey(alice)
    session = body_of(await by_passkey(world, authenticator), 201)
    assert session["person"]["username"] == "alice"
    somewhere = Someone(world.http, session)
    assert body_of(await somewhere.get("/v1/me"), 200)["phone"] == alice.phone
    body_of(await somewhere.post("/v1/recovery-codes"), 201)  # it has just been proven who is there
    assert [item["kind"] for item in body_of(await alice.get("/v1/notices"), 200)["items"]] == ["new_device"]
    refused = (422, "passkey_refused")
    assert refusal(await by_passkey(world, Authenticator())) == refused
    authenticator.belongs_to(bob.person_id)
    assert refusal(await by_passkey(world, authenticator)) == refused
    authenticator.belongs_to(alice.person_id)
    # What was signed to confirm something in a session signs nobody in, and the other way round.
    proving = authenticator.sign(body_of(await alice.post("/v1/proofs/challenge"), 201))
    unknown = (409, "passkey_challenge_unknown")
    assert refusal(await world.http.post("/v1/sessions/passkey", json=proving)) == unknown
    signing_in = authenticator.sign(body_of(await world.http.post("/v1/sessions/challenge"), 201))
    assert refusal(await alice.post("/v1/proofs", {"passkey": signing_in})) == unknown
    answers = await asyncio.gather(*(world.http.post("/v1/sessions/passkey", json=signing_in) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    authenticator.sign_count = 1
    assert refusal(await by_passkey(world, authenticator)) == (409, "passkey_copied")
    authenticator.sign_count = 100
    body_of(await alice.post("/v1/me/closing"), 200)
    assert refusal(await by_passkey(world, authenticator)) == (403, "account_closed")


@pytest.mark.parametrize("path", ["/v1/sessions/challenge", "/v1/sessions/text-message"])
async def test_asking_has_an_end_too(world: World, path: str) -> None:
    (alice,) = await world.people("alice")
    limit = world.app.state.settings.sign_ups_per_phone_max
    order = {"phone": alice.phone, "password": PASSWORD}
    if path.endswith("challenge"):
        limit, order = world.app.state.settings.sign_ins_per_address_max, None
        world.identity.throttling._sign_in_address = world.identity.throttling._sign_in_address._replace(count_max=3)
        limit = 3
    for _ in range(limit):
        assert (await world.http.post(path, json=order)).status_code in {201, 202}
    assert refusal(await world.http.post(path, json=order)) == (429, "too_many_requests")
