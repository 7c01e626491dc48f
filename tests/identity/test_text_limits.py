"""Text messages cost money: limits for a number, its neighbours and its country, and for everybody's together."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from httpx import Response
from structlog.testing import capture_logs

from tikiwallet.identity.table_counts import TableCounts
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.throttle import Limit, Throttle, TooManyRequests
from world import PASSWORD, Clock, World, body_of, open_world, refusal

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
THRICE = Limit("thrice", 3, 900)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every world begin at noon: no test stands across the end of an hour or a day."""

    def at_noon(clock: Clock) -> None:
        clock.now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)

    monkeypatch.setattr(Clock, "__init__", at_noon)


async def begin(world: World, phone: str) -> Response:
    order = {"phone": phone, "username": f"p{phone[1:]}", "password": PASSWORD}
    return await world.http.post("/v1/registrations", json=order)


async def began(world: World, *phones: str) -> list[int]:
    return [(await begin(world, phone)).status_code for phone in phones]


async def test_numbers_that_differ_in_their_last_digits_share_a_limit(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, texts_per_prefix_max=3) as world:
        started = body_of(await begin(world, "+6591231001"), 202)
        fresh = f"/v1/registrations/{started['registration_id']}/code"
        assert (await world.http.post(fresh)).status_code == 202  # sent again counts too
        assert await began(world, "+6591239999", "+6591230000", "+6591240000") == [202, 429, 202]
        code = world.code_sent_to("+6591231001")
        answer = await world.http.post(fresh)
        assert refusal(answer) == (429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        verified = await world.http.post(fresh.replace("code", "verification"), json={"code": code})
        assert verified.status_code == 201  # the code that was sent isn't lost by asking for another one
        world.clock.move(hours=1)
        assert await began(world, "+6591230000") == [202]


async def test_a_country_has_a_limit_for_the_day(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, texts_per_country_max=2) as world:
        assert await began(world, "+6591231001", "+6591241001", "+6591251001") == [202, 202, 429]
        assert await began(world, "+60123456789") == [202]
        world.clock.move(hours=1)
        assert await began(world, "+6591251001") == [429]
        world.clock.move(hours=11)
        assert await began(world, "+6591251001") == [202]


async def test_one_number_is_sent_a_few_messages_whatever_for(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, texts_per_phone_max=3) as world:
        started = body_of(await begin(world, "+6591231001"), 202)
        fresh = f"/v1/registrations/{started['registration_id']}/code"
        answers = [(await world.http.post(fresh)).status_code for _ in range(3)]
        assert (answers, len(world.texts_to("+6591231001"))) == ([202, 202, 429], 3)


async def test_past_the_budget_no_code_is_sent_and_passwords_still_work(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, texts_per_hour_max=3, texts_per_day_max=4) as world:
        (alice,) = await world.people("alice")
        with capture_logs() as logged:
            assert await began(world, "+6591241001", "+6591251001", "+6591261001", "+6591271001") == [
                202, 202, 503, 503,
            ]  # fmt: skip
            answer = await begin(world, "+6591281001")
        assert refusal(answer) == (503, "sms_paused")
        assert answer.headers["retry-after"] == "3600"
        said = [line for line in logged if line["log_level"] == "error"]
        assert [(line["event"], line["period"], line["sent"]) for line in said] == [
            ("text messages are paused: the limit is reached", "hour", 3)
        ]
        session = {"phone": alice.phone, "password": PASSWORD}
        assert (await world.http.post("/v1/sessions", json=session)).status_code == 201
        world.clock.move(hours=1, minutes=30)
        # The hour is new and the day isn't; and what was refused was no message, so that one is left of it.
        assert await began(world, "+6591241002", "+6591251002") == [202, 503]
        assert (await begin(world, "+6591251003")).headers["retry-after"] == str(10 * 3600 + 1800)
        world.clock.move(hours=10, minutes=30)
        assert await began(world, "+6591251002") == [202]


async def test_processes_spend_one_budget_together(database_url: str, data_dir: Path) -> None:
    budget = {"texts_per_hour_max": 5}
    async with (
        open_world(database_url, data_dir, **budget) as one,
        open_world(database_url, data_dir, **budget) as other,
    ):
        phones = [f"+659{number}001234" for number in range(1, 9)]
        answers = await asyncio.gather(
            *(begin(world, phone) for world, phone in zip([one, other] * 4, phones, strict=True))
        )
        assert sorted(answer.status_code for answer in answers) == [202] * 5 + [503] * 3
        assert sum(len(one.texts_to(phone)) for phone in phones) == 5
    connection = await asyncpg.connect(database_url)
    assert await connection.fetch("SELECT period, sent FROM identity.sms_budget ORDER BY 1") == [
        ("day", 5),
        ("hour", 5),
    ]
    await connection.close()


async def test_without_redis_processes_count_together_in_a_table(database_url: str) -> None:
    db = Database(database_url, context="identity", size_max=2)
    await db.open()
    connection = await asyncpg.connect(database_url)
    try:
        one, other = (Throttle(Settings(workers=2), key=bytes(32), table=TableCounts(db)) for _ in range(2))
        alone = Throttle(Settings(workers=1), key=bytes(32), table=TableCounts(db))
        for throttle in (one, other, one, alone):
            await throttle.count(THRICE, "+6591231001", now=NOON)
        for throttle in (one, other, other, other):
            with pytest.raises(TooManyRequests):
                await throttle.count(THRICE, "+6591231001", now=NOON)
        await other.count(THRICE, "+6591231002", now=NOON)
        rows = await connection.fetch("SELECT name, count FROM identity.tried_count ORDER BY count")
        # What a process has seen too much of by itself isn't passed on: the last try of the four.
        assert [row["count"] for row in rows] == [1, 6]
        assert not any("9123" in row["name"] for row in rows)
        await one.count(THRICE, "+6591231001", now=NOON + timedelta(minutes=15))
        await one.count(THRICE, "+6591231003", now=NOON + timedelta(minutes=31))
        assert await connection.fetchval("SELECT count(*) FROM identity.tried_count") == 1
    finally:
        await connection.close()
        await db.close()


async def test_several_workers_use_the_table_by_themselves(database_url: str, data_dir: Path) -> None:
    changes = {"workers": 2, "sign_ins_per_phone_max": 2}
    async with (
        open_world(database_url, data_dir, **changes) as one,
        open_world(database_url, data_dir, **changes) as other,
    ):
        order = {"phone": "+6591231001", "password": "a wrong one"}
        answers = [await world.http.post("/v1/sessions", json=order) for world in (one, other, one)]
        assert [answer.status_code for answer in answers] == [401, 401, 429]
