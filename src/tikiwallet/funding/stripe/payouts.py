"""Withdrawals by Connect: a transfer to the person's account at Stripe, and a payout from there to their bank.

Each is a step of its own, and the way back has one too: a payout that fails or is cancelled leaves the money in the
person's account there, from which a reversal fetches it before the wallet has it again.
"""

from datetime import UTC, datetime
from typing import Final

import stripe

from tikiwallet.funding.stripe.client import found_for, has_code, key_of, made_once
from tikiwallet.funding.stripe.people import PayoutAccounts
from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, Made, Reason

# The operator's own money at Stripe isn't there yet: that passes, and says nothing about the person.
NOT_YET: Final = ("balance_insufficient", "insufficient_funds")
ON_ITS_WAY: Final = {"pending", "in_transit"}


class Payouts:
    """The steps of withdrawals at Stripe."""

    def __init__(self, sdk: stripe.StripeClient, *, accounts: PayoutAccounts) -> None:
        self._v1 = sdk.v1
        self._accounts = accounts

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take one step, or say how it stands."""
        made = order.made
        if "reversal" in made:
            return BankAnswer(
                decision=Decision.DECLINED, reason=Reason.CANCELLED if order.is_cancelled else Reason.NONE
            )  # fmt: skip
        if "transfer" not in made:
            return await self._transfer(order, now=now)
        account_id = await self._accounts.account_of(order.person_id)
        if "payout" in made:
            return await self._ask_payout(order, account_id, now=now)
        if order.is_cancelled:
            return await self._reverse_unless_paid(order, account_id, now=now)
        return await self._payout(order, account_id, now=now)

    async def _transfer(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        account_id = await self._accounts.account_of(order.person_id)
        group = str(order.operation_id)

        async def create() -> stripe.Transfer:
            return await self._v1.transfers.create_async(
                {
                    "amount": order.amount.amount_minor,
                    "currency": order.amount.currency.lower(),
                    "destination": account_id,
                    "transfer_group": group,
                    "metadata": {"operation_id": group},
                },
                {"idempotency_key": key_of(order.operation_id, "transfer")},
            )

        async def find() -> stripe.Transfer | None:
            found: stripe.Transfer | None = await found_for(
                order.operation_id,
                self._v1.transfers.list_async,
                transfer_group=group,
            )
            return found

        # Also if it is cancelled by now: asked for once, it may be on its way, and only what is there can come back.
        try:
            transfer = await made_once(create, find, age=now - order.created_at)
        except stripe.InvalidRequestError as error:
            if order.is_cancelled:
                return BankAnswer(decision=Decision.DECLINED, reason=Reason.CANCELLED)
            if has_code(error, NOT_YET):
                raise
            return BankAnswer(decision=Decision.DECLINED)  # their account there is closed or may not be paid
        return BankAnswer(decision=Decision.GO_ON, made=Made("transfer", transfer.id))

    async def _payout(self, order: BankOrder, account_id: str, *, now: datetime) -> BankAnswer:
        async def create() -> stripe.Payout:
            return await self._v1.payouts.create_async(
                {
                    "amount": order.amount.amount_minor,
                    "currency": order.amount.currency.lower(),
                    "metadata": {"operation_id": str(order.operation_id)},
                },
                {"idempotency_key": key_of(order.operation_id, "payout"), "stripe_account": account_id},
            )

        async def find() -> stripe.Payout | None:
            return await self._find_payout(order, account_id)

        try:
            payout = await made_once(create, find, age=now - order.created_at)
        except stripe.InvalidRequestError as error:
            if has_code(error, NOT_YET):
                raise
            return await self._reverse(order, now=now)
        return BankAnswer(decision=Decision.GO_ON, made=Made("payout", payout.id), expected_by=_arrival(payout))

    async def _ask_payout(self, order: BankOrder, account_id: str, *, now: datetime) -> BankAnswer:
        payout_id = order.made["payout"]
        payout = await self._v1.payouts.retrieve_async(payout_id, {}, {"stripe_account": account_id})
        if payout.status == "paid":
            return BankAnswer(decision=Decision.CONFIRMED, expected_by=_arrival(payout))
        if payout.status not in ON_ITS_WAY:
            return await self._reverse(order, now=now)
        if payout.status == "pending" and order.is_cancelled:
            return await self._cancel_payout(order, payout_id, account_id)
        return BankAnswer(decision=Decision.PENDING, expected_by=_arrival(payout))

    async def _cancel_payout(self, order: BankOrder, payout_id: str, account_id: str) -> BankAnswer:
        try:
            await self._v1.payouts.cancel_async(
                payout_id, {},
                {"idempotency_key": key_of(order.operation_id, "stop"), "stripe_account": account_id},
            )  # fmt: skip
        except stripe.InvalidRequestError:
            return BankAnswer(
                decision=Decision.PENDING
            )  # it left in this moment; the next time it is asked, it says so
        return BankAnswer(decision=Decision.GO_ON)

    async def _reverse_unless_paid(self, order: BankOrder, account_id: str, *, now: datetime) -> BankAnswer:
        """Cancelled before we heard of a payout: it may be there all the same, and is what counts then."""
        payout = await self._find_payout(order, account_id)
        if payout is None:
            return await self._reverse(order, now=now)
        return BankAnswer(decision=Decision.GO_ON, made=Made("payout", payout.id), expected_by=_arrival(payout))

    async def _find_payout(self, order: BankOrder, account_id: str) -> stripe.Payout | None:
        found: stripe.Payout | None = await found_for(
            order.operation_id, lambda page: self._v1.payouts.list_async(page, {"stripe_account": account_id})
        )
        return found

    async def _reverse(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        transfer_id = order.made["transfer"]

        async def create() -> stripe.Reversal:
            return await self._v1.transfers.reversals.create_async(
                transfer_id,
                {"metadata": {"operation_id": str(order.operation_id)}},
                {"idempotency_key": key_of(order.operation_id, "reversal")},
            )

        async def find() -> stripe.Reversal | None:
            found: stripe.Reversal | None = await found_for(
                order.operation_id,
                lambda page: self._v1.transfers.reversals.list_async(transfer_id, page),
            )
            return found

        reversal = await made_once(create, find, age=now - order.created_at)
        return BankAnswer(decision=Decision.GO_ON, made=Made("reversal", reversal.id))


def _arrival(payout: stripe.Payout) -> datetime:
    return datetime.fromtimestamp(payout.arrival_date, UTC)
