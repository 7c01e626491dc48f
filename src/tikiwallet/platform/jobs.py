"""Promises that outlive a crash: a job is written in the transaction that made it necessary, and repeated until done.

`pgqueuer` keeps the queue in PostgreSQL, in a schema of its own for each context (`<context>_jobs`). Its default
drops a job whose handler raised; here a failed job is tried again with growing delays and, past the limit, parked
for a person (`failed` in the queue table), never deleted. A worker whose database went away starts again by itself:
without that, one restart of PostgreSQL would leave every promise unkept until somebody noticed.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import asyncpg
import msgspec
import structlog
from pgqueuer import AsyncpgDriver, AsyncpgPoolDriver, Job, PgQueuer, Queries, RetryRequested
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import Driver
from pgqueuer.domain.models import Log
from pgqueuer.domain.settings import DBSettings
from pgqueuer.types import Channel, JobId

from tikiwallet.platform.db import Connection

ATTEMPTS_MAX = 30  # with the delays below: about a day
DELAY_SECONDS_MAX = 3600
STOP_TIMEOUT_SECONDS = 10
RESTART_DELAY_SECONDS = 1.0
POLL_SECONDS = 5.0
HISTORY_MAX = 1000  # of one job: every attempt leaves a few rows
PARKED_MAX = 1000  # listed for a person; each is a fault that somebody has to look at

Handler = Callable[[bytes], Awaitable[None]]
log = structlog.get_logger()


class NotYet(Exception):
    """Raised by a handler that did what it could and has to wait for somebody else; tried again like a failure."""


def delay_seconds_after(attempt: int) -> float:
    """Return how long to wait after the attempt of this number (from 1): 2, 4, 8 seconds ... up to an hour."""
    return min(2.0**attempt, DELAY_SECONDS_MAX)


def schema_of(context: str) -> str:
    """Return the PostgreSQL schema of the job queue of `context`."""
    return f"{context}_jobs"


@functools.cache  # making one asks the environment for each of its fields, which took longer than the promise itself
def _settings(context: str) -> DBSettings:
    return DBSettings(db_schema=schema_of(context), channel=Channel(f"{context}_jobs"))


def ddl(context: str) -> str:
    """Return the DDL that pgqueuer wants for the queue of `context`; a migration holds it, a test compares them."""
    return QueryBuilderEnvironment(_settings(context)).build_install_query(create_schema=True)


def _queries(driver: Driver, context: str) -> Queries:
    settings = _settings(context)
    return Queries(
        driver, QueryBuilderEnvironment(settings), QueryQueueBuilder(settings), QuerySchedulerBuilder(settings)
    )


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A job that failed too often and waits for a person."""

    job_id: int  # within its context
    name: str
    key: str
    parked_at: datetime
    error: str  # the last one: its kind and what it said


class RetryOutcome(StrEnum):
    """What became of the wish to run a parked job again."""

    QUEUED = "queued"
    NOT_PARKED = "not_parked"  # there is no such job, or it runs again already
    PROMISED_AGAIN = "promised_again"  # the same promise was made once more meanwhile, and that one is kept instead


