"""Tries are counted by the window, together where there is a Redis, and no worse than alone where it fails."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from redis_server import RedisServer
from tikiwallet.platform import shared_counts, throttle
from tikiwallet.platform.config import Settings
from tikiwallet.platform.throttle import Limit, Throttle, TooManyRequests, client_address

KEY = bytes(32)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
THRICE = Limit("thrice", 3, 900)
PHONE = "+6591231001"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path)
    yield found
    found.kill()


@contextlib.asynccontextmanager
async def counting(redis_url: str = "", **changes: int) -> AsyncIterator[Throttle]:
    found = Throttle(Settings(redis_url=redis_url, **changes), key=KEY)
    yield found
    await found.close()


async def tries_left(counts: Throttle, who: str = PHONE, *, now: datetime = NOON) -> int:
    """Use up what `who` has left of three tries, and say how many those were."""
    for used in range(4):
        try:
            await counts.count(THRICE, who, now=now)
        except TooManyRequests:
            return used
    raise AssertionError("no limit")


async def test_each_has_its_own_tries_and_new_ones_in_the_next_window() -> None:
    async with counting() as counts:
        assert await tries_left(counts, now=NOON + timedelta(minutes=14)) == 3
        with pytest.raises(TooManyRequests) as refused:
            await counts.count(THRICE, PHONE, now=NOON + timedelta(minutes=14, seconds=59))
        assert refused.value.retry_after_seconds == 1
        assert await tries_left(counts, "+6591231002", now=NOON + timedelta(minutes=14)) == 3
        assert await tries_left(counts, now=NOON + timedelta(minutes=15)) == 3


@pytest.mark.parametrize(("seconds", "wait"), [(0, "15 minutes"), (809, "2 minutes"), (810, "90 seconds")])
async def test_a_refusal_says_when_to_try_again(seconds: int, wait: str) -> None:
    async with counting() as counts:
        now = NOON + timedelta(seconds=seconds)
        await tries_left(counts, now=now)
        with pytest.raises(TooManyRequests) as refused:
            await counts.count(THRICE, PHONE, now=now)
    assert refused.value.detail == f"You have tried this too often; try again in {wait}."
    assert refused.value.retry_after_seconds == 900 - seconds


async def test_orders_are_counted_for_each_person() -> None:
    async with counting(orders_per_person_max=2) as counts:
        alice, bob = uuid4(), uuid4()
        for person in (alice, bob, alice, bob):
            counts.count_order(person, now=NOON)
        with pytest.raises(TooManyRequests):
            counts.count_order(alice, now=NOON + timedelta(seconds=59))
        counts.count_order(alice, now=NOON + timedelta(seconds=60))


async def test_a_flood_of_strangers_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "KEYS_MAX", 10)
    async with counting() as counts:
        for number in range(25):
            await counts.count(THRICE, f"stranger {number}", now=NOON)
            assert len(counts._seen["thrice"][1]) <= 10


async def test_two_servers_count_together_and_redis_learns_no_phone_number(redis: RedisServer) -> None:
    async with counting(redis.url) as one, counting(redis.url) as other:
        await one.count(THRICE, PHONE, now=NOON)
        assert await tries_left(other) == 2
        assert await tries_left(one) == 0
        assert await tries_left(other, now=NOON + timedelta(minutes=15)) == 3
    assert len(redis.names()) == 2
    assert not any("9123" in key for key in redis.names())


async def test_what_redis_forgets_a_server_that_saw_it_still_knows(redis: RedisServer) -> None:
    async with counting(redis.url) as one, counting(redis.url) as other:
        assert await tries_left(one) == 3
        redis.flush()
        assert await tries_left(one) == 0
        assert await tries_left(other) < 3  # what the first tried since


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_without_redis_each_counts_alone_until_it_is_back(
    redis: RedisServer, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with counting(redis.url) as one, counting(redis.url) as other:
        await one.count(THRICE, PHONE, now=NOON)
        with contextlib.ExitStack() as fault, capture_logs() as logged:
            if how == "killed":
                redis.kill()
                fault.callback(redis.start)
            else:
                fault.enter_context(redis.frozen())
            assert await tries_left(one) == 2
            assert await tries_left(other) == 3
        assert [line["event"] for line in logged] == [
            "redis doesn't answer; each process counts alone until it does"
        ] * 2
        monkeypatch.setattr(shared_counts, "PAUSE_SECONDS", 0)
        for counts in (one, other):
            counts._shared._asked_again_at = 0.0
        with capture_logs() as logged:
            later = NOON + timedelta(hours=1)
            await one.count(THRICE, PHONE, now=later)
            assert await tries_left(other, now=later) == 2
        assert [line["event"] for line in logged] == ["redis answers again; the processes count together"] * 2


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "counted"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # anybody can claim that
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "192.0.2.7, 198.51.100.1", "198.51.100.1"),  # the first was claimed by the client
        ("10.0.0.2", "198.51.100.1, 10.0.0.3", "198.51.100.1"),  # two proxies of ours
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("", "", ""),  # a Unix socket
    ],
)
def test_whose_try_it_is(peer: str, forwarded_for: str, counted: str) -> None:
    assert client_address(peer, forwarded_for=forwarded_for, trusted=("10.0.0.0/8",)) == counted
