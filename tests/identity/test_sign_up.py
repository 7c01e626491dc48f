"""Signing up: who proves the phone becomes the person."""

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from httpx import Response

from tikiwallet.identity.codes import CodeWrong
from tikiwallet.identity.registration import NewRegistration
from tikiwallet.identity.types import PersonId
from world import PASSWORD, World, a_session, body_of, open_world, refusal


async def register(
    world: World, *, phone: str = "+6591110001", username: str = "asha", password: str = PASSWORD
) -> Response:
    order = {"phone": phone, "username": username, "password": password}
    return await world.http.post("/v1/registrations", json=order)


async def begin(world: World, *, phone: str = "+6591110001", username: str = "asha") -> str:
    """Begin a sign-up and return the path of the registration."""
    started = body_of(await register(world, phone=phone, username=username), 202)
    return f"/v1/registrations/{started['registration_id']}"


async def verify(world: World, registration: str, code: str) -> Response:
    return await world.http.post(f"{registration}/verification", json={"code": code})


def wrong(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 1_000_000:06d}"


async def test_people_sign_up_and_are_signed_in(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    assert body_of(await alice.get("/v1/me"), 200) == {
        "person_id": str(alice.person_id), "username": "alice", "phone": alice.phone, "tier": "phone",
    }  # fmt: skip
    assert alice.person_id != bob.person_id


async def test_the_code_comes_by_text_message_and_never_in_an_answer(world: World) -> None:
    started = await register(world, phone="+65 9111 0001")
    assert started.status_code == 202
    assert set(started.json()) == {"registration_id", "code_expires_at"}
    code = world.code_sent_to("+6591110001")
    assert world.texts_to("+6591110001") == [
        f"{code} is your TikiWallet code for the next 10 minutes. Never tell it to anybody, not even to us."
    ]
    assert code not in started.text
    assert started.headers["cache-control"] == "no-store"


async def test_a_session_begins_when_the_phone_is_proven(world: World) -> None:
    registration = await begin(world)
    session = body_of(await verify(world, registration, world.code_sent_to("+6591110001")), 201)
    assert set(session) == {
        "token",
        "token_expires_at",
        "token_ttl_seconds",
        "refresh_token",
        "expires_at",
        "person",
        "notices",
    }
    assert set(session["person"]) == {"person_id", "username", "phone", "tier"}


async def test_a_username_that_could_be_mistaken_is_refused(world: World) -> None:
    for username in ("", "ab", "1asha", "_asha", "asha!", "as ha", "\u0430sha", "asha\n", "a" * 29 + "\n"):
        answer = await register(world, username=username)
        assert refusal(answer) == (422, "username_invalid"), username
        assert answer.json()["field"] == "username"


async def test_a_username_is_taken_in_any_case(world: World) -> None:
    await world.people("Alice")
    answer = await register(world, username="aLICE")
    assert refusal(answer) == (409, "username_taken")
    assert answer.json()["field"] == "username"


async def test_a_phone_that_receives_no_texts_is_refused(world: World) -> None:
    for phone in ("", "91110001", "+65", "+6591", "asha", "+65911100011", "+18005551234", "+19005551234"):
        answer = await register(world, phone=phone)
        assert refusal(answer) == (422, "phone_invalid"), phone
        assert answer.json()["field"] == "phone"


async def test_only_phones_of_the_operators_countries_may_sign_up(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, phone_countries=("MY", "SG"), phone_country="SG") as world:
        assert refusal(await register(world, phone="+447400123456")) == (422, "phone_country_refused")
        asha = await world.sign_up("asha", phone="+60123456789")
        assert body_of(await asha.get("/v1/me"), 200)["phone"] == "+60123456789"
        assert (await register(world, phone="9111 0001", username="ben")).status_code == 202
        assert world.texts_to("+6591110001")  # read as a number of the default country


async def test_a_password_that_is_easily_guessed_is_refused(world: World) -> None:
    guessed = ("short", "x" * 129, "aabbaabb", "Password1", "my asha is great", "call 91110001 now", "ab" * 5)
    for password in guessed:
        answer = await register(world, password=password)
        assert refusal(answer) == (422, "password_refused"), password
        assert answer.json()["field"] == "password"
        assert password not in answer.text


async def test_nobody_learns_from_signing_up_that_a_phone_has_a_wallet(world: World) -> None:
    (alice,) = await world.people("alice")
    for_free = await register(world, phone="+6591110009", username="mallory")
    for_taken = await register(world, phone=alice.phone, username="mallory")
    assert for_taken.status_code == for_free.status_code == 202
    assert set(for_taken.json()) == set(for_free.json())
    assert "sign in instead" in world.texts_to(alice.phone)[-1]
    taken = f"/v1/registrations/{for_taken.json()['registration_id']}"
    assert body_of(await world.http.post(f"{taken}/code"), 202).keys() == for_free.json().keys()
    assert "sign in instead" in world.texts_to(alice.phone)[-1]
    assert not any(word.isdigit() for word in world.texts_to(alice.phone)[-1].split())


async def test_the_first_to_prove_a_phone_gets_it(world: World) -> None:
    first, second = await begin(world, username="asha"), await begin(world, username="ben")
    code_of_first, code_of_second = [text[:6] for text in world.texts_to("+6591110001")]
    assert (await verify(world, second, code_of_second)).status_code == 201
    assert refusal(await verify(world, first, code_of_first)) == (409, "phone_taken")


async def test_the_first_to_prove_a_phone_gets_the_username(world: World) -> None:
    first = await begin(world, phone="+6591110001", username="asha")
    second = await begin(world, phone="+6591110002", username="ASHA")
    assert (await verify(world, second, world.code_sent_to("+6591110002"))).status_code == 201
    assert refusal(await verify(world, first, world.code_sent_to("+6591110001"))) == (409, "username_taken")
    await world.sign_up("asha2", phone="+6591110001")  # the phone is still free


async def test_a_code_is_used_once(world: World) -> None:
    registration = await begin(world)
    code = world.code_sent_to("+6591110001")
    assert (await verify(world, registration, code)).status_code == 201
    assert refusal(await verify(world, registration, code)) == (409, "code_used")
    assert refusal(await verify(world, registration, wrong(code))) == (409, "code_used")
    assert refusal(await world.http.post(f"{registration}/code")) == (409, "code_used")


async def test_one_code_sent_many_times_at_once_makes_one_person(world: World, database_url: str) -> None:
    registration = await begin(world)
    code = world.code_sent_to("+6591110001")
    answers = await asyncio.gather(*(verify(world, registration, code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {refusal(answer) for answer in answers if answer.status_code == 409} == {(409, "code_used")}
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM identity.person") == 1
    assert await connection.fetchval("SELECT count(*) FROM identity.session") == 1
    await connection.close()


async def test_after_five_wrong_codes_the_right_one_is_refused(world: World) -> None:
    registration = await begin(world)
    code = world.code_sent_to("+6591110001")
    for tries in range(1, 6):
        answer = await verify(world, registration, wrong(code, by=tries))
        assert refusal(answer) == (422, "code_wrong")
        assert answer.json()["detail"].endswith(f"Tries left: {5 - tries}.")
    assert refusal(await verify(world, registration, code)) == (409, "code_attempts_used_up")
    assert refusal(await world.http.post(f"{registration}/code")) == (409, "code_attempts_used_up")


async def test_guesses_at_once_are_all_counted(world: World) -> None:
    registration = await begin(world)
    code = world.code_sent_to("+6591110001")
    answers = await asyncio.gather(*(verify(world, registration, wrong(code, by=n)) for n in range(1, 21)))
    assert sorted(refusal(answer)[1] for answer in answers) == ["code_attempts_used_up"] * 15 + ["code_wrong"] * 5


async def test_a_fresh_code_brings_no_fresh_tries(world: World) -> None:
    registration = await begin(world)
    for tries in range(1, 6):
        await world.http.post(f"{registration}/code")
        code = world.code_sent_to("+6591110001")
        if tries < 5:
            assert refusal(await verify(world, registration, wrong(code))) == (422, "code_wrong")
    assert (await verify(world, registration, wrong(code))).json()["detail"].endswith("Tries left: 0.")
    assert refusal(await verify(world, registration, code)) == (409, "code_attempts_used_up")


async def test_a_fresh_code_replaces_the_one_before(world: World) -> None:
    registrations, now = world.identity.registrations, world.clock.now
    new = NewRegistration(uuid4(), PersonId(uuid4()), "111111")
    await registrations.register(new, phone="+6591110001", username="asha", password=PASSWORD, now=now)
    await registrations.send_fresh_code(new.registration_id, code="222222", now=now)
    with pytest.raises(CodeWrong):
        await registrations.verify(new.registration_id, a_session(), code="111111", now=now)
    session = await registrations.verify(new.registration_id, a_session(), code="222222", now=now)
    assert session.person.person_id == new.person_id


async def test_five_codes_are_sent_and_no_more(world: World) -> None:
    registration = await begin(world)
    for _ in range(4):
        assert (await world.http.post(f"{registration}/code")).status_code == 202
    assert refusal(await world.http.post(f"{registration}/code")) == (409, "code_sends_used_up")
    assert len(world.texts_to("+6591110001")) == 5
    assert (await verify(world, registration, world.code_sent_to("+6591110001"))).status_code == 201


async def test_a_code_lives_for_ten_minutes(world: World) -> None:
    registration = await begin(world)
    code = world.code_sent_to("+6591110001")
    world.clock.move(minutes=10)
    answer = await verify(world, registration, code)
    assert refusal(answer) == (422, "code_expired")
    assert answer.json()["field"] == "code"
    assert (await world.http.post(f"{registration}/code")).status_code == 202
    world.clock.move(minutes=9, seconds=59)
    assert (await verify(world, registration, world.code_sent_to("+6591110001"))).status_code == 201


async def test_a_sign_up_lives_for_an_hour_and_its_last_code_no_longer(world: World) -> None:
    registration = await begin(world)
    world.clock.move(minutes=55)
    started = body_of(await world.http.post(f"{registration}/code"), 202)
    world.clock.move(minutes=5)
    assert started["code_expires_at"] == world.clock.now.isoformat().replace("+00:00", "Z")
    code = world.code_sent_to("+6591110001")
    assert refusal(await verify(world, registration, code)) == (404, "registration_unknown")
    assert refusal(await world.http.post(f"{registration}/code")) == (404, "registration_unknown")


async def test_a_sign_up_that_never_was_is_unknown(world: World) -> None:
    assert refusal(await verify(world, f"/v1/registrations/{uuid4()}", "123456")) == (404, "registration_unknown")


async def test_what_cannot_be_a_code_costs_no_try(world: World) -> None:
    registration = await begin(world)
    for code in ("12345", "1234567", "12345a", "12345\n", "123456\n", "\uff11\uff12\uff13\uff14\uff15\uff16"):
        answer = await verify(world, registration, code)
        assert refusal(answer) == (400, "request_invalid"), code
        assert answer.json()["field"] == "code"
    assert (await verify(world, registration, wrong(world.code_sent_to("+6591110001")))).json()["detail"].endswith("4.")


async def test_a_sign_up_without_a_field_names_it(world: World) -> None:
    order = {"phone": "+6591110001", "username": "asha", "password": PASSWORD}
    for missing in order:
        rest = {name: value for name, value in order.items() if name != missing}
        answer = await world.http.post("/v1/registrations", json=rest)
        assert refusal(answer) == (400, "request_invalid")
        assert missing in answer.json()["detail"]


async def test_sign_ups_of_the_day_before_are_forgotten(world: World, database_url: str) -> None:
    await begin(world, phone="+6591110001", username="asha")
    world.clock.move(hours=25)
    await begin(world, phone="+6591110002", username="ben")
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT array_agg(username) FROM identity.registration") == ["asha", "ben"]
    world.clock.move(seconds=1)
    await begin(world, phone="+6591110003", username="carla")
    assert await connection.fetchval("SELECT array_agg(username) FROM identity.registration") == ["ben", "carla"]
    assert await connection.fetchval("SELECT count(*) FROM identity.one_time_code") == 2
    await connection.close()
