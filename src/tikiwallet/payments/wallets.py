"""Whose wallet is it? People's accounts in the ledger, found in both directions.

The ledger knows accounts and no people, and the id of an account can't be turned back into a person. Without the
table here every payment would need a second row just to say who was on the other side.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from tikiwallet.identity.types import Directory, PersonId, Tier
from tikiwallet.ledger.types import (
    Account,
    AccountId,
    AccountKind,
    Ledger,
    PostOutcome,
    PostResult,
    Transfer,
    day_ends_at,
    derive_account_id,
    month_ends_at,
    refusal_for,
)
from tikiwallet.payments.tiers import Tiers
from tikiwallet.payments.types import Allowance, Span
from tikiwallet.platform.batching import Reads
from tikiwallet.platform.db import Database, Queries
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.money import Balance

SQL = Queries("tikiwallet.payments")
ACCOUNTS_REMEMBERED_MAX = 10_000
OWNERS_REMEMBERED_MAX = 50_000  # about 10 MB


@lru_cache(maxsize=ACCOUNTS_REMEMBERED_MAX)
def wallet_account_id(person_id: UUID, currency: str) -> AccountId:
    """Return the ledger account that holds the online money of this person in this currency."""
    return derive_account_id(person_id, AccountKind.WALLET, currency)


class Wallets:
    """The wallets of all people, in the currencies of the settings, with the limits of their tiers."""

    def __init__(
        self, db: Database, *, ledger: Ledger, directory: Directory, currencies: Sequence[str], tiers: Tiers
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._directory = directory
        self._tiers = tiers
        self._owners: Reads[AccountId, PersonId] = Reads(self._read_owners)
        self._known_owners: dict[AccountId, PersonId] = {}  # never wrong: a wallet has one owner, for ever
        self.currencies = tuple(currencies)

    async def prepare(self, person_id: PersonId) -> None:
        """Open the wallet of a person, in every currency. Safe to repeat, also before the person exists."""
        person = await self._directory.person(person_id)
        tier = person.tier if person is not None else Tier.PHONE
        for currency in self.currencies:
            account_id = wallet_account_id(person_id, currency)
            # The owner first: an account without a known owner would have no name in anybody's history.
            await self._db.pool.execute(SQL["record_wallet"], account_id, person_id, currency)
            await self._ledger.open_account(
                account_id, kind=AccountKind.WALLET, currency=currency, limits=self._tiers.limits(tier, currency)
            )

    async def apply_tier(self, person_id: PersonId, tier: Tier) -> None:
        """Give the wallet of a person the limits of `tier`, in every currency. Safe to repeat."""
        await self.prepare(person_id)
        for currency in self.currencies:
            await self._ledger.set_limits(wallet_account_id(person_id, currency), self._tiers.limits(tier, currency))

    async def allowances(self, person_id: PersonId, *, now: datetime) -> list[Allowance]:
        """Return what this person may still do in each currency."""
        account_ids = [wallet_account_id(person_id, currency) for currency in self.currencies]
        accounts = await self._ledger.accounts(account_ids)
        if len(accounts) < len(account_ids):  # a currency that the operator has begun to offer
            await self.prepare(person_id)
            accounts = await self._ledger.accounts(account_ids)
        return [_allowance(accounts[account_id], now=now) for account_id in account_ids]

    async def close(self, person_id: PersonId) -> bool:
        """Close the wallet of a person in every currency, for ever; False if there is money in it. Repeatable."""
        account_ids = [wallet_account_id(person_id, currency) for currency in self.currencies]
        for account_id, account in (await self._ledger.accounts(account_ids)).items():
            if account.balance_minor:
                return False
            await self._ledger.close_account(account_id)
        return True

    async def refusal(self, transfer: Transfer, outcome: PostOutcome, *, now: datetime) -> Refused:
        """Return what to tell a person whose transfer was refused."""
        return await refusal_for(self._ledger, transfer, outcome, now=now)

    async def post(self, transfer: Transfer, *, people: Collection[PersonId]) -> PostResult:
        """Post a transfer between the wallets of `people`; a wallet that isn't open yet in this currency is opened.

        That happens when the operator offers a currency that wasn't there when somebody signed up.
        """
        result = await self._ledger.post(transfer)
        if result.outcome is PostOutcome.ACCOUNT_UNKNOWN:
            for person_id in people:
                await self.prepare(person_id)
            result = await self._ledger.post(transfer)
        return result

    async def owners(self, account_ids: Collection[AccountId]) -> dict[AccountId, PersonId]:
        """Return whose wallets these accounts are; accounts that are nobody's wallet are absent."""
        known = {key: self._known_owners[key] for key in account_ids if key in self._known_owners}
        if len(known) == len(account_ids):
            return known
        found = await self._owners.get([key for key in account_ids if key not in known])
        if len(self._known_owners) + len(found) > OWNERS_REMEMBERED_MAX:
            self._known_owners.clear()
        self._known_owners |= found
        return known | found

    async def _read_owners(self, account_ids: list[AccountId]) -> dict[AccountId, PersonId]:
        rows = await self._db.pool.fetch(SQL["wallet_owners"], account_ids)
        return {AccountId(row["account_id"]): PersonId(row["person_id"]) for row in rows}

    async def balances(self, person_id: PersonId) -> list[Balance]:
        """Return what stands in the wallet of this person now, in the order of the settings."""
        account_ids = {currency: wallet_account_id(person_id, currency) for currency in self.currencies}
        accounts = await self._ledger.accounts(list(account_ids.values()))
        found = {account.currency: account.balance_minor for account in accounts.values()}
        return [Balance(amount_minor=found.get(currency, 0), currency=currency) for currency in self.currencies]


def _allowance(account: Account, *, now: datetime) -> Allowance:
    limits = account.limits
    return Allowance(
        currency=account.currency,
        balance_minor=account.balance_minor,
        balance_max_minor=limits.balance_max_minor,
        day=_span(limits.out_per_day_max_minor, account.out_today_minor, resets_at=day_ends_at(now)),
        month=_span(limits.out_per_month_max_minor, account.out_this_month_minor, resets_at=month_ends_at(now)),
    )


def _span(most_minor: int | None, out_minor: int, *, resets_at: datetime) -> Span:
    left_minor = None if most_minor is None else max(0, most_minor - out_minor)
    return Span(out_minor=out_minor, out_max_minor=most_minor, left_minor=left_minor, resets_at=resets_at)
