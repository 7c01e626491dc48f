"""An outage of the operator's makes nobody late: the time for claims moves for all, before any close runs."""

import asyncio
from datetime import timedelta

import asyncpg

from offline.closes import assert_books_are_right, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql, until_waiting

AGED = "UPDATE offline.heartbeat SET beat_at = clock_timestamp() - $1::text::interval"
LEFT = "SELECT extract(epoch FROM claim_until - claim_by)::int AS seconds FROM offline.voucher"


async def test_an_outage_moves_the_time_for_claims_before_anything_closes(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    assert await offline_parts.offline.keep_up() == 0
    await let_claims_end(database_url)
    await run_sql(database_url, AGED, "3 hours")
    assert await offline_parts.offline.keep_up() == 0  # the last day fell into the outage
    assert await states(database_url) == ["open"]
    (left,) = await run_sql(database_url, LEFT)
    assert left["seconds"] in range(3 * 3600, 3 * 3600 + 60)
    await ben.sync()
    await let_claims_end(database_url)
    assert await offline_parts.offline.keep_up() == 1
    assert await online_of(asha, ben) == (3500, 1500)
    (outage,) = await run_sql(database_url, "SELECT moved_count FROM offline.outage")
    assert outage["moved_count"] == 1
    await assert_books_are_right(database_url)


async def test_a_short_gap_is_no_outage(phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("50.00")
    assert await offline_parts.offline.keep_up() == 0
    await run_sql(database_url, AGED, "1 hour")
    await let_claims_end(database_url)
    assert await offline_parts.offline.keep_up() == 1
    assert await run_sql(database_url, "SELECT 1 FROM offline.outage") == []


async def test_an_operator_gives_more_time_by_hand_once_for_each_outage(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("10.00")
    await asha.load("10.00")
    began_at, ended_at = asha.world.clock.now, asha.world.clock.now.replace(year=asha.world.clock.now.year + 1)
    closes = offline_parts.offline.closes
    assert await closes.move_claims(began_at=began_at, ended_at=ended_at) == 2
    assert await closes.move_claims(began_at=began_at, ended_at=ended_at) == 0
    seconds = {row["seconds"] for row in await run_sql(database_url, LEFT)}
    assert seconds == {int((ended_at - began_at).total_seconds())}


async def test_the_time_moves_in_the_order_in_which_syncs_lock(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    for _ in range(4):
        await asha.load("10.00")
    ids = [
        row["voucher_id"] for row in await run_sql(database_url, "SELECT voucher_id FROM offline.voucher ORDER BY 1")
    ]
    # Where its row is now, behind the others, it would be met last.
    await run_sql(database_url, "UPDATE offline.voucher SET is_contested = is_contested WHERE voucher_id = $1", ids[0])
    now = asha.world.clock.now
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM offline.voucher WHERE voucher_id = $1 FOR NO KEY UPDATE", ids[0])
            moving = asyncio.create_task(
                offline_parts.offline.closes.move_claims(began_at=now, ended_at=now + timedelta(hours=3))
            )
            await until_waiting(database_url, 1)
            free = await run_sql(
                database_url, "SELECT voucher_id FROM offline.voucher ORDER BY 1 FOR NO KEY UPDATE SKIP LOCKED"
            )
        assert await moving == 4
    finally:
        await holder.close()
    assert [row["voucher_id"] for row in free] == ids[1:]
