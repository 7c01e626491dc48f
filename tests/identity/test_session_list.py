"""A person sees where they are signed in and ends what they don't know."""

from pathlib import Path
from uuid import uuid4

import pytest

from tikiwallet.identity.session_labels import label_of
from world import PASSWORD, Someone, World, body_of, open_world, refusal

ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.2 Mobile/15E148 Safari/604.1"
)


async def sign_in_again(world: World, who: Someone, user_agent: str = ANDROID) -> Someone:
    order = {"phone": who.phone, "password": PASSWORD}
    answer = await world.http.post("/v1/sessions", json=order, headers={"user-agent": user_agent})
    return Someone(world.http, body_of(answer, 201))


async def sessions_of(who: Someone) -> list[dict[str, object]]:
    items: list[dict[str, object]] = body_of(await who.get("/v1/sessions"), 200)["items"]
    return items


async def id_of(who: Someone) -> object:
    return next(item["session_id"] for item in await sessions_of(who) if item["is_current"])


async def test_the_list_names_each_session_and_marks_this_one(world: World) -> None:
    (alice,) = await world.people("alice")
    world.clock.move(minutes=1)
    other = await sign_in_again(world, alice)
    world.clock.move(minutes=10)
    other.take(await other.refresh())
    newest, oldest = await sessions_of(other)
    assert (newest["label"], newest["is_current"], oldest["is_current"]) == ("Chrome · Android", True, False)
    assert str(newest["last_seen_at"]) > str(newest["issued_at"])  # by the refresh
    assert oldest["last_seen_at"] == oldest["issued_at"]


async def test_being_seen_is_written_down_once_in_five_minutes(world: World) -> None:
    (alice,) = await world.people("alice")
    (first,) = await sessions_of(alice)
    world.clock.move(minutes=4)
    assert await sessions_of(alice) == [first]
    world.clock.move(minutes=1)
    (seen,) = await sessions_of(alice)
    assert seen["last_seen_at"] == world.clock.now.isoformat().replace("+00:00", "Z")


async def test_an_ended_session_is_out_at_the_next_request_and_gone_from_the_list(world: World) -> None:
    (alice,) = await world.people("alice")
    other = await sign_in_again(world, alice)
    ended = await id_of(other)
    for _ in range(2):  # the answer was lost; the phone asks again
        assert (await alice.delete(f"/v1/sessions/{ended}")).status_code == 204
    assert refusal(await other.get("/v1/me")) == (401, "session_invalid")
    assert [item["is_current"] for item in await sessions_of(alice)] == [True]


async def test_somebody_elses_session_answers_as_unknown_and_lives_on(world: World) -> None:
    alice, bob = await world.people("alice", "bob")
    not_mine = await alice.delete(f"/v1/sessions/{await id_of(bob)}")
    nobodys = await alice.delete(f"/v1/sessions/{uuid4()}")
    assert refusal(not_mine) == refusal(nobodys) == (404, "session_unknown")
    assert not_mine.content == nobodys.content
    assert (await bob.get("/v1/me")).status_code == 200


async def test_a_session_that_ran_out_is_not_in_the_list(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, session_ttl_seconds=600) as world:
        (alice,) = await world.people("alice")
        world.clock.move(minutes=9)
        other = await sign_in_again(world, alice)
        assert len(await sessions_of(other)) == 2
        world.clock.move(minutes=1)
        assert len(await sessions_of(other)) == 1


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (ANDROID, "Chrome · Android"),
        (IPHONE, "Safari · iPhone"),
        (f"{ANDROID} EdgA/120.0", "Edge · Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox · Linux"),
        ("tiki", "tiki"),
        ("tiki/1.2", "tiki"),
        ("curl/8.1", ""),
        ("", ""),
        ("<script>" * 1000, ""),
    ],
)
def test_a_label_is_short_and_made_of_known_words(user_agent: str, label: str) -> None:
    assert label_of(user_agent) == label
