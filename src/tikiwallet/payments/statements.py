"""The statement of a month: what stood in the wallet, every movement, what stood there then.

It is made from the ledger each time and never kept: a kept one could differ from the books. Opening balance plus all
movements is the closing balance, or nothing is answered. A month is one of UTC, as all instants of the wallet are.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.ledger.types import STATEMENT_PAGE_MAX, Ledger
from tikiwallet.payments.history import History
from tikiwallet.payments.statement_words import Language
from tikiwallet.payments.types import HistoryItem, HistoryQuery
from tikiwallet.payments.wallets import Wallets, wallet_account_id
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.money import Balance, CurrencyCode, require_offered

MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
ITEMS_MAX: Final = 5000


class StatementMonthInvalid(Refused):
    """Name a month that has begun, such as 2026-11."""

    code, kind = "statement_month_invalid", Kind.INVALID


class StatementTooLong(Refused):
    """So much happened in this month that it fits no statement; read the history instead."""

    code, kind = "statement_too_long", Kind.UNPROCESSABLE


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A month of one wallet in one currency, oldest movement first."""

    month: str
    username: str
    since: datetime
    until: datetime  # the end of the month, or now
    opening: Balance
    closing: Balance
    in_minor: int
    out_minor: int
    items: Sequence[HistoryItem]


class StatementDataQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which currency."""

    currency: CurrencyCode | None = None


class ReceiptQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which language."""

    language: Language = Language.EN


class StatementQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which currency, in which language."""

    currency: CurrencyCode | None = None
    language: Language = Language.EN


class Statements:
    """The statements of people's wallets; each sees their own."""

    def __init__(self, *, ledger: Ledger, directory: Directory, history: History, wallets: Wallets) -> None:
        self._directory = directory
        self._ledger = ledger
        self._history = history
        self._wallets = wallets

    async def month(self, person_id: PersonId, month: str, *, currency: str | None, now: datetime) -> Statement:
        """Return a month. Refusals: `StatementMonthInvalid`, `CurrencyNotOffered`, `StatementTooLong`."""
        currency = currency or self._wallets.currencies[0]
        require_offered(currency, self._wallets.currencies)
        since, end = _bounds(month, now)
        until = min(end, now)
        items = await self._items(person_id, currency, since, until)
        opening_minor = await self._balance_before(person_id, currency, since)
        people = await self._directory.people([person_id])
        moved = [_signed(item) for item in items]
        closing_minor = items[-1].balance.amount_minor if items else opening_minor
        assert opening_minor + sum(moved) == closing_minor, (person_id, month, currency)
        return Statement(
            month=month,
            username=people[person_id].username,
            since=since,
            until=until,
            opening=Balance(amount_minor=opening_minor, currency=currency),
            closing=Balance(amount_minor=closing_minor, currency=currency),
            in_minor=sum(each for each in moved if each > 0),
            out_minor=-sum(each for each in moved if each < 0),
            items=items,
        )

    async def _items(self, person_id: PersonId, currency: str, since: datetime, until: datetime) -> list[HistoryItem]:
        query = HistoryQuery(currency=currency, since=since, until=until, limit=STATEMENT_PAGE_MAX)
        found: list[HistoryItem] = []
        while True:
            page = await self._history.page(person_id, query)
            found += page.items
            if len(found) > ITEMS_MAX:
                raise StatementTooLong
            if page.next_cursor is None:
                return found[::-1]
            query = msgspec.structs.replace(query, cursor=int(page.next_cursor))

    async def _balance_before(self, person_id: PersonId, currency: str, at: datetime) -> int:
        last = await self._ledger.statement(wallet_account_id(person_id, currency), until=at, limit=1)
        return last[0].balance_minor if last else 0


def _bounds(month: str, now: datetime) -> tuple[datetime, datetime]:
    match = MONTH.fullmatch(month)
    if match is None:
        raise StatementMonthInvalid
    year, number = int(match[1]), int(match[2])
    since = datetime(year, number, 1, tzinfo=UTC)
    if since > now:
        raise StatementMonthInvalid
    return since, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _signed(item: HistoryItem) -> int:
    return item.amount.amount_minor if item.direction.value == "in" else -item.amount.amount_minor
