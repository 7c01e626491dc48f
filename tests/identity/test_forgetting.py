"""Sessions that are long over are deleted with all that belongs to them, and no other."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from tikiwallet.identity.forgetting import Forgetting
from tikiwallet.identity.known_devices import make_device_secret
from world import Someone, World, body_of

COUNTS = (
    "SELECT (SELECT count(*) FROM identity.session), (SELECT count(*) FROM identity.refresh_token), "
    "(SELECT count(*) FROM identity.known_device), (SELECT count(*) FROM identity.notice)"
)


async def insert_sessions(
    connection: asyncpg.Connection, person_id: UUID, *, ended_days_ago: float, count: int
) -> None:
    """Sessions as they were left long ago, each refreshed once; as the owner of the database."""
    for _ in range(count):
        session_id, first, second = uuid4(), uuid4().bytes * 2, uuid4().bytes * 2
        await connection.execute(
            "INSERT INTO identity.session (session_id, person_id, issued_at, expires_at) "
            "VALUES ($1, $2, now() - $3::interval - interval '6 hours', now() - $3::interval)",
            session_id, person_id, timedelta(days=ended_days_ago),
        )  # fmt: skip
        insert = "INSERT INTO identity.refresh_token VALUES ($1, $2, $3, now())"
        await connection.execute(insert, first, session_id, None)
        await connection.execute(insert, second, session_id, first)


async def test_what_is_long_over_is_forgotten_and_nothing_else(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    connection = await asyncpg.connect(database_url)
    try:
        await insert_sessions(connection, alice.person_id, ended_days_ago=30.1, count=3)
        await insert_sessions(connection, alice.person_id, ended_days_ago=29.9, count=2)
        async with world.identity.database.transaction() as tx:
            for days in (401, 399):
                await world.identity.devices.remember(
                    tx, alice.person_id, make_device_secret(), label="", now=world.clock.now - timedelta(days=days)
                )
        signed_in = await world.sign_in_anywhere(alice.phone, tikiwallet_device="")
        other = Someone(world.http, body_of(signed_in, 201))
        assert tuple(await connection.fetchrow(COUNTS)) == (7, 12, 3, 1)
        forgetting = Forgetting(world.identity.database)
        counts = await asyncio.gather(*(forgetting.forget(now=world.clock.now) for _ in range(3)))
        assert sum(counts) == 3
        assert tuple(await connection.fetchrow(COUNTS)) == (4, 6, 2, 1)
        for who in (alice, other):
            who.take(await who.refresh())
            body_of(await who.get("/v1/me"), 200)
        await forgetting.forget(now=world.clock.now + timedelta(days=30, seconds=1))
        assert (await connection.fetchrow(COUNTS))[3] == 0
    finally:
        await connection.close()


async def test_a_running_server_forgets_by_itself_and_after_a_fault(world: World, database_url: str) -> None:
    (alice,) = await world.people("alice")
    connection = await asyncpg.connect(database_url)
    await insert_sessions(connection, alice.person_id, ended_days_ago=31, count=1)
    rounds, is_done = 0, asyncio.Event()

    def clock() -> datetime:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise RuntimeError("the database went away")
        if rounds == 3:  # so the one before is over
            is_done.set()
        return world.clock.now

    async with Forgetting(world.identity.database, interval_seconds=0.01).worker(clock), asyncio.timeout(10):
        await is_done.wait()
    old = "SELECT count(*) FROM identity.session WHERE expires_at < now() - interval '30 days'"
    assert await connection.fetchval(old) == 0
    await connection.close()
