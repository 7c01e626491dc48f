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
    await require_promises(connection)


async def require_promises(connection: asyncpg.Connection) -> None:
    """Whatever isn't over has a promise (a job), at every moment: whoever began it may never come back."""
    forgotten = await connection.fetch(
        """
        SELECT 'operation ' || operation_id FROM funding.operation
        WHERE state NOT IN ('refused', 'settled', 'declined', 'returned') AND NOT EXISTS (
            SELECT FROM funding_jobs.pgqueuer
            WHERE entrypoint = 'continue_operation' AND starts_with(convert_from(payload, 'UTF8'), operation_id || ':')
        )
        UNION ALL
        SELECT 'event ' || event_id FROM funding.provider_event
        WHERE processed_at IS NULL AND NOT EXISTS (
            SELECT FROM funding_jobs.pgqueuer
            WHERE entrypoint = 'process_event' AND convert_from(payload, 'UTF8') = event_id
        )
        UNION ALL
        SELECT 'dispute ' || dispute_id FROM funding.dispute
        WHERE (state = 'open' OR (state = 'lost' AND frozen_minor + repaid_minor < amount_minor)) AND NOT EXISTS (
            SELECT FROM funding_jobs.pgqueuer
            WHERE entrypoint = 'look_at_dispute' AND starts_with(convert_from(payload, 'UTF8'), dispute_id || '#')
        )
        """
    )
    assert forgotten == [], "this isn't over and has no promise"
