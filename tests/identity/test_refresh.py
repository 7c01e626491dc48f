"""A session goes on by refresh tokens that work once; whoever copies one ends it, and a lost answer doesn't."""

import asyncio
from pathlib import Path

import asyncpg

from world import Someone, World, body_of, open_world, refusal

OUT = (401, "session_invalid")


async def refreshes(who: Someone, *, minutes: int, world: World, times: int) -> None:
    for _ in range(times):
        world.clock.move(minutes=minutes)
        who.take(await who.refresh())


async def test_an_access_token_lasts_ten_minutes_and_its_session_goes_on(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    first_token, first_refresh = alice.token, alice.refresh_token
    world.clock.move(minutes=10, seconds=-1)
    assert (await alice.get("/v1/me")).status_code == 200
    world.clock.move(seconds=1)
    assert refusal(await alice.get("/v1/me")) == OUT
    alice.take(await alice.refresh())
    assert (await alice.get("/v1/me")).status_code == 200
    assert alice.token != first_token
    assert len({first_refresh, alice.refresh_token}) == 2
    assert len(body_of(await alice.get("/v1/sessions"), 200)["items"]) == 1  # one session all along
    connection = await asyncpg.connect(database_url)
    kept = "".join(str(row) for row in await connection.fetch("SELECT * FROM identity.refresh_token"))
    await connection.close()
    assert first_refresh not in kept
    assert alice.refresh_token not in kept


async def test_a_session_ends_after_six_hours_however_often_it_is_refreshed(world: World) -> None:
    (alice,) = await world.people("alice")
    await refreshes(alice, world=world, minutes=30, times=11)
    world.clock.move(minutes=29)
    answer = body_of(await alice.refresh(), 201)
    assert answer["token_expires_at"] == answer["expires_at"]  # no token outlives its session
    world.clock.move(minutes=1)
    assert refusal(await alice.refresh()) == OUT


async def test_a_session_that_nobody_uses_ends_within_the_hour(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, access_token_seconds=6 * 3600) as world:
        used, left = await world.people("used", "left")
        again = await world.sign_in_again(left)
        for _ in range(6):
            world.clock.move(minutes=9)
            assert (await used.get("/v1/me")).status_code == 200
        assert len(body_of(await again.get("/v1/sessions"), 200)["items"]) == 2
        world.clock.move(minutes=6)
        assert (await used.get("/v1/me")).status_code == 200
        assert refusal(await left.get("/v1/me")) == OUT
        assert refusal(await left.refresh()) == OUT
        assert len(body_of(await again.get("/v1/sessions"), 200)["items"]) == 1
        # "Seen" is at most five minutes behind: so the idle hour is never longer, and at most so much shorter.
        world.clock.move(minutes=4, seconds=59)
        assert (await used.get("/v1/me")).status_code == 200
        world.clock.move(minutes=55)
        assert (await used.get("/v1/me")).status_code == 200
        world.clock.move(minutes=60)
        assert refusal(await used.get("/v1/me")) == OUT


async def test_a_lost_answer_is_given_again_and_costs_nobody_the_session(world: World) -> None:
    (alice,) = await world.people("alice")
    lost = body_of(await alice.refresh(key="k1"), 201)
    world.clock.move(minutes=50)  # a long tunnel
    again = body_of(await alice.refresh(key="k1"), 201)
    assert again["refresh_token"] == lost["refresh_token"]
    assert again["token"] != lost["token"]  # a fresh one: the other has run out
    alice.refresh_token = again["refresh_token"]
    alice.take(await alice.refresh(key="k1"))  # a key that a client keeps for its next token is no harm
    assert (await alice.get("/v1/me")).status_code == 200


async def test_a_copied_token_ends_the_session_for_everybody_at_once(
    world: World, database_url: str, data_dir: Path
) -> None:
    (alice,) = await world.people("alice")
    copied, other = alice.refresh_token, await world.sign_in_again(alice)
    async with open_world(database_url, data_dir) as elsewhere:
        alice.take(await alice.refresh())
        assert (await alice.moved_to(elsewhere).get("/v1/me")).status_code == 200
        thief = Someone(world.http, {"person": body_of(await alice.get("/v1/me"), 200), "token": ""})
        thief.refresh_token = copied
        assert refusal(await thief.refresh()) == OUT
        for who in (alice, alice.moved_to(elsewhere)):
            assert refusal(await who.get("/v1/me")) == OUT
            assert refusal(await who.refresh()) == OUT
    (notice,) = [item for item in body_of(await other.get("/v1/notices"), 200)["items"] if item["kind"] != "new_device"]
    assert notice["kind"] == "session_copied"
    assert "used in two places" in world.texts_to(alice.phone)[-1]


async def test_an_answer_that_was_recorded_is_worth_nothing_once_its_owner_went_on(world: World) -> None:
    (alice,) = await world.people("alice")
    first = alice.refresh_token
    alice.take(await alice.refresh(key="k1"))
    alice.take(await alice.refresh(key="k2"))
    thief = Someone(world.http, {"person": body_of(await alice.get("/v1/me"), 200), "token": ""})
    thief.refresh_token = first
    assert refusal(await thief.refresh(key="k1")) == OUT  # the whole exchange, recorded
    assert refusal(await alice.get("/v1/me")) == OUT


async def test_a_thief_who_is_first_loses_the_session_when_its_owner_comes(world: World) -> None:
    (alice,) = await world.people("alice")
    thief = Someone(world.http, {"person": body_of(await alice.get("/v1/me"), 200), "token": ""})
    thief.refresh_token = alice.refresh_token
    thief.take(await thief.refresh())
    assert (await thief.get("/v1/me")).status_code == 200
    assert refusal(await alice.refresh()) == OUT
    assert refusal(await thief.get("/v1/me")) == OUT
    assert refusal(await thief.refresh()) == OUT


async def test_the_same_exchange_at_the_same_moment_has_one_successor(
    world: World, database_url: str, data_dir: Path
) -> None:
    (alice,) = await world.people("alice")
    async with open_world(database_url, data_dir) as elsewhere:
        places = [alice, alice.moved_to(elsewhere)] * 6
        answers = await asyncio.gather(*(who.refresh(key="one-exchange") for who in places))
    assert len({body_of(answer, 201)["refresh_token"] for answer in answers}) == 1
    alice.take(answers[0])
    alice.take(await alice.refresh())
    assert (await alice.get("/v1/me")).status_code == 200


async def test_two_exchanges_of_one_token_at_the_same_moment_end_it(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    answers = await asyncio.gather(*(alice.refresh() for _ in range(8)))
    assert [answer.status_code for answer in answers].count(201) == 1
    alice.take(next(answer for answer in answers if answer.status_code == 201))
    assert refusal(await alice.get("/v1/me")) == OUT
    assert refusal(await alice.refresh()) == OUT
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM identity.refresh_token") == 2
    await connection.close()


async def test_a_session_that_was_ended_or_closed_is_not_refreshed(world: World) -> None:
    alice, ben = await world.people("alice", "ben")
    other, third = await world.sign_in_again(alice), await world.sign_in_again(alice)
    assert (await alice.delete("/v1/sessions/others")).status_code == 204
    for ended in (other, third):
        assert refusal(await ended.get("/v1/me")) == OUT
        assert refusal(await ended.refresh()) == OUT
    alice.take(await alice.refresh())
    await alice.delete("/v1/sessions/current")
    assert refusal(await alice.refresh()) == OUT
    body_of(await ben.post("/v1/me/closing"), 200)
    assert refusal(await ben.refresh()) == OUT


async def test_all_sessions_of_a_person_end_when_another_part_says_so(world: World) -> None:
    alice, ben = await world.people("alice", "ben")
    other = await world.sign_in_again(alice)
    async with world.identity.database.transaction() as tx:
        await world.identity.sessions.end_all(tx, alice.person_id, now=world.clock.now)
    assert [refusal(await who.get("/v1/me")) for who in (alice, other)] == [OUT, OUT]
    assert (await ben.get("/v1/me")).status_code == 200


async def test_what_is_no_refresh_token_is_refused(world: World) -> None:
    (alice,) = await world.people("alice")
    for token, expected in (("", "session_missing"), ("x", "session_invalid"), ("\u00e9" * 20, "session_invalid")):
        alice.refresh_token = token
        assert refusal(await alice.refresh()) == (401, expected)
    alice.refresh_token = "x" * 65
    assert refusal(await alice.refresh()) == (400, "request_invalid")


async def test_refreshing_without_end_is_slowed_down(world: World) -> None:
    (alice,) = await world.people("alice")
    for _ in range(120):
        body_of(await alice.refresh(key="the-same"), 201)
    answer = await alice.refresh(key="the-same")
    assert refusal(answer) == (429, "too_many_requests")
    world.clock.move(seconds=int(answer.headers["retry-after"]))
    alice.take(await alice.refresh(key="the-same"))
