"""What other contexts may know of the ledger: accounts, transfers, outcomes.

Amounts are whole minor units of an ISO 4217 currency. Per currency everything always sums to zero: money enters and
leaves through accounts that may go below zero.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

import msgspec

from tikiwallet.platform.errors import Kind, PassedLimit, Refused
from tikiwallet.platform.ids import derive_uuid
from tikiwallet.platform.money import format_decimal

AccountId = NewType("AccountId", UUID)
TransferId = NewType("TransferId", UUID)

AMOUNT_MINOR_MAX = 10**15  # of one transfer
BALANCE_MINOR_MAX = 10**18  # of one account, either side of zero; so far below int64 that no sum of a batch overflows
NOTE_LENGTH_MAX = 140
BATCH_SIZE_MAX = 1000
STATEMENT_PAGE_MAX = 100


class AccountKind(StrEnum):
    """What an account is for. Only `WALLET` and `ESCROW` hold people's money."""

    WALLET = "wallet"  # a person's online balance
    ESCROW = "escrow"  # the money of one voucher
    IN_FLIGHT = "in_flight"  # on its way in or out
    BANK = "bank"  # the world outside: below zero by what people are owed
    GUARANTEE = "guarantee"  # the operator's own money; may go below zero


class TransferKind(StrEnum):
    """Why value moved. Stored with the postings; shown in histories."""

    PAYMENT = "payment"
    TOP_UP = "top_up"
    WITHDRAWAL = "withdrawal"
    LOAD = "load"  # online to escrow
    RELEASE = "release"  # escrow to online before the close
    SETTLEMENT = "settlement"  # escrow to the people at the close
    CORRECTION = "correction"


def derive_account_id(owner_id: UUID, kind: AccountKind, currency: str) -> AccountId:
    """Return the id of the account of `owner_id` of this kind and currency: the same in every process, for ever."""
    return AccountId(derive_uuid(owner_id, f"account/{kind.value}/{currency}"))


def derive_transfer_id(actor_id: UUID, key: str) -> TransferId:
    """Return the id that makes a retry of `actor_id` with the same idempotency `key` the same transfer."""
    return TransferId(derive_uuid(actor_id, f"transfer/{key}"))


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that the ledger enforces inside the posting transaction. None: no such limit.

    A ceiling or a limit of a day or month may be set below what already stands: money may then leave, not enter, and
    nothing more leaves today or this month. The floor may not be set above the balance, and is 0 for the accounts that
    hold people's money.
    """

    balance_min_minor: int | None = 0  # at most 0, because an account opens empty
    balance_max_minor: int | None = None
    out_per_day_max_minor: int | None = None  # per UTC day of the database clock
    out_per_month_max_minor: int | None = None  # per UTC month of the database clock


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it stands now."""

    account_id: AccountId
    kind: AccountKind
    currency: str
    balance_minor: int
    limits: Limits
    out_today_minor: int = 0  # what has left in this UTC day, and in this month
    out_this_month_minor: int = 0
    closed: bool = False


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Moves a positive amount from one account to another of the same currency. Never changed, never deleted."""

    transfer_id: TransferId  # chosen by the caller, so a retry is the same transfer
    debit_account_id: AccountId
    credit_account_id: AccountId
    amount_minor: int
    currency: str
    kind: TransferKind
    note: str = ""


class PostOutcome(StrEnum):
    """What became of a transfer. A refusal is not remembered: the same id may be tried again, judged anew."""

    POSTED = "posted"
    ALREADY_POSTED = "already_posted"  # same id, same content: success again
    DIFFERS_FROM_POSTED = "differs_from_posted"  # same id, other content
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_CLOSED = "account_closed"
    CURRENCY_DIFFERS = "currency_differs"
    LINKED_REFUSED = "linked_refused"  # `post_linked` only: not posted, because another of the list was refused


class PostResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome; for `POSTED` and `ALREADY_POSTED` also when it was first posted (UTC)."""

    outcome: PostOutcome
    posted_at: datetime | None = None

    @property
    def is_posted(self) -> bool:
        """Whether the transfer stands in the books, now or since earlier."""
        return self.outcome in {PostOutcome.POSTED, PostOutcome.ALREADY_POSTED}


