"""Promises that outlive a crash: a job is written in the transaction that made it necessary, and repeated until done.

`pgqueuer` keeps the queue in PostgreSQL, in a schema of its own for each context (`<context>_jobs`). Its default
drops a job whose handler raised; here a failed job is tried again with growing delays and, past the limit, parked
for a person (`failed` in the queue table), never deleted.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta

import asyncpg
import structlog
from pgqueuer import AsyncpgDriver, AsyncpgPoolDriver, Job, PgQueuer, Queries, RetryRequested
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import Driver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.types import Channel

from tikiwallet.platform.db import Connection

ATTEMPTS_MAX = 30  # with the delays below: about a day
DELAY_SECONDS_MAX = 3600
STOP_TIMEOUT_SECONDS = 10

Handler = Callable[[bytes], Awaitable[None]]
log = structlog.get_logger()


def schema_of(context: str) -> str:
    """Return the PostgreSQL schema of the job queue of `context`."""
    return f"{context}_jobs"


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


class Jobs:
    """The job queue of one context."""

    def __init__(self, context: str) -> None:
        self._context = context

    async def enqueue(self, tx: Connection, name: str, *, key: str) -> None:
        """Promise, inside the transaction `tx`, that the handler `name` will run with `key` until it succeeds.

        The handler must be repeatable. A promise already open under the same name and key is not made twice.
        """
        queries = _queries(AsyncpgDriver(tx), self._context)
        await queries.enqueue(name, key.encode(), dedupe_key=f"{name}:{key}", on_conflict="skip")

    @contextlib.asynccontextmanager
    async def worker(self, pool: asyncpg.Pool, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
        """Run the handlers while the context lasts; on leaving, wait for the one at work."""
        queue = PgQueuer(
            AsyncpgPoolDriver(pool),
            channel=Channel(f"{self._context}_jobs"),
            queries=_queries(AsyncpgPoolDriver(pool), self._context),
        )
        for name, handler in handlers.items():
            queue.entrypoint(name, on_failure="hold")(_repeat_until_done(name, handler))
        task = asyncio.create_task(queue.run(dequeue_timeout=timedelta(seconds=5)), name=f"{self._context} jobs")
        try:
            yield
        finally:
            queue.shutdown.set()
            done, _ = await asyncio.wait({task}, timeout=STOP_TIMEOUT_SECONDS)
            if not done:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _repeat_until_done(name: str, handler: Handler) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        assert job.payload is not None, name
        try:
            await handler(job.payload)
        except Exception as error:
            attempt = job.attempts + 1
            log.warning("job failed", job=name, attempt=attempt, exc_info=error)
            if attempt >= ATTEMPTS_MAX:
                raise  # parked as failed: a person has to look
            delay = timedelta(seconds=min(2**attempt, DELAY_SECONDS_MAX))
            raise RetryRequested(delay, reason=type(error).__name__) from error

    return run
