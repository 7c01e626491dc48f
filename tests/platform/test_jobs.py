"""Promises outlive crashes: what was enqueued runs until it succeeds, or waits for a person."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
import structlog

from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import DELAY_SECONDS_MAX, Jobs, NotYet, RetryOutcome, ddl, delay_seconds_after

MIGRATIONS = Path(__file__).parents[2] / "src" / "tikiwallet"


def impatient(*, attempts_max: int = 30) -> Jobs:
    """A queue that tries again at once."""
    return Jobs("payments", delay_seconds=lambda _: 0.0, attempts_max=attempts_max, poll_seconds=0.05)


class Facts:
    """What a handler saw, for tests that wait for a fact."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._changed = asyncio.Condition()

    async def add(self, fact: str) -> None:
        async with self._changed:
            self.seen.append(fact)
            self._changed.notify_all()

    async def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: enough(self.seen))
            return list(self.seen)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, context="payments", size_max=4)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def promise(jobs: Jobs, database: Database, key: str, *, after_seconds: int = 0) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, "work", key=key, after_seconds=after_seconds)


async def statuses(owner: asyncpg.Connection) -> dict[str, str]:
    rows = await owner.fetch("SELECT payload, status::text FROM payments_jobs.pgqueuer")
    return {row["payload"].decode(): row["status"] for row in rows}


async def until_statuses(owner: asyncpg.Connection, expected: dict[str, str]) -> None:
    async with asyncio.timeout(20):
        while await statuses(owner) != expected:
            pass


@pytest.mark.parametrize("context", ["payments", "funding"])
def test_the_migration_holds_what_the_queue_wants(context: str) -> None:
    migration = (MIGRATIONS / context / "sql" / "migrations" / "0002_jobs.sql").read_text()
    assert migration.startswith(ddl(context).rstrip() + "\n")


