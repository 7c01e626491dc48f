"""A passkey signs for this wallet's address, for one purpose, once."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from authenticator import PRESENT, VERIFIED, Authenticator, text
from tikiwallet.identity.passkeys import PASSKEYS_MAX, RelyingParty, relying_party
from world import Someone, World, body_of, money, open_world, refusal, settings_for_tests


async def asked(someone: Someone, path: str = "/v1/proofs/challenge") -> dict[str, Any]:
    challenge: dict[str, Any] = body_of(await someone.post(path), 201)
    return challenge


async def add(someone: Someone, authenticator: Authenticator, name: str = "My phone") -> dict[str, Any]:
    made = authenticator.make(await asked(someone, "/v1/passkeys/challenge"), name=name)
    authenticator.belongs_to(someone.person_id)
    passkey: dict[str, Any] = body_of(await someone.post("/v1/passkeys", made), 201)
    return passkey


async def prove(someone: Someone, answer: dict[str, Any]) -> Response:
    return await someone.post("/v1/proofs", {"passkey": answer})


async def names(someone: Someone) -> list[str]:
    return [item["name"] for item in body_of(await someone.get("/v1/passkeys"), 200)["items"]]


async def test_a_passkey_is_added_named_used_for_a_withdrawal_and_removed(world: World) -> None:
    (alice,) = await world.people(alice="50.00")
    authenticator = Authenticator()
    added = await add(alice, authenticator)
    address = f"/v1/passkeys/{added['passkey_id']}"
    assert added["last_used_at"] is None
    renamed = body_of(await alice.patch(address, {"name": "Blue phone"}), 200)
    assert renamed == {**added, "name": "Blue phone"}
    world.clock.move(minutes=6)
    order, key = {"amount": money("20.00")}, "k"
    refused = await alice.post("/v1/withdrawals", order, key=key)
    assert refusal(refused) == (403, "step_up_required")
    assert refused.json()["methods"] == ["passkey", "password"]
    challenge = await asked(alice)
    assert challenge["credential_ids"] == [text(authenticator.credential_id)]
    assert refusal(await alice.delete(address)) == (403, "step_up_required")
    assert body_of(await prove(alice, authenticator.sign(challenge)), 201)["proved_by"] == "passkey"
    body_of(await alice.post("/v1/withdrawals", order, key=key), 201)
    (listed,) = body_of(await alice.get("/v1/passkeys"), 200)["items"]
    assert listed["last_used_at"] == world.clock.now.isoformat().replace("+00:00", "Z")
    challenge = await asked(alice)
    assert (await alice.delete(address)).status_code == 204
    assert await names(alice) == []
    assert refusal(await prove(alice, authenticator.sign(challenge))) == (422, "passkey_refused")
    assert refusal(await alice.delete(address)) == (404, "passkey_unknown")


async def test_what_was_not_signed_for_this_is_refused(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    mine, his = Authenticator(), Authenticator()
    await add(alice, mine)
    await add(bob, his)
    refused: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "another address": lambda asked: mine.sign(asked, origin="https://tikiwallet.example.evil"),
        "another domain": lambda asked: mine.sign(asked, rp_id="evil.example"),
        "nobody was verified": lambda asked: mine.sign(asked, flags=PRESENT),
        "nobody was there": lambda asked: mine.sign(asked, flags=VERIFIED),
        "a statement of another kind": lambda asked: mine.sign(asked, kind="webauthn.create"),
        "somebody else's passkey": his.sign,
        "nobody's passkey": Authenticator().sign,
        "somebody else's name": lambda asked: {**mine.sign(asked), "user_handle": text(bob.person_id.bytes)},
        "another signature": lambda asked: {**mine.sign(asked), "signature": his.sign(asked)["signature"]},
        "no signature": lambda asked: {**mine.sign(asked), "signature": "AAEC"},
        "half of what was signed": lambda asked: {**mine.sign(asked), "authenticator_data": "AAEC"},
        "no base64": lambda asked: {**mine.sign(asked), "credential_id": "AAECA"},
    }
    for why, answer in refused.items():
        assert refusal(await prove(alice, answer(await asked(alice)))) == (422, "passkey_refused"), why
    for client_data in (b"", b"[]", b"{}", b"\xff", b'{"challenge": "A"}', b'{"challenge": 1}'):
        answer = {**mine.sign(await asked(alice)), "client_data": text(client_data or b" ")}
        assert refusal(await prove(alice, answer)) == (422, "passkey_refused"), client_data
    assert body_of(await prove(alice, mine.sign(await asked(alice))), 201)["proved_by"] == "passkey"


async def test_a_challenge_is_for_one_purpose_one_session_once_and_five_minutes(world: World) -> None:
    (alice,) = await world.people("alice")
    authenticator = Authenticator()
    await add(alice, authenticator)
    elsewhere = await world.sign_in_again(alice)
    unknown = (409, "passkey_challenge_unknown")
    challenge = await asked(alice)
    answer = authenticator.sign(challenge)
    assert refusal(await prove(elsewhere, answer)) == unknown
    body_of(await prove(alice, answer), 201)
    assert refusal(await prove(alice, answer)) == unknown  # replayed
    assert refusal(await prove(alice, authenticator.sign(challenge))) == unknown  # signed anew
    registering = await asked(alice, "/v1/passkeys/challenge")
    assert refusal(await prove(alice, authenticator.sign(registering))) == unknown
    proving = await asked(alice)
    assert refusal(await alice.post("/v1/passkeys", Authenticator().make(proving))) == unknown
    world.clock.move(minutes=5)
    assert refusal(await prove(alice, authenticator.sign(proving))) == unknown
    made_up = {"challenge": text(bytes(32)), "rp_id": "localhost"}
    assert refusal(await prove(alice, authenticator.sign(made_up))) == unknown
    # Of many answers to one challenge at once, one counts.
    answers = [authenticator.sign(c) for c in [await asked(alice)] * 8]
    found = [answer.status_code for answer in await asyncio.gather(*(prove(alice, each) for each in answers))]
    assert sorted(found) == [201, *[409] * 7]


async def test_a_copy_is_found_by_its_count(world: World) -> None:
    (alice,) = await world.people("alice")
    counting, synced = Authenticator(), Authenticator(sign_count=None)
    await add(alice, counting)
    await add(alice, synced)
    body_of(await prove(alice, counting.sign(await asked(alice))), 201)
    counting.sign_count = 0  # the copy was made earlier
    assert refusal(await prove(alice, counting.sign(await asked(alice)))) == (409, "passkey_copied")
    for _ in range(2):
        body_of(await prove(alice, synced.sign(await asked(alice))), 201)
    # The same count at once: one of the two is the copy, whichever it is.
    counting.sign_count, challenges = 10, [await asked(alice), await asked(alice)]
    answers = []
    for challenge in challenges:
        answers.append(counting.sign(challenge))
        counting.sign_count = 10
    found = await asyncio.gather(*(prove(alice, answer) for answer in answers))
    assert sorted(answer.status_code for answer in found) == [201, 409]


async def test_what_is_no_new_passkey_of_mine_is_not_kept(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    mine = Authenticator()
    await add(alice, mine)

    async def offer(someone: Someone, authenticator: Authenticator, **cheat: Any) -> tuple[int, str]:
        made = authenticator.make(await asked(someone, "/v1/passkeys/challenge"), **cheat)
        return refusal(await someone.post("/v1/passkeys", made))

    assert await offer(bob, mine) == (409, "passkey_taken")
    assert await offer(bob, Authenticator(), origin="https://evil.example") == (422, "passkey_refused")
    assert await offer(bob, Authenticator(), rp_id="evil.example") == (422, "passkey_refused")
    assert await offer(bob, Authenticator(), flags=PRESENT) == (422, "passkey_refused")
    made = Authenticator().make(await asked(bob, "/v1/passkeys/challenge"))
    for broken in (
        b"\xa0",
        b"\xff" * 40,
        b"\xff" * 6000,
        base64.urlsafe_b64decode(made["authenticator_data"] + "==")[:-9],
    ):
        offered = Authenticator().make(await asked(bob, "/v1/passkeys/challenge"))
        answer = await bob.post("/v1/passkeys", {**offered, "authenticator_data": text(broken)})
        assert refusal(answer) == (422, "passkey_refused"), broken
    for name in ("", "x" * 41):
        assert refusal(await bob.post("/v1/passkeys", {**made, "name": name})) == (400, "request_invalid")
    assert await names(bob) == []
    for number in range(PASSKEYS_MAX):
        await add(bob, Authenticator(), name=str(number))
    assert refusal(await bob.post("/v1/passkeys/challenge")) == (409, "passkeys_too_many")
    first = body_of(await bob.get("/v1/passkeys"), 200)["items"][0]["passkey_id"]
    assert refusal(await alice.delete(f"/v1/passkeys/{first}")) == (404, "passkey_unknown")
    assert (await bob.delete(f"/v1/passkeys/{first}")).status_code == 204
    # Two at once for the last place: one fits.
    offers = [Authenticator().make(await asked(bob, "/v1/passkeys/challenge")) for _ in range(2)]
    found = await asyncio.gather(*(bob.post("/v1/passkeys", offered) for offered in offers))
    assert sorted(answer.status_code for answer in found) == [201, 409]
    assert [answer.json()["code"] for answer in found if answer.status_code == 409] == ["passkeys_too_many"]
    world.clock.move(minutes=6)
    assert refusal(await bob.post("/v1/passkeys/challenge")) == (403, "step_up_required")
    assert refusal(await bob.post("/v1/passkeys", made)) == (403, "step_up_required")


async def test_without_an_address_there_are_no_passkeys(database_url: str, data_dir: Path) -> None:
    production = {"mode": "production", "password_memory_kib": 19 * 1024, "password_passes": 2, "bank": "none"}
    settings = settings_for_tests(data_dir, **production)
    assert relying_party(settings) is None
    async with open_world(database_url, data_dir, **production) as world:
        (alice,) = await world.people("alice")
        assert refusal(await alice.post("/v1/proofs/challenge")) == (503, "passkeys_unavailable")
    told = settings_for_tests(data_dir, **production, origin="https://wallet.example:8443")
    assert relying_party(told) == RelyingParty("https://wallet.example:8443", "wallet.example")


async def test_old_challenges_are_forgotten(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    for _ in range(3):
        await asked(alice)
    world.clock.move(minutes=6)
    await asked(alice)
    kept = await world.identity.passkeys._db.pool.fetchval("SELECT count(*) FROM identity.passkey_challenge")
    assert kept == 1


@pytest.mark.parametrize("where", ["authenticator_data", "client_data", "signature"])
async def test_one_bit_that_is_turned_is_noticed(world: World, where: str) -> None:
    (alice,) = await world.people("alice")
    authenticator = Authenticator(sign_count=None)
    await add(alice, authenticator)
    for position in (0, 7, 33, -1):
        answer = authenticator.sign(await asked(alice))
        turned = bytearray(base64.urlsafe_b64decode(answer[where] + "=="))
        turned[position] ^= 1
        assert refusal(await prove(alice, {**answer, where: text(bytes(turned))}))[0] in {409, 422}, position
    assert json.loads(base64.urlsafe_b64decode(answer["client_data"] + "=="))["origin"] == "http://localhost:8000"
