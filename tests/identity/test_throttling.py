"""Whoever guesses or floods is slowed down: by phone number and by address, however the number is spelt."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from httpx import Response

from world import PASSWORD, Clock, World, body_of, open_world, refusal


async def sign_in(world: World, phone: str, *, password: str = PASSWORD, address: str = "") -> Response:
    headers = {"x-forwarded-for": address} if address else {}
    return await world.http.post("/v1/sessions", json={"phone": phone, "password": password}, headers=headers)


async def begin(world: World, username: str, phone: str) -> Response:
    order = {"phone": phone, "username": username, "password": PASSWORD}
    return await world.http.post("/v1/registrations", json=order)


@pytest.fixture(autouse=True)
def start_of_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every world begin on the hour: no test stands across the end of a window."""

    def on_the_hour(clock: Clock) -> None:
        clock.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    monkeypatch.setattr(Clock, "__init__", on_the_hour)


async def test_a_password_can_be_guessed_a_few_times_only(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_phone_max=3) as world:
        alice, bob = await world.people("alice", "bob")
        spellings = [alice.phone, f"{alice.phone[:3]} {alice.phone[3:7]} {alice.phone[7:]}", alice.phone]
        for phone in spellings:
            assert refusal(await sign_in(world, phone, password="guess")) == (401, "credentials_wrong")
        answer = await sign_in(world, alice.phone)  # the right one doesn't help now
        assert refusal(answer) == (429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= 900
        body_of(await sign_in(world, bob.phone), 201)
        assert await alice.balance() == "0.00"  # who is signed in notices nothing
        world.clock.move(minutes=15)
        body_of(await sign_in(world, alice.phone), 201)


async def test_a_number_without_a_wallet_is_refused_alike(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_phone_max=1) as world:
        assert refusal(await sign_in(world, "+6591239999")) == (401, "credentials_wrong")
        assert refusal(await sign_in(world, "+6591239999")) == (429, "too_many_requests")


async def test_one_address_cannot_try_everybody(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_address_max=2, trusted_proxies=("127.0.0.1",)) as world:
        for number in range(2):
            answer = await sign_in(world, f"+659123999{number}", address="198.51.100.1")
            assert refusal(answer) == (401, "credentials_wrong")
        answer = await sign_in(world, "+6591239992", address="198.51.100.1")
        assert refusal(answer) == (429, "too_many_requests")
        answer = await sign_in(world, "+6591239992", address="198.51.100.2")
        assert refusal(answer) == (401, "credentials_wrong")


async def test_an_address_that_nobody_vouches_for_buys_no_tries(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ins_per_address_max=1) as world:
        answer = await sign_in(world, "+6591239991", address="198.51.100.1")
        assert refusal(answer) == (401, "credentials_wrong")
        answer = await sign_in(world, "+6591239992", address="198.51.100.2")
        assert refusal(answer) == (429, "too_many_requests")


async def test_a_phone_is_sent_a_few_texts_only(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ups_per_phone_max=2) as world:
        for number in range(2):
            body_of(await begin(world, f"alice_{number}", "+6591231001"), 202)
            assert refusal(await begin(world, "?", "+6591231001")) == (422, "username_invalid")  # sends nothing
        assert refusal(await begin(world, "alice_2", "+65 9123 1001")) == (429, "too_many_requests")
        assert len(world.texts_to("+6591231001")) == 2
        body_of(await begin(world, "bob", "+6591231002"), 202)
        world.clock.move(hours=1)
        body_of(await begin(world, "alice_2", "+6591231001"), 202)


async def test_one_address_cannot_sign_up_the_whole_city(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, sign_ups_per_address_max=2) as world:
        await world.people("alice", "bob")
        assert refusal(await begin(world, "carol", "+6591231003")) == (429, "too_many_requests")


async def test_codes_of_many_sign_ups_cannot_be_guessed_from_one_address(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, codes_per_address_max=3) as world:
        started = [body_of(await begin(world, f"guest_{n}", f"+659123100{n}"), 202) for n in range(2)]
        one, other = (f"/v1/registrations/{item['registration_id']}" for item in started)
        wrong = f"{(int(world.code_sent_to('+6591231000')) + 1) % 1_000_000:06d}"
        answers = [
            await world.http.post(f"{one}/verification", json={"code": wrong}),
            await world.http.post(f"{one}/code"),
            await world.http.post(f"{other}/verification", json={"code": "abcdef"}),
            await world.http.post(f"{other}/code"),
            await world.http.post(f"{other}/verification", json={"code": world.code_sent_to("+6591231001")}),
        ]
        assert [answer.status_code for answer in answers] == [422, 202, 400, 202, 429]
        assert refusal(await world.http.post(f"{one}/code")) == (429, "too_many_requests")
        world.clock.move(minutes=15)
        code = world.code_sent_to("+6591231001")
        answer = await world.http.post(f"{other}/verification", json={"code": code})
        assert refusal(answer) == (422, "code_expired")