class Jobs:
    """The job queue of one context.

    `delay_seconds` tells how long to wait after the n-th failed attempt, `attempts_max` after how many a person looks,
    `poll_seconds` how late a job starts at worst when its notification was lost.
    """

    def __init__(
        self,
        context: str,
        *,
        delay_seconds: Callable[[int], float] = delay_seconds_after,
        attempts_max: int = ATTEMPTS_MAX,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._context = context
        self._delay_seconds = delay_seconds
        self._attempts_max = attempts_max
        self._poll_seconds = poll_seconds

    async def enqueue(self, tx: Connection, name: str, *, key: str, after_seconds: int = 0) -> None:
        """Promise, inside the transaction `tx`, that the handler `name` will run with `key` until it succeeds.

        The handler must be repeatable and runs `after_seconds` from now at the earliest. A promise already open under
        the same name and key is not made twice, even while its handler is at work: a second promise that must not be
        lost in that moment needs a key of its own.
        """
        queries = _queries(AsyncpgDriver(tx), self._context)
        await queries.enqueue(
            name,
            key.encode(),
            execute_after=timedelta(seconds=after_seconds),
            dedupe_key=f"{name}:{key}",
            on_conflict="skip",
        )

    @contextlib.asynccontextmanager
    async def worker(self, pool: asyncpg.Pool, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
        """Run the handlers while the context lasts; on leaving, wait for those at work."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._run_until(stop, pool, handlers), name=f"{self._context} jobs")
        try:
            yield
        finally:
            stop.set()
            done, _ = await asyncio.wait({task}, timeout=STOP_TIMEOUT_SECONDS)
            if not done:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def parked(self, pool: asyncpg.Pool) -> list[Parked]:
        """Return the jobs that wait for a person, the newest first, at most `PARKED_MAX`."""
        queries = _queries(AsyncpgPoolDriver(pool), self._context)
        return [
            Parked(
                job_id=job.id,
                name=job.entrypoint,
                key=(job.payload or b"").decode(),
                parked_at=job.updated,
                error=_last_error(await queries.job_log_history(job.id, HISTORY_MAX)),
            )
            for job in await queries.list_failed_jobs(PARKED_MAX)
        ]

    async def retry(self, pool: asyncpg.Pool, job_id: int) -> RetryOutcome:
        """Queue a parked job again, with all its attempts. Safe to repeat: a handler is repeatable."""
        queries = _queries(AsyncpgPoolDriver(pool), self._context)
        if job_id not in {job.id for job in await queries.list_failed_jobs(PARKED_MAX)}:
            return RetryOutcome.NOT_PARKED
        try:
            await queries.requeue_jobs([JobId(job_id)])
        except asyncpg.UniqueViolationError:
            return RetryOutcome.PROMISED_AGAIN
        return RetryOutcome.QUEUED

    async def _run_until(self, stop: asyncio.Event, pool: asyncpg.Pool, handlers: Mapping[str, Handler]) -> None:
        while not stop.is_set():
            queue = self._queue(pool, handlers)
            stopping = asyncio.create_task(_pass_on(stop, queue.shutdown))
            try:
                await queue.run(dequeue_timeout=timedelta(seconds=self._poll_seconds))
            except Exception as error:  # a loop that must survive (STYLE.md, section 4)
                log.warning("job worker starts again", context=self._context, exc_info=error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RESTART_DELAY_SECONDS)
            finally:
                stopping.cancel()

    def _queue(self, pool: asyncpg.Pool, handlers: Mapping[str, Handler]) -> PgQueuer:
        queue = PgQueuer(
            AsyncpgPoolDriver(pool),
            channel=Channel(f"{self._context}_jobs"),
            queries=_queries(AsyncpgPoolDriver(pool), self._context),
        )
        for name, handler in handlers.items():
            queue.entrypoint(name, on_failure="hold")(self._repeat_until_done(name, handler))
        return queue

    def _repeat_until_done(self, name: str, handler: Handler) -> Callable[[Job], Awaitable[None]]:
        async def run(job: Job) -> None:
            assert job.payload is not None, name
            try:
                await handler(job.payload)
            except Exception as error:
                attempt = job.attempts + 1
                if isinstance(error, NotYet):
                    log.info("job waits", job=name, attempt=attempt, reason=str(error))
                else:
                    log.warning("job failed", job=name, attempt=attempt, exc_info=error)
                if attempt >= self._attempts_max:
                    raise  # parked as failed: a person has to look
                delay = timedelta(seconds=self._delay_seconds(attempt))
                raise RetryRequested(delay, reason=type(error).__name__) from error

        return run


def _last_error(history: list[Log]) -> str:
    """Return the newest error in what the queue noted of a job."""
    errors = [item for item in history if item.traceback is not None]
    if not errors:
        return "unknown: see the logs"
    newest = max(errors, key=lambda item: item.created).traceback
    assert newest is not None
    return f"{newest.exception_type}: {newest.exception_message}"


async def _pass_on(stop: asyncio.Event, shutdown: asyncio.Event) -> None:
    await stop.wait()
    shutdown.set()
