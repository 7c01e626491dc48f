"""The ledger in memory: plain, sequential and slow, so that it is easy to believe.

A stateful test keeps `PostgresLedger` equal to it. Everything follows from the postings: a balance is the last one's,
and what left today or this month is summed anew each time.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime

import msgspec

from tikiwallet.ledger.rules import check_currency, check_limits, check_page, check_transfer, check_transfers
from tikiwallet.ledger.types import (
    BALANCE_MINOR_MAX,
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


class MemoryLedger:
    """Implements `types.Ledger` in one process. `clock` returns the instant of a post (aware of its time zone)."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._accounts: dict[AccountId, Account] = {}
        self._postings: dict[AccountId, list[Posting]] = {}
        self._transfers: dict[TransferId, tuple[Transfer, datetime]] = {}

    async def open_account(self, account_id: AccountId, *, kind: AccountKind, currency: str, limits: Limits) -> Account:
        """See `types.Ledger.open_account`."""
        check_currency(currency)
        check_limits(limits, kind)
        if account_id not in self._accounts:
            self._accounts[account_id] = Account(
                account_id=account_id, kind=kind, currency=currency, balance_minor=0, limits=limits
            )
            self._postings[account_id] = []
        account = self._accounts[account_id]
        assert (account.kind, account.currency) == (kind, currency), f"{account_id} was opened otherwise: {account}"
        return account

    async def set_limits(self, account_id: AccountId, limits: Limits) -> None:
        """See `types.Ledger.set_limits`."""
        account = self._accounts.get(account_id)
        assert account is not None, f"{account_id} is unknown"
        check_limits(limits, account.kind)
        floor_minor = limits.balance_min_minor
        assert floor_minor is None or account.balance_minor >= floor_minor, f"{account_id} is below {limits}"
        self._accounts[account_id] = msgspec.structs.replace(account, limits=limits)

    async def close_account(self, account_id: AccountId) -> None:
        """See `types.Ledger.close_account`."""
        account = self._accounts.get(account_id)
        assert account is not None, f"{account_id} is unknown"
        assert account.balance_minor == 0, f"{account_id} is not empty"
        self._accounts[account_id] = msgspec.structs.replace(account, closed=True)

    async def accounts(self, account_ids: Sequence[AccountId]) -> dict[AccountId, Account]:
        """See `types.Ledger.accounts`."""
        assert len(account_ids) <= BATCH_SIZE_MAX, len(account_ids)
        now = self._clock()
        return {
            account_id: msgspec.structs.replace(
                self._accounts[account_id],
                out_today_minor=self._out_minor(account_id, since=_day_of(now)),
                out_this_month_minor=self._out_minor(account_id, since=_day_of(now).replace(day=1)),
            )
            for account_id in account_ids
            if account_id in self._accounts
        }

    async def post(self, transfer: Transfer) -> PostResult:
        """See `types.Ledger.post`."""
        check_transfer(transfer)
        return self._post(transfer, self._clock())

    async def post_linked(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """See `types.Ledger.post_linked`."""
        check_transfers(transfers)
        now = self._clock()
        results: list[PostResult] = []
        for transfer in transfers:
            results.append(self._post(transfer, now))
            if not results[-1].is_posted:
                break
        else:
            return results
        fault = len(results) - 1
        for transfer, result in reversed(list(zip(transfers, results, strict=False))):
            if result.outcome is PostOutcome.POSTED:
                self._undo(transfer)
        return [
            results[fault] if index == fault else self._judge_id(transfer) for index, transfer in enumerate(transfers)
        ]

    async def post_many(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """See `types.Ledger.post_many`."""
        check_transfers(transfers)
        now = self._clock()
        return [self._post(transfer, now) for transfer in transfers]

    async def posted(self, transfer_id: TransferId) -> Transfer | None:
        """See `types.Ledger.posted`."""
        found = self._transfers.get(transfer_id)
        return None if found is None else found[0]

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
        page = [
            posting
            for posting in reversed(self._postings.get(account_id, []))
            if (before_posting_no is None or posting.posting_no < before_posting_no)
            and (not kinds or posting.kind in kinds)
            and (direction is None or (direction is Direction.IN) == (posting.amount_minor > 0))
            and (since is None or posting.posted_at >= since)
            and (until is None or posting.posted_at < until)
        ]
        return page[:limit]

    def _post(self, transfer: Transfer, now: datetime) -> PostResult:
        if (found := self._transfers.get(transfer.transfer_id)) is not None:
            if found[0] == transfer:
                return PostResult(outcome=PostOutcome.ALREADY_POSTED, posted_at=found[1])
            return PostResult(outcome=PostOutcome.DIFFERS_FROM_POSTED)
        if (refusal := self._refusal(transfer, now)) is not None:
            return PostResult(outcome=refusal)
        self._transfers[transfer.transfer_id] = (transfer, now)
        self._write(transfer, transfer.debit_account_id, transfer.credit_account_id, -transfer.amount_minor, now)
        self._write(transfer, transfer.credit_account_id, transfer.debit_account_id, transfer.amount_minor, now)
        return PostResult(outcome=PostOutcome.POSTED, posted_at=now)

    def _refusal(self, transfer: Transfer, now: datetime) -> PostOutcome | None:
        debit = self._accounts.get(transfer.debit_account_id)
        credit = self._accounts.get(transfer.credit_account_id)
        if debit is None or credit is None:
            return PostOutcome.ACCOUNT_UNKNOWN
        if transfer.currency != debit.currency or transfer.currency != credit.currency:
            return PostOutcome.CURRENCY_DIFFERS
        if debit.closed or credit.closed:
            return PostOutcome.ACCOUNT_CLOSED
        debit_balance_minor = debit.balance_minor - transfer.amount_minor
        credit_balance_minor = credit.balance_minor + transfer.amount_minor
        floor_minor = debit.limits.balance_min_minor
        if floor_minor is not None and debit_balance_minor < floor_minor:
            return PostOutcome.INSUFFICIENT_FUNDS
        today = _day_of(now)
        outs_minor = (
            (debit.limits.out_per_day_max_minor, self._out_minor(debit.account_id, since=today)),
            (debit.limits.out_per_month_max_minor, self._out_minor(debit.account_id, since=today.replace(day=1))),
        )
        ceiling_minor = credit.limits.balance_max_minor
        if (
            any(most is not None and out_minor + transfer.amount_minor > most for most, out_minor in outs_minor)
            or (ceiling_minor is not None and credit_balance_minor > ceiling_minor)
            or credit_balance_minor > BALANCE_MINOR_MAX
            or debit_balance_minor < -BALANCE_MINOR_MAX
        ):
            return PostOutcome.LIMIT_EXCEEDED
        return None

    def _out_minor(self, account_id: AccountId, *, since: date) -> int:
        out_minor = 0
        for posting in reversed(self._postings[account_id]):
            if _day_of(posting.posted_at) < since:
                break
            out_minor -= min(posting.amount_minor, 0)
        return out_minor

    def _write(
        self, transfer: Transfer, account_id: AccountId, other_account_id: AccountId, amount_minor: int, now: datetime
    ) -> None:
        account = self._accounts[account_id]
        balance_minor = account.balance_minor + amount_minor
        self._accounts[account_id] = msgspec.structs.replace(account, balance_minor=balance_minor)
        self._postings[account_id].append(
            Posting(
                posting_no=len(self._postings[account_id]) + 1,
                transfer_id=transfer.transfer_id,
                other_account_id=other_account_id,
                amount_minor=amount_minor,
                balance_minor=balance_minor,
                kind=transfer.kind,
                note=transfer.note,
                posted_at=now,
            )
        )

    def _undo(self, transfer: Transfer) -> None:
        # Only what `post_linked` wrote a moment ago: the last posting of both accounts.
        del self._transfers[transfer.transfer_id]
        for account_id in (transfer.debit_account_id, transfer.credit_account_id):
            posting = self._postings[account_id].pop()
            account = self._accounts[account_id]
            self._accounts[account_id] = msgspec.structs.replace(
                account, balance_minor=account.balance_minor - posting.amount_minor
            )

    def _judge_id(self, transfer: Transfer) -> PostResult:
        found = self._transfers.get(transfer.transfer_id)
        if found is not None and found[0] == transfer:
            return PostResult(outcome=PostOutcome.ALREADY_POSTED, posted_at=found[1])
        return PostResult(outcome=PostOutcome.LINKED_REFUSED)


def _day_of(instant: datetime) -> date:
    return instant.astimezone(UTC).date()
