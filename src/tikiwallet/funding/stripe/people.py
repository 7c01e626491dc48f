"""Who people are at Stripe: customers, whose cards are saved there, and accounts, to which they are paid.

Each is made once for a person, under a key that follows from the person, and then written down. Should we die between
the two and come back after a day, an empty one is left over at Stripe, which nobody can use.
"""

from typing import Final

import stripe

from tikiwallet.funding.queries import SQL
from tikiwallet.funding.stripe.client import found_for, has_code, key_of, made_once
from tikiwallet.funding.types import (
    PayoutAccount,
    PayoutAccountMissing,
    PayoutAccountState,
    SavedCard,
    SavedCardUnknown,
    SavingCard,
)
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Database

CARDS_MAX: Final = 20  # that are listed


class Customers:
    """People as customers, and their saved cards. Of a card nothing is kept here."""

    def __init__(self, db: Database, sdk: stripe.StripeClient, *, public_url: str) -> None:
        self._db = db
        self._v1 = sdk.v1
        self._public_url = public_url

    async def customer_of(self, person_id: PersonId) -> str:
        """Return who this person is at Stripe; made if need be."""
        if (known := await self._known(person_id)) is not None:
            return known

        async def create() -> stripe.Customer:
            return await self._v1.customers.create_async(
                {"metadata": {"person_id": str(person_id)}}, {"idempotency_key": key_of(person_id, "customer")}
            )

        async def find() -> stripe.Customer | None:
            found: stripe.Customer | None = await found_for(person_id, self._v1.customers.list_async, name="person_id")
            return found

        made = await made_once(create, find)
        await self._db.pool.execute(SQL["insert_customer"], person_id, made.id)
        found = await self._known(person_id)
        assert found is not None, person_id
        return found

    async def cards(self, person_id: PersonId) -> list[SavedCard]:
        """Return the saved cards."""
        if (customer_id := await self._known(person_id)) is None:
            return []
        found = await self._v1.payment_methods.list_async({"customer": customer_id, "type": "card", "limit": CARDS_MAX})
        return [
            SavedCard(
                method_id=method.id, brand=method.card.brand, last_digits=method.card.last4,
                expires_month=method.card.exp_month, expires_year=method.card.exp_year,
            )
            for method in found.data
            if method.card is not None
        ]  # fmt: skip

    async def save(self, person_id: PersonId) -> SavingCard:
        """Begin to save a card: a page to go to. It moves no money, so each call may be a new one."""
        customer_id = await self.customer_of(person_id)
        back = f"{self._public_url}/#/top-up"
        session = await self._v1.checkout.sessions.create_async(
            {
                "mode": "setup", "customer": customer_id, "payment_method_types": ["card"],
                "success_url": back, "cancel_url": back,
            }
        )  # fmt: skip
        return SavingCard(go_to_url=session.url or "")

    async def save_natively(self, person_id: PersonId) -> SavingCard:
        """Begin to save a card in an app: a secret for Stripe's own code there."""
        customer_id = await self.customer_of(person_id)
        intent = await self._v1.setup_intents.create_async({"customer": customer_id, "payment_method_types": ["card"]})
        return SavingCard(client_secret=intent.client_secret or "")

    async def remove(self, person_id: PersonId, method_id: str) -> None:
        """Forget a saved card. Refusal: `SavedCardUnknown`."""
        if method_id not in {card.method_id for card in await self.cards(person_id)}:
            raise SavedCardUnknown
        try:
            await self._v1.payment_methods.detach_async(method_id)
        except stripe.InvalidRequestError as error:  # removed twice at the same moment
            if not has_code(error, ("payment_method_unexpected_state", "resource_missing")):
                raise

    async def _known(self, person_id: PersonId) -> str | None:
        found: str | None = await self._db.pool.fetchval(SQL["customer_of"], person_id)
        return found


class PayoutAccounts:
    """Where people are paid: their Express accounts."""

    def __init__(self, db: Database, sdk: stripe.StripeClient, *, public_url: str, country: str) -> None:
        self._db = db
        self._v1 = sdk.v1
        self._public_url = public_url
        self._country = country

    async def require_ready(self, person_id: PersonId) -> None:
        """Refuse (`PayoutAccountMissing`) who can't be paid yet, by what Stripe says now if we don't know better."""
        if (await self.state_of(person_id)).state is not PayoutAccountState.READY:
            raise PayoutAccountMissing

    async def account_of(self, person_id: PersonId) -> str:
        """Return the account of somebody who has one."""
        row = await self._db.pool.fetchrow(SQL["payout_account_of"], person_id)
        assert row is not None, person_id
        account_id: str = row["account_id"]
        return account_id

    async def state_of(self, person_id: PersonId) -> PayoutAccount:
        """Return whether a person can be paid."""
        row = await self._db.pool.fetchrow(SQL["payout_account_of"], person_id)
        if row is None:
            return PayoutAccount(state=PayoutAccountState.WANTED)
        state = PayoutAccountState(row["state"])
        return PayoutAccount(
            state=state if state is PayoutAccountState.READY else await self.look_at(row["account_id"])
        )

    async def open(self, person_id: PersonId) -> PayoutAccount:
        """Return a page on which the person tells Stripe who they are and where to pay; the account is made once."""
        row = await self._db.pool.fetchrow(SQL["payout_account_of"], person_id)
        if row is None:
            made = await self._make(person_id)
            await self._db.pool.execute(SQL["insert_payout_account"], person_id, made.id)
        account_id = await self.account_of(person_id)
        state = await self.look_at(account_id)
        if state is PayoutAccountState.CLOSED:
            return PayoutAccount(state=state)
        back = f"{self._public_url}/#/withdraw"
        link = await self._v1.account_links.create_async(
            {"account": account_id, "type": "account_onboarding", "refresh_url": back, "return_url": back}
        )
        return PayoutAccount(state=state, go_to_url=link.url)

    async def _make(self, person_id: PersonId) -> stripe.Account:
        async def create() -> stripe.Account:
            return await self._v1.accounts.create_async(
                {
                    "type": "express",
                    "country": self._country,
                    "capabilities": {"transfers": {"requested": True}},
                    "settings": {"payouts": {"schedule": {"interval": "manual"}}},
                    "metadata": {"person_id": str(person_id)},
                },
                {"idempotency_key": key_of(person_id, "account")},
            )

        async def find() -> stripe.Account | None:
            found: stripe.Account | None = await found_for(person_id, self._v1.accounts.list_async, name="person_id")
            return found

        return await made_once(create, find)

    async def look_at(self, account_id: str) -> PayoutAccountState:
        """Ask Stripe how an account stands, and write it down."""
        try:
            account = await self._v1.accounts.retrieve_async(account_id)
        except stripe.PermissionError:  # the person closed it, or took it away from us
            state = PayoutAccountState.CLOSED
        else:
            state = _state(account)
        await self._db.pool.execute(SQL["set_payout_account_state"], account_id, state)
        return state

    async def knows(self, account_id: str) -> bool:
        """Whether this account is one of ours."""
        found: bool = await self._db.pool.fetchval(SQL["payout_account_is_known"], account_id)
        return found


def _state(account: stripe.Account) -> PayoutAccountState:
    if account.payouts_enabled:
        return PayoutAccountState.READY
    disabled = account.requirements.disabled_reason if account.requirements is not None else None
    if (disabled or "").startswith("rejected"):
        return PayoutAccountState.CLOSED
    return PayoutAccountState.CHECKED if account.details_submitted else PayoutAccountState.WANTED
