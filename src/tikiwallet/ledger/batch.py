"""How a batch of transfers travels to the SQL function that posts it, and its outcomes back.

A thousand transfers are ten lists. What is repeated in them is sent once (accounts) or as a number, and what comes back
is mostly one instant and one outcome: without this, packing and unpacking took a third of the time of posting.
"""

from collections.abc import Sequence
from itertools import count

import asyncpg

from tikiwallet.ledger.types import PostOutcome, PostResult, Transfer
from tikiwallet.platform.db import as_array


def arguments_of(transfers: Sequence[Transfer], *, linked: bool) -> tuple[object, ...]:
    """Return the arguments of the query `post_batch`. The transfers have passed `check_transfers`."""
    debits = [transfer.debit_account_id for transfer in transfers]
    credits_ = [transfer.credit_account_id for transfer in transfers]
    # Numbers have a cheap hash and order, UUID objects don't; the order of both is that of PostgreSQL.
    accounts = {account_id.int: account_id for account_id in (*debits, *credits_)}
    order = sorted(accounts)
    numbers = dict(zip(order, count(1), strict=False))
    firsts: dict[int, int] = {}
    return (
        as_array([accounts[key] for key in order]),
        as_array([transfer.transfer_id for transfer in transfers]),
        as_array([firsts.setdefault(transfer.transfer_id.int, index) for index, transfer in enumerate(transfers, 1)]),
        as_array([numbers[account_id.int] for account_id in debits]),
        as_array([numbers[account_id.int] for account_id in credits_]),
        as_array([transfer.amount_minor for transfer in transfers]),
        as_array([transfer.currency for transfer in transfers]),
        as_array([transfer.kind for transfer in transfers]),
        [transfer.note for transfer in transfers],  # people's words: packed by the driver, which escapes anything
        linked,
    )


def results_of(row: asyncpg.Record) -> list[PostResult]:
    """Return the results in the order of the transfers, from the row that the query `post_batch` answers with."""
    outcomes, posted_at, known_ats = row
    by_outcome = {
        outcome: PostResult(
            outcome=PostOutcome(outcome),
            posted_at=posted_at if outcome in {PostOutcome.POSTED, PostOutcome.ALREADY_POSTED} else None,
        )
        for outcome in set(outcomes)
    }
    results = [by_outcome[outcome] for outcome in outcomes]
    if known_ats is None:
        return results
    return [
        PostResult(outcome=result.outcome, posted_at=known_at)
        if known_at is not None and result.outcome is PostOutcome.ALREADY_POSTED
        else result
        for result, known_at in zip(results, known_ats, strict=True)
    ]
