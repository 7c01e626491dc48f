"""What happened to my wallet: the statement of its account, told with names.

The ledger's statement knows accounts, not people; without this file everybody would have to know whose account is
whose, which is nobody's business but the two parties'.
"""

from tikiwallet.identity.types import Directory, PersonId, PublicPerson
from tikiwallet.ledger.types import AccountId, Direction, Ledger, Posting, TransferKind
from tikiwallet.payments.types import Counterparty, HistoryItem, HistoryPage, HistoryQuery
from tikiwallet.payments.wallets import Wallets, wallet_account_id
from tikiwallet.platform.money import Amount, Balance, require_offered

COUNTERPARTIES = {
    TransferKind.PAYMENT: Counterparty.OPERATOR,  # only if it wasn't between two wallets
    TransferKind.TOP_UP: Counterparty.BANK,
    TransferKind.WITHDRAWAL: Counterparty.BANK,
    TransferKind.LOAD: Counterparty.OFFLINE,
    TransferKind.RELEASE: Counterparty.OFFLINE,
    TransferKind.SETTLEMENT: Counterparty.OFFLINE,
    TransferKind.CORRECTION: Counterparty.OPERATOR,
}
WITH_WORDS_FOR_PEOPLE = frozenset({TransferKind.PAYMENT, TransferKind.CORRECTION})


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
        postings = await self._ledger.statement(
            wallet_account_id(person_id, currency),
            before_posting_no=query.cursor,
            limit=query.limit,
            kinds=() if query.kind is None else (query.kind,),
            direction=query.direction,
            since=query.since,
            until=query.until,
        )
        people = await self._counterparties({posting.other_account_id for posting in postings})
        # Postings are numbered from 1 without a gap: only a full page that ends above 1 can have a next one.
        more = len(postings) == query.limit and postings[-1].posting_no > 1
        return HistoryPage(
            items=[_item(posting, currency, people.get(posting.other_account_id)) for posting in postings],
            next_cursor=str(postings[-1].posting_no) if more else None,
        )

    async def _counterparties(self, account_ids: set[AccountId]) -> dict[AccountId, PublicPerson]:
        owners = await self._wallets.owners(account_ids)
        people = await self._directory.people(list(set(owners.values())))
        return {account_id: people[person_id] for account_id, person_id in owners.items() if person_id in people}


def _item(posting: Posting, currency: str, person: PublicPerson | None) -> HistoryItem:
    return HistoryItem(
        transfer_id=posting.transfer_id,
        kind=posting.kind,
        direction=Direction.IN if posting.amount_minor > 0 else Direction.OUT,
        amount=Amount(amount_minor=abs(posting.amount_minor), currency=currency),
        balance=Balance(amount_minor=posting.balance_minor, currency=currency),
        counterparty=person or COUNTERPARTIES[posting.kind],
        # The note of any other kind is a word between its context and the ledger.
        memo=posting.note if posting.kind in WITH_WORDS_FOR_PEOPLE else "",
        at=posting.posted_at,
    )
