"""Connections at hand: used again while they are well, never while they aren't, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tikiwallet.platform.connections import Connections

SIZE_MAX = 4
PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=SIZE_MAX)
    yield pool
    await pool.close()


@pytest.fixture
async def connections(pool: asyncpg.Pool) -> AsyncIterator[Connections]:
    connections = Connections(pool, size_max=SIZE_MAX)
    yield connections
    await connections.close()


async def test_one_that_did_well_is_used_again_without_the_pool(connections: Connections, pool: asyncpg.Pool) -> None:
    first = await connections.fetchval(PID)
    assert pool.get_idle_size() == 0  # it isn't back in the pool
    assert await connections.fetchval(PID) == first
    assert (await connections.fetchrow(PID))[0] == first
    assert (await connections.fetch(PID))[0][0] == first
    await connections.execute("SELECT 1")
    assert pool.get_size() == 1


async def test_at_most_half_of_them_are_kept_from_the_pool(connections: Connections, pool: asyncpg.Pool) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(*(connections.fetchval("SELECT pg_sleep(0)") for _ in range(5 * SIZE_MAX)))
        free = [await pool.acquire() for _ in range(SIZE_MAX // 2)]  # the worker of jobs gets its own
    for connection in free:
        await pool.release(connection)


async def test_who_waits_gets_the_first_that_is_free(connections: Connections) -> None:
    held = [connections.acquire() for _ in range(SIZE_MAX)]
    for one in held:
        await one.__aenter__()
    waiting = asyncio.create_task(connections.fetchval("SELECT 7"))
    await asyncio.sleep(0)  # it begins
    assert connections._waiting == 1
    await held.pop().__aexit__(None, None, None)
    async with asyncio.timeout(10):
        assert await waiting == 7
    for one in held:
        await one.__aexit__(None, None, None)


async def test_one_that_met_an_error_goes_back_to_the_pool(connections: Connections, pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await connections.fetchval("SELECT 1 / 0")
    assert pool.get_idle_size() == 1


async def test_what_a_caller_left_open_is_ended_before_the_next_one_comes(connections: Connections) -> None:
    async def leave_open() -> None:
        async with connections.acquire() as connection:
            await connection.execute("BEGIN")
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await leave_open()
    async with connections.acquire() as connection:
        assert not connection.is_in_transaction()


async def test_one_that_the_server_ended_is_replaced(connections: Connections, database_url: str) -> None:
    is_gone = asyncio.Event()
    async with connections.acquire() as connection:
        ended = connection.get_server_pid()
        connection.add_termination_listener(lambda _: is_gone.set())
    owner = await asyncpg.connect(database_url)
    await owner.execute("SELECT pg_terminate_backend($1, 10000)", ended)  # returns when it is gone
    await owner.close()
    async with asyncio.timeout(10):
        await is_gone.wait()
    assert await connections.fetchval(PID) != ended


async def test_a_caller_that_goes_away_leaves_no_answer_to_the_next(connections: Connections) -> None:
    await connections.fetchval(PID)
    leaving = asyncio.create_task(connections.fetchval("SELECT 1 FROM pg_sleep(60)"))
    await asyncio.sleep(0)  # it begins
    assert not connections._kept
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with asyncio.timeout(10):
        assert await connections.fetchval("SELECT 2") == 2