class Direction(StrEnum):
    """Which way money moved, seen from one account."""

    IN = "in"
    OUT = "out"


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a transfer, as the statement of an account shows it."""

    posting_no: int  # counts from 1 per account without a gap
    transfer_id: TransferId
    other_account_id: AccountId
    amount_minor: int  # below zero: out of this account
    balance_minor: int  # after this posting
    kind: TransferKind
    note: str
    posted_at: datetime


class Ledger(Protocol):
    """The operations that other contexts may use. All are safe to repeat.

    An argument that no caller may pass (an amount of zero, one account twice, a note too long) raises
    `AssertionError` before anything happens: what people typed was judged at the edge. An exception of the database
    leaves the outcome unknown: repeat the call with the same ids.
    """

    async def open_account(self, account_id: AccountId, *, kind: AccountKind, currency: str, limits: Limits) -> Account:
        """Open an account, or return it as it stands if it was opened before with this kind and currency.

        Raises `AssertionError` if the id belongs to an account of another kind or currency: the caller has a bug.
        """
        ...

    async def set_limits(self, account_id: AccountId, limits: Limits) -> None:
        """Replace the limits of an existing account.

        Raises `AssertionError` if there is no such account or its balance is below the new floor.
        """
        ...

    async def close_account(self, account_id: AccountId) -> None:
        """Close an account: nothing is posted to it any more. Closing it again changes nothing.

        Raises `AssertionError` if there is no such account or its balance isn't zero.
        """
        ...

    async def accounts(self, account_ids: Sequence[AccountId]) -> dict[AccountId, Account]:
        """Return the accounts that exist among at most `BATCH_SIZE_MAX` ids."""
        ...

    async def post(self, transfer: Transfer) -> PostResult:
        """Post one transfer. The order in which reasons to refuse are judged stands in `ledger/rules.py`."""
        ...

    async def post_linked(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """Post up to `BATCH_SIZE_MAX` transfers all or nothing, judged in their order; one result each.

        Either every result `is_posted` (now or since earlier), or nothing was posted now: then the first that was
        refused says why, those that stand since earlier are `ALREADY_POSTED`, and the others `LINKED_REFUSED`.
        """
        ...

    async def post_many(self, transfers: Sequence[Transfer]) -> list[PostResult]:
        """Post up to `BATCH_SIZE_MAX` independent transfers in one call, with the outcomes of posting them in order."""
        ...

    async def posted(self, transfer_id: TransferId) -> Transfer | None:
        """Return the transfer of this id if it stands in the books."""
        ...

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
        """Return the newest postings of an account that pass every filter, newest first; empty if it is unknown.

        `before_posting_no` is the last posting of the page before; `limit` is 1 to `STATEMENT_PAGE_MAX`; `kinds`
        empty means any; `since` is included and `until` is not (both aware of their time zone).
        """
        ...


class InsufficientFunds(Refused):
    """There isn't enough money in the wallet for this."""

    code, kind = "insufficient_funds", Kind.UNPROCESSABLE


class LimitExceeded(Refused):
    """This would go past a limit: of one operation, of a day, of a month, or of what a wallet may hold."""

    code, kind = "limit_exceeded", Kind.UNPROCESSABLE


class WalletClosed(Refused):
    """One of the wallets is closed, so nothing can be moved in or out of it."""

    code, kind = "wallet_closed", Kind.CONFLICT


def refusal_of(outcome: PostOutcome) -> Refused:
    """Return what to tell a person whose transfer met with `outcome`.

    Raises `AssertionError` for an outcome that is no refusal, or that a person's request can't cause: a bug of ours.
    """
    refusals = {
        PostOutcome.INSUFFICIENT_FUNDS: InsufficientFunds,
        PostOutcome.LIMIT_EXCEEDED: LimitExceeded,
        PostOutcome.ACCOUNT_CLOSED: WalletClosed,
    }
    assert outcome in refusals, outcome
    return refusals[outcome]()


class LimitName(StrEnum):
    """Which limit a transfer would pass, seen from who pays."""

    DAY = "day"  # what may leave the wallet in a day (UTC)
    MONTH = "month"
    BALANCE = "balance"  # what this wallet may hold
    OTHER_BALANCE = "other_balance"  # what the other wallet may hold; how full that is isn't told


def day_ends_at(now: datetime) -> datetime:
    """Return when the day of `now` ends (UTC), and with it what counts for a day."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def month_ends_at(now: datetime) -> datetime:
    """Return when the month of `now` ends (UTC), and with it what counts for a month."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=31)).replace(day=1)


async def refusal_for(ledger: Ledger, transfer: Transfer, outcome: PostOutcome, *, now: datetime) -> Refused:
    """Like `refusal_of`, and of a limit also which, how much is left and until when. Looks at the accounts for it."""
    if outcome is not PostOutcome.LIMIT_EXCEEDED:
        return refusal_of(outcome)
    accounts = await ledger.accounts([transfer.debit_account_id, transfer.credit_account_id])
    return limit_refusal(transfer, accounts, now=now)


def limit_refusal(transfer: Transfer, accounts: Mapping[AccountId, Account], *, now: datetime) -> LimitExceeded:
    """Return which limit `transfer` would pass, as its accounts stand; the bare sentence if it would pass none now."""
    payer, other = accounts.get(transfer.debit_account_id), accounts.get(transfer.credit_account_id)
    outs: list[tuple[LimitName, int | None, int, datetime, str]] = []
    if payer is not None:
        limits, months = payer.limits, payer.out_this_month_minor
        outs = [
            (LimitName.MONTH, limits.out_per_month_max_minor, months, month_ends_at(now), "this month"),
            (LimitName.DAY, limits.out_per_day_max_minor, payer.out_today_minor, day_ends_at(now), "today"),
        ]
    for name, most_minor, out_minor, resets_at, when in outs:  # the longest wait first: the shorter wouldn't help
        if most_minor is not None and out_minor + transfer.amount_minor > most_minor:
            left_minor = max(0, most_minor - out_minor)
            left = f"{format_decimal(left_minor, transfer.currency)} {transfer.currency}"
            return LimitExceeded(
                f"{left} can still leave your wallet {when}; more from {resets_at:%Y-%m-%d} (UTC).",
                field="amount",
                passed=PassedLimit(limit=name, left_minor=left_minor, currency=transfer.currency, resets_at=resets_at),
            )
    ceiling_minor = other.limits.balance_max_minor if other is not None else None
    if other and ceiling_minor is not None and other.balance_minor + transfer.amount_minor > ceiling_minor:
        return LimitExceeded(
            "The other wallet can't hold that much.",
            field="amount",
            passed=PassedLimit(limit=LimitName.OTHER_BALANCE),
        )
    return LimitExceeded(field="amount")
