"""Top-ups by card: a page of Stripe's own (Checkout), Stripe's code in an app, or a card that was saved.

What happened is only ever read from Stripe, by asking for the object: neither the person's coming back from the page
nor what a webhook says moves money. A card that fails ends its operation, so that each try of a thief is one operation
and is counted; on the page, Stripe itself keeps count.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import stripe
import structlog

from tikiwallet.funding.stripe.client import found_for, has_code, key_of, made_once, since
from tikiwallet.funding.stripe.people import Customers
from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, Made, Reason, Through

PAGE_LIFE: Final = timedelta(hours=1)
REFUND_LASTS: Final = timedelta(days=10)  # what card banks take at most, as a rule
log = structlog.get_logger()
OPEN: Final = {"requires_payment_method", "requires_confirmation", "requires_action"}


class AmountDiffers(Exception):
    """What Stripe took isn't what was ordered: a person has to look before any of it is credited."""


class RefundFailed(Exception):
    """The card's bank doesn't take the money back: a person has to find another way."""


class Payments:
    """The steps of top-ups at Stripe."""

    def __init__(self, sdk: stripe.StripeClient, *, customers: Customers, public_url: str) -> None:
        self._v1 = sdk.v1
        self._customers = customers
        self._public_url = public_url

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take one step, or say how it stands."""
        if order.through is Through.PAGE:
            if session_id := order.made.get("session"):
                return await self._ask_session(order, session_id)
            return await self._open_session(order, now=now)
        if intent_id := order.made.get("payment"):
            return await self._ask_intent(order, intent_id, now=now)
        return await self._make_intent(order, now=now)

    async def give_back(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Refund it, or say how the refund stands. Raises `RefundFailed`."""
        payment_id, refund_id = order.made["payment"], order.made.get("refund")
        if refund_id is None:
            try:
                refund = await self._make_refund(order, payment_id, now=now)
            except stripe.InvalidRequestError as error:
                if not has_code(error, ("charge_disputed",)):
                    raise
                return BankAnswer(decision=Decision.CONFIRMED)  # their bank fetched it itself
            return BankAnswer(
                decision=Decision.GO_ON, made=Made("refund", refund.id), expected_by=now + REFUND_LASTS
            )  # fmt: skip
        refund = await self._v1.refunds.retrieve_async(refund_id)
        if refund.status in {"failed", "canceled"}:
            raise RefundFailed(f"{refund_id} is {refund.status}")
        is_done = refund.status == "succeeded"
        return BankAnswer(decision=Decision.CONFIRMED if is_done else Decision.PENDING)

    async def _open_session(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        back = f"{self._public_url}/#/operation/{order.operation_id}"
        metadata = {"operation_id": str(order.operation_id)}
        expires_at = order.created_at + PAGE_LIFE
        # Every value follows from the order: a repetition that differs from the first would be refused.
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "payment",
            "payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.amount.currency.lower(),
                        "unit_amount": order.amount.amount_minor,
                        "product_data": {"name": "TikiWallet"},
                    },
                }
            ],
            "client_reference_id": str(order.operation_id),
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "success_url": back,
            "cancel_url": back,
            "expires_at": int(expires_at.timestamp()),
        }

        async def create() -> stripe.checkout.Session:
            return await self._v1.checkout.sessions.create_async(
                params, {"idempotency_key": key_of(order.operation_id, "session")}
            )

        async def find() -> stripe.checkout.Session | None:
            found: stripe.checkout.Session | None = await found_for(
                order.operation_id,
                self._v1.checkout.sessions.list_async,
                created=since(order.created_at),
            )
            return found

        if order.is_cancelled:
            return BankAnswer(decision=Decision.DECLINED, reason=Reason.CANCELLED)
        try:
            session = await made_once(create, find, age=now - order.created_at)
        except stripe.InvalidRequestError as error:
            if error.param == "expires_at":
                # We were away for so long that the page, if it was ever made, has closed and nobody saw it.
                return BankAnswer(decision=Decision.DECLINED, reason=Reason.EXPIRED)
            log.exception("Stripe refused a session", operation_id=order.operation_id)
            return BankAnswer(decision=Decision.DECLINED)
        return BankAnswer(decision=Decision.GO_ON, made=Made("session", session.id))

    async def _ask_session(self, order: BankOrder, session_id: str) -> BankAnswer:
        session = await self._v1.checkout.sessions.retrieve_async(session_id)
        if session.status == "expired":
            return BankAnswer(
                decision=Decision.DECLINED, reason=Reason.CANCELLED if order.is_cancelled else Reason.EXPIRED
            )  # fmt: skip
        if session.status == "complete" and session.payment_status == "paid":
            _check(order, session.amount_total, session.currency)
            payment_id = session.payment_intent
            assert isinstance(payment_id, str), session_id
            return BankAnswer(decision=Decision.CONFIRMED, made=Made("payment", payment_id))
        if session.status == "open" and order.is_cancelled:
            return await _stop(lambda: self._v1.checkout.sessions.expire_async(session_id))
        return BankAnswer(
            decision=Decision.PENDING, go_to_url=session.url or "",
            expires_at=datetime.fromtimestamp(session.expires_at, UTC),
        )  # fmt: skip

    async def _make_intent(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        if order.is_cancelled:
            return BankAnswer(decision=Decision.DECLINED, reason=Reason.CANCELLED)
        customer_id = await self._customers.customer_of(order.person_id)
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": order.amount.amount_minor,
            "currency": order.amount.currency.lower(),
            "customer": customer_id,
            "payment_method_types": ["card"],
            "metadata": {"operation_id": str(order.operation_id)},
        }
        if order.through is Through.SAVED:
            params["payment_method"] = order.method_id

        async def create() -> stripe.PaymentIntent:
            return await self._v1.payment_intents.create_async(
                params, {"idempotency_key": key_of(order.operation_id, "payment")}
            )

        async def find() -> stripe.PaymentIntent | None:
            found: stripe.PaymentIntent | None = await found_for(
                order.operation_id,
                self._v1.payment_intents.list_async,
                customer=customer_id,
            )
            return found

        try:
            intent = await made_once(create, find, age=now - order.created_at)
        except stripe.InvalidRequestError as error:
            if order.through is not Through.SAVED or not has_code(error, METHOD_UNUSABLE):
                log.exception("Stripe refused a payment", operation_id=order.operation_id)
            return BankAnswer(decision=Decision.DECLINED)  # the card was removed, or is somebody else's, most likely
        return BankAnswer(decision=Decision.GO_ON, made=Made("payment", intent.id))

    async def _ask_intent(self, order: BankOrder, intent_id: str, *, now: datetime) -> BankAnswer:
        intent = await self._v1.payment_intents.retrieve_async(intent_id)
        expires_at = order.created_at + PAGE_LIFE
        if intent.status == "succeeded":
            _check(order, intent.amount_received, intent.currency)
            return BankAnswer(decision=Decision.CONFIRMED)
        has_failed = intent.last_payment_error is not None
        if intent.status == "canceled":
            reason = Reason.NONE if has_failed else Reason.CANCELLED if order.is_cancelled else Reason.EXPIRED
            return BankAnswer(decision=Decision.DECLINED, reason=reason)
        if intent.status in OPEN and (has_failed or order.is_cancelled or now >= expires_at):
            return await _stop(
                lambda: self._v1.payment_intents.cancel_async(
                    intent_id, {}, {"idempotency_key": key_of(order.operation_id, "stop")}
                )
            )
        if intent.status == "requires_confirmation":
            return await self._confirm(order, intent_id)
        next_action = intent.next_action
        redirect = next_action.redirect_to_url if next_action is not None else None
        return BankAnswer(
            decision=Decision.PENDING,
            go_to_url=(redirect.url or "") if redirect is not None and order.through is Through.SAVED else "",
            client_secret=(intent.client_secret or "") if order.through is Through.NATIVE else "",
            expires_at=expires_at,
        )

    async def _confirm(self, order: BankOrder, intent_id: str) -> BankAnswer:
        """Charge the saved card. What comes of it is asked next."""
        with contextlib.suppress(stripe.CardError):  # the intent says so too, and is what is believed
            await self._v1.payment_intents.confirm_async(
                intent_id,
                {"return_url": f"{self._public_url}/#/operation/{order.operation_id}"},
                {"idempotency_key": key_of(order.operation_id, "confirm")},
            )
        return BankAnswer(decision=Decision.GO_ON)

    async def _make_refund(self, order: BankOrder, payment_id: str, *, now: datetime) -> stripe.Refund:
        async def create() -> stripe.Refund:
            return await self._v1.refunds.create_async(
                {"payment_intent": payment_id, "metadata": {"operation_id": str(order.operation_id)}},
                {"idempotency_key": key_of(order.operation_id, "refund")},
            )

        async def find() -> stripe.Refund | None:
            found: stripe.Refund | None = await found_for(
                order.operation_id,
                self._v1.refunds.list_async,
                payment_intent=payment_id,
            )
            return found

        return await made_once(create, find, age=now - order.created_at)


METHOD_UNUSABLE: Final = (
    "resource_missing", "payment_method_customer_mismatch", "payment_method_unexpected_state",
)  # fmt: skip
STOPPED_ALREADY: Final = ("checkout_session_unexpected_state", "payment_intent_unexpected_state")


async def _stop(stop: Callable[[], Awaitable[object]]) -> BankAnswer:
    """Keep anybody from paying any more. If it was paid or stopped meanwhile, asking again tells."""
    try:
        await stop()
    except stripe.InvalidRequestError as error:
        if not has_code(error, STOPPED_ALREADY):
            raise
    return BankAnswer(decision=Decision.GO_ON)


def _check(order: BankOrder, amount_minor: int | None, currency: str | None) -> None:
    if (amount_minor, (currency or "").upper()) != (order.amount.amount_minor, order.amount.currency):
        raise AmountDiffers(f"{order.operation_id}: {amount_minor} {currency} for {order.amount}")