async def test_a_promise_is_kept_once_and_forgotten(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs = Facts(), Jobs("payments")

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    await promise(jobs, database, "before the worker")
    async with jobs.worker(database.driver_pool, {"work": work}):
        await promise(jobs, database, "while it works")
        seen = await facts.until(lambda seen: len(seen) == 2)
    assert sorted(seen) == ["before the worker", "while it works"]
    assert await statuses(owner) == {}


async def test_a_promise_in_a_rolled_back_transaction_is_none(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs = Facts(), Jobs("payments")

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    async def promise_and_fail() -> None:
        async with database.transaction() as tx:
            await jobs.enqueue(tx, "work", key="ghost")
            raise LookupError

    with pytest.raises(LookupError):
        await promise_and_fail()
    async with jobs.worker(database.driver_pool, {"work": work}):
        await promise(jobs, database, "real")
        await facts.until(bool)
    assert facts.seen == ["real"]
    assert await statuses(owner) == {}


async def test_a_handler_that_fails_is_tried_again(database: Database) -> None:
    facts = Facts()
    jobs = impatient()

    async def work(_: bytes) -> None:
        await facts.add("tried")
        if len(facts.seen) == 1:
            raise ConnectionError("the other side is down")
        if len(facts.seen) == 2:
            raise NotYet("the other side is thinking")
        await facts.add("done")

    await promise(jobs, database, "again")
    async with jobs.worker(database.driver_pool, {"work": work}):
        await facts.until(lambda seen: "done" in seen)
    assert facts.seen == ["tried", "tried", "tried", "done"]


async def test_a_job_that_never_succeeds_is_parked_for_a_person(database: Database, owner: asyncpg.Connection) -> None:
    facts = Facts()
    jobs = impatient(attempts_max=3)

    async def work(_: bytes) -> None:
        await facts.add("tried")
        raise ZeroDivisionError

    await promise(jobs, database, "hopeless")
    async with jobs.worker(database.driver_pool, {"work": work}):
        await until_statuses(owner, {"hopeless": "failed"})
    assert facts.seen == ["tried"] * 3
    assert await statuses(owner) == {"hopeless": "failed"}  # kept, not deleted


async def test_a_parked_job_is_listed_with_its_error_and_runs_again_when_a_person_says_so(
    database: Database, owner: asyncpg.Connection
) -> None:
    facts, jobs = Facts(), impatient(attempts_max=2)

    async def work(_: bytes) -> None:
        await facts.add("tried")
        if len(facts.seen) <= 2:
            raise ZeroDivisionError("a bug of ours")

    assert await jobs.parked(database.driver_pool) == []
    await promise(jobs, database, "mended")
    async with jobs.worker(database.driver_pool, {"work": work}):
        await until_statuses(owner, {"mended": "failed"})
    (parked,) = await jobs.parked(database.driver_pool)
    assert (parked.name, parked.key, parked.error) == ("work", "mended", "ZeroDivisionError: a bug of ours")
    assert await jobs.retry(database.driver_pool, parked.job_id + 1) is RetryOutcome.NOT_PARKED
    await promise(jobs, database, "mended")
    assert await jobs.retry(database.driver_pool, parked.job_id) is RetryOutcome.PROMISED_AGAIN
    await owner.execute("DELETE FROM payments_jobs.pgqueuer WHERE status = 'queued'")
    assert await jobs.retry(database.driver_pool, parked.job_id) is RetryOutcome.QUEUED
    assert await jobs.retry(database.driver_pool, parked.job_id) is RetryOutcome.NOT_PARKED
    async with jobs.worker(database.driver_pool, {"work": work}):
        await until_statuses(owner, {})
    assert facts.seen == ["tried"] * 3


async def test_an_open_promise_is_not_made_twice(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs = Facts(), Jobs("payments")

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    await promise(jobs, database, "one")
    await promise(jobs, database, "one")
    assert await owner.fetchval("SELECT count(*) FROM payments_jobs.pgqueuer") == 1
    async with jobs.worker(database.driver_pool, {"work": work}):
        await facts.until(bool)
        await until_statuses(owner, {})
        await promise(jobs, database, "one")  # kept by now, so this is another one
        await facts.until(lambda seen: len(seen) == 2)
    assert facts.seen == ["one", "one"]


async def test_a_promise_can_begin_later(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs = Facts(), Jobs("payments")

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    await promise(jobs, database, "in an hour", after_seconds=3600)
    async with jobs.worker(database.driver_pool, {"work": work}):
        await promise(jobs, database, "now")
        await facts.until(bool)
    assert facts.seen == ["now"]
    assert await statuses(owner) == {"in an hour": "queued"}


async def test_a_job_survives_the_worker_that_had_it(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs = Facts(), Jobs("payments")

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    await promise(jobs, database, "orphan")
    # A worker took the job and was killed: nobody sends its heartbeat any more.
    await owner.execute(
        "UPDATE payments_jobs.pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(), "
        "heartbeat = now() - interval '1 hour'"
    )
    async with jobs.worker(database.driver_pool, {"work": work}):
        await facts.until(bool)
    assert facts.seen == ["orphan"]


async def test_a_worker_that_is_stopped_finishes_what_it_began(database: Database, owner: asyncpg.Connection) -> None:
    facts, jobs, may_end = Facts(), Jobs("payments"), asyncio.Event()

    async def work(_: bytes) -> None:
        await facts.add("began")
        await may_end.wait()
        await facts.add("ended")

    await promise(jobs, database, "slow")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(jobs.worker(database.driver_pool, {"work": work}))
        await facts.until(bool)
        asyncio.get_running_loop().call_soon(may_end.set)
    assert facts.seen == ["began", "ended"]
    assert await statuses(owner) == {}


async def test_a_worker_starts_again_when_its_database_comes_back(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tikiwallet.platform.jobs.RESTART_DELAY_SECONDS", 0.01)
    facts, jobs = Facts(), impatient()

    async def work(key: bytes) -> None:
        await facts.add(key.decode())

    with structlog.testing.capture_logs() as logs:
        async with jobs.worker(database.driver_pool, {"work": work}):
            await promise(jobs, database, "before")
            await facts.until(bool)
            # The schema is gone for a moment, as a database is that fails over: the worker's next look fails.
            await owner.execute("ALTER SCHEMA payments_jobs RENAME TO elsewhere")
            async with asyncio.timeout(20):
                while not any(line["event"] == "job worker starts again" for line in logs):
                    await owner.fetch("SELECT 1")
            await owner.execute("ALTER SCHEMA elsewhere RENAME TO payments_jobs")
            await promise(jobs, database, "after")
            await facts.until(lambda seen: "after" in seen)
    assert facts.seen == ["before", "after"]


def test_delays_grow_up_to_an_hour() -> None:
    assert [delay_seconds_after(attempt) for attempt in (1, 2, 3, 10)] == [2, 4, 8, 1024]
    assert delay_seconds_after(30) == DELAY_SECONDS_MAX
