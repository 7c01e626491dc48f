"""What has to be true of the books at the end of every story, whatever happened in it."""

import asyncpg


async def require_sound_books(connection: asyncpg.Connection) -> None:
    """Everything sums to zero, no wallet is below zero, and all money in flight has its operation."""
    sums = await connection.fetch("SELECT currency, sum(balance_minor) FROM ledger.account GROUP BY currency")
    assert all(total == 0 for _, total in sums), sums
    assert not await connection.fetchval(
        "SELECT count(*) FROM ledger.account WHERE balance_minor < 0 AND kind NOT IN ('bank', 'guarantee')"
    )
    in_flight = await connection.fetchval(
        "SELECT coalesce(sum(balance_minor), 0) FROM ledger.account WHERE kind = 'in_flight'"
    )
    underway = await connection.fetchval(
        "SELECT coalesce(sum(amount_minor), 0) FROM funding.operation "
        "WHERE kind = 'withdrawal' AND state IN ('reserved', 'pending', 'confirmed', 'returning')"
    )
    frozen = await connection.fetchval(
        "SELECT coalesce(sum(frozen_minor), 0) FROM funding.dispute WHERE state = 'open'"
    )
    assert in_flight == underway + frozen
    forgotten = await connection.fetchval(
        "SELECT count(*) FROM funding.operation WHERE state NOT IN ('refused', 'settled', 'declined', 'returned') "
        "AND NOT EXISTS (SELECT FROM funding_jobs.pgqueuer WHERE entrypoint = 'continue_operation' "
        "AND convert_from(payload, 'UTF8') LIKE operation_id || ':%')"
    )
    assert forgotten == 0, "an operation that isn't over has no promise"
