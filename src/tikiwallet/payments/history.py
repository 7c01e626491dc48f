"""What happened to my wallet: the statement of its account, told with names.

The ledger's statement is one index range, newest first; it knows neither people nor filters. Filters are applied
while reading it, within a bound, so that a rare filter on a long history can't hold the server: such a page is short
and its cursor goes on.
"""

from datetime import timedelta

from tikiwallet.identity.types import Directory, PersonId, PublicPerson
from tikiwallet.ledger.types import STATEMENT_PAGE_MAX, AccountId, Ledger, Posting, TransferKind
from tikiwallet.payments.types import Counterparty, Direction, HistoryItem, HistoryPage, HistoryQuery
from tikiwallet.payments.wallets import Wallets, wallet_account_id
from tikiwallet.platform.money import Amount, Balance, require_offered

POSTINGS_READ_MAX = 1000  # for one page
# Postings are numbered when they are made but dated when their transaction began, so a later one may be dated a
# little earlier; no transaction lasts longer than this.
DATE_DISORDER_MAX = timedelta(minutes=1)

COUNTERPARTIES = {
    TransferKind.PAYMENT: Counterparty.OPERATOR,  # only if it wasn't between two wallets
    TransferKind.TOP_UP: Counterparty.BANK,
    TransferKind.WITHDRAWAL: Counterparty.BANK,
    TransferKind.LOAD: Counterparty.OFFLINE,
    TransferKind.RELEASE: Counterparty.OFFLINE,
    TransferKind.SETTLEMENT: Counterparty.OFFLINE,
    TransferKind.CORRECTION: Counterparty.OPERATOR,
}


class History:
    """The movements of people's wallets."""

    def __init__(self, *, ledger: Ledger, directory: Directory, wallets: Wallets) -> None:
        self._ledger = ledger
        self._directory = directory
        self._wallets = wallets

    async def page(self, person_id: PersonId, query: HistoryQuery) -> HistoryPage:
        """Return the newest movements of the wallet of `person_id` that match. Refusal: `CurrencyNotOffered`."""
        currency = query.currency or self._wallets.currencies[0]
        require_offered(currency, self._wallets.currencies)
        postings, next_posting_no = await self._read(wallet_account_id(person_id, currency), query)
        people = await self._counterparties({posting.other_account_id for posting in postings})
        return HistoryPage(
            items=[_item(posting, currency, people.get(posting.other_account_id)) for posting in postings],
            next_cursor=None if next_posting_no is None else str(next_posting_no),
        )

    async def _read(self, account_id: AccountId, query: HistoryQuery) -> tuple[list[Posting], int | None]:
        """Return up to a page of postings that match, and the number before which to go on (None: that was all)."""
        found: list[Posting] = []
        before = query.cursor
        narrowed = query.kind or query.direction or query.since or query.until
        limit = STATEMENT_PAGE_MAX if narrowed else query.limit
        for _ in range(0, POSTINGS_READ_MAX, STATEMENT_PAGE_MAX):
            for posting in await self._ledger.statement(account_id, before_posting_no=before, limit=limit):
                before = posting.posting_no
                if query.since is not None and posting.posted_at < query.since - DATE_DISORDER_MAX:
                    return found, None
                if _matches(posting, query):
                    found.append(posting)
                if before == 1:  # postings are numbered from 1 without a gap
                    return found, None
                if len(found) == query.limit:
                    return found, before
            if before == query.cursor:  # nothing (more) in this account
                return found, None
        return found, before

    async def _counterparties(self, account_ids: set[AccountId]) -> dict[AccountId, PublicPerson]:
        owners = await self._wallets.owners(account_ids)
        people = await self._directory.people(list(set(owners.values())))
        return {account_id: people[person_id] for account_id, person_id in owners.items() if person_id in people}


def _matches(posting: Posting, query: HistoryQuery) -> bool:
    return (
        (query.kind is None or posting.kind is query.kind)
        and (query.direction is None or _direction(posting) is query.direction)
        and (query.since is None or posting.posted_at >= query.since)
        and (query.until is None or posting.posted_at < query.until)
    )


def _direction(posting: Posting) -> Direction:
    return Direction.IN if posting.amount_minor > 0 else Direction.OUT


def _item(posting: Posting, currency: str, person: PublicPerson | None) -> HistoryItem:
    return HistoryItem(
        transfer_id=posting.transfer_id,
        kind=posting.kind,
        direction=_direction(posting),
        amount=Amount(amount_minor=abs(posting.amount_minor), currency=currency),
        balance=Balance(amount_minor=posting.balance_minor, currency=currency),
        counterparty=person or COUNTERPARTIES[posting.kind],
        # The note of any other kind is a word between its context and the ledger.
        memo=posting.note if posting.kind is TransferKind.PAYMENT else "",
        at=posting.posted_at,
    )
