"""The ledger on PostgreSQL.

Every post goes through one of two SQL functions that lock, judge and write in one transaction, so that no answer can
be stale. This module validates, gathers concurrent posts into batches, repeats what a concurrent post disturbed, and
keeps one impossible transfer from taking down the batch it travels in.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from tikiwallet.ledger.batch import arguments_of, results_of
from tikiwallet.ledger.rules import check_currency, check_limits, check_page, check_transfer, check_transfers
from tikiwallet.ledger.types import (
    BATCH_SIZE_MAX,
    STATEMENT_PAGE_MAX,
    Account,
    AccountId,
    AccountKind,
    Direction,
    Limits,
    Posting,
    PostOutcome,
    PostResult,
    Transfer,
    TransferId,
    TransferKind,
)
from tikiwallet.platform.batching import Batcher, Reads
from tikiwallet.platform.db import Database, Queries

SQL = Queries("tikiwallet.ledger")
ATTEMPTS_MAX = 5
POSTS_WAITING_MAX = 1000  # under a second's work; who comes later is told to come again
POSTING_NO_MAX = 2**63 - 1
SIGNS = {None: 0, Direction.IN: 1, Direction.OUT: -1}

# The call met another post of the same id, or a deadlock: nothing happened, and the next attempt sees more.
DISTURBED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
# The server went away or has no room: not the fault of any transfer, so asking for each again would only add load.
UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)

log = structlog.get_logger()


class PostgresLedger:
    """Implements `types.Ledger` on an open `Database` of the context "ledger"."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._accounts: Reads[AccountId, Account] = Reads(self._read_accounts)
        self._pages: Reads[tuple[AccountId, int, int], list[Posting]] = Reads(self._read_pages)
        self._posts: Batcher[Transfer, PostResult] = Batcher(
            self._post_together, size_max=BATCH_SIZE_MAX, waiting_max=POSTS_WAITING_MAX
        )

    async def open_account(self, account_id: AccountId, *, kind: AccountKind, currency: str, limits: Limits) -> Account:
        """See `types.Ledger.open_account`."""
        check_currency(currency)
        check_limits(limits, kind)
        await self._database.pool.execute(
            SQL["open_account"], account_id, kind, currency, *_limit_values(limits)
        )  # fmt: skip
        account = (await self.accounts([account_id]))[account_id]
        assert (account.kind, account.currency) == (kind, currency), f"{account_id} was opened otherwise: {account}"
        return account

    async def set_limits(self, account_id: AccountId, limits: Limits) -> None:
        """See `types.Ledger.set_limits`."""
        check_limits(limits)
        try:
            changed = await self._database.pool.fetchval(SQL["set_limits"], account_id, *_limit_values(limits))
        except asyncpg.CheckViolationError as error:
            raise AssertionError(f"{account_id}: {error.constraint_name}") from error
        assert changed, f"{account_id} is unknown or already below the floor of {limits}"

    async def close_account(self, account_id: AccountId) -> None:
        """See `types.Ledger.close_account`."""
        closed = await self._database.pool.fetchval(SQL["close_account"], account_id)
        assert closed, f"{account_id} is unknown or not empty"

    async def accounts(self, account_ids: Sequence[AccountId]) -> dict[AccountId, Account]:
        """See `types.Ledger.accounts`."""
        assert len(account_ids) <= BATCH_SIZE_MAX, len(account_ids)
        return await self._accounts.get(account_ids)

    async def post(self, transfer: Transfer) -> PostResult:
        """See `types.Ledger.post`. What is posted at the same time in this process shares one call of the database.

        Refusal: `Overloaded` when too many wait; then nothing was posted. A caller that is cancelled doesn't know
        whether it was.
        """
        check_transfer(transfer)
        return await self._posts.ask(transfer)

    async def post_linked(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """See `types.Ledger.post_linked`. An error of the database means that nothing was posted, or all was."""
        check_transfers(transfers)
        return await self._post_batch(transfers, linked=True)

    async def post_many(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """See `types.Ledger.post_many`. Raises the error of the first item that failed, after posting the others."""
        results: list[PostResult] = []
        errors: list[asyncpg.PostgresError] = []
        for attempted in await self.attempt_many(transfers):
            if isinstance(attempted, PostResult):
                results.append(attempted)
            else:
                errors.append(attempted)
        if errors:
            raise errors[0]
        return results

    async def attempt_many(self, transfers: Sequence[Transfer]) -> list[PostResult | asyncpg.PostgresError]:
        """Post like `post_many`, but return an error in the place of the transfer that causes it.

        For callers that batch the posts of strangers: one that fails must not fail the others. Errors that are no
        transfer's fault (the server went away) are raised; the outcomes are then unknown.
        """
        check_transfers(transfers)
        return await self._attempt_together(transfers)

    async def _attempt_together(self, transfers: Sequence[Transfer]) -> list[PostResult | asyncpg.PostgresError]:
        try:
            return list(await self._post_batch(transfers, linked=False))
        except UNAVAILABLE:
            raise
        except asyncpg.PostgresError as error:
            log.warning("batch_replayed", transfers=len(transfers), reason=type(error).__name__)
        return [await self._attempt(transfer) for transfer in transfers]

    async def posted(self, transfer_id: TransferId) -> Transfer | None:
        """See `types.Ledger.posted`."""
        row = await self._database.pool.fetchrow(SQL["posted"], transfer_id)
        return None if row is None else Transfer(**{**row, "kind": TransferKind(row["kind"])})

    async def statement(
        self,
        account_id: AccountId,
        *,
        before_posting_no: int | None = None,
        limit: int = STATEMENT_PAGE_MAX,
        kinds: Collection[TransferKind] = (),
        direction: Direction | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Posting]:
        """See `types.Ledger.statement`."""
        check_page(before_posting_no=before_posting_no, limit=limit, since=since, until=until)
        if not kinds and direction is None and since is None and until is None:
            page = (account_id, before_posting_no or POSTING_NO_MAX, limit)
            return (await self._pages.get((page,))).get(page, [])
        rows = await self._database.pool.fetch(
            SQL["statement"], account_id, before_posting_no or POSTING_NO_MAX, since, until, list(kinds),
            SIGNS[direction], limit,
        )  # fmt: skip
        return [_posting(row) for row in rows]

    async def _read_accounts(self, account_ids: list[AccountId]) -> dict[AccountId, Account]:
        rows = await self._database.pool.fetch(SQL["accounts"], account_ids)
        return {row["account_id"]: _account(row) for row in rows}

    async def _read_pages(
        self, pages: list[tuple[AccountId, int, int]]
    ) -> dict[tuple[AccountId, int, int], list[Posting]]:
        """Read pages that no filter thins out: account, number before which it begins, length."""
        rows = await self._database.pool.fetch(SQL["pages"], *map(list, zip(*pages, strict=True)))
        found: dict[tuple[AccountId, int, int], list[Posting]] = defaultdict(list)
        for row in rows:
            found[pages[row["page"] - 1]].append(_posting(row))
        return found

    async def _post_together(self, transfers: Sequence[Transfer]) -> Sequence[PostResult | Exception]:
        if len(transfers) == 1:
            return [await self._post_one(transfers[0])]
        return await self._attempt_together(transfers)

    async def _post_one(self, transfer: Transfer) -> PostResult:
        row = await self._until_undisturbed(
            SQL["post_one"], transfer.transfer_id, transfer.debit_account_id, transfer.credit_account_id,
            transfer.amount_minor, transfer.currency, transfer.kind, transfer.note,
        )  # fmt: skip
        return PostResult(outcome=PostOutcome(row["outcome"]), posted_at=row["posted_at"])

    async def _attempt(self, transfer: Transfer) -> PostResult | asyncpg.PostgresError:
        try:
            return await self._post_one(transfer)
        except UNAVAILABLE:
            raise
        except asyncpg.PostgresError as error:
            log.error("transfer_failed", transfer_id=str(transfer.transfer_id), reason=type(error).__name__)  # noqa: TRY400
            return error

    async def _post_batch(self, transfers: Sequence[Transfer], *, linked: bool) -> list[PostResult]:
        if not transfers:
            return []
        row = await self._until_undisturbed(SQL["post_batch"], *arguments_of(transfers, linked=linked))
        return results_of(row)

    async def _until_undisturbed(self, query: str, *arguments: object) -> Any:
        # No pause between attempts: the other post has committed when we are told that it disturbed ours.
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._database.pool.fetchrow(query, *arguments)
            except DISTURBED as error:
                log.info("post_repeated", reason=type(error).__name__)
        return await self._database.pool.fetchrow(query, *arguments)


def _limit_values(limits: Limits) -> tuple[int | None, ...]:
    return (
        limits.balance_min_minor, limits.balance_max_minor, limits.out_per_day_max_minor, limits.out_per_month_max_minor
    )  # fmt: skip


def _posting(row: asyncpg.Record) -> Posting:
    return Posting(
        posting_no=row["posting_no"],
        transfer_id=row["transfer_id"],
        other_account_id=row["other_account_id"],
        amount_minor=row["amount_minor"],
        balance_minor=row["balance_minor"],
        kind=TransferKind(row["kind"]),
        note=row["note"],
        posted_at=row["posted_at"],
    )


def _account(row: asyncpg.Record) -> Account:
    return Account(
        account_id=row["account_id"],
        kind=AccountKind(row["kind"]),
        currency=row["currency"],
        balance_minor=row["balance_minor"],
        limits=Limits(
            balance_min_minor=row["balance_min_minor"],
            balance_max_minor=row["balance_max_minor"],
            out_per_day_max_minor=row["out_per_day_max_minor"],
            out_per_month_max_minor=row["out_per_month_max_minor"],
        ),
        out_today_minor=row["out_today_minor"],
        out_this_month_minor=row["out_this_month_minor"],
        closed=row["closed"],
    )
