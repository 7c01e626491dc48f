"""Money comes in: by the hosted page, by an intent, by a saved card; and goes back."""

from collections.abc import AsyncIterator

import pytest
import stripe

from stripe_standin.client import Stripe

PRICE = {"currency": "sgd", "unit_amount": 2000, "product_data": {"name": "Top-up"}}
SESSION = {
    "mode": "payment",
    "line_items": [{"price_data": PRICE, "quantity": 1}],
    "success_url": "http://127.0.0.1:8000/?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "http://127.0.0.1:8000/?cancelled",
    "metadata": {"operation_id": "7"},
    "payment_intent_data": {"metadata": {"operation_id": "7"}},
}


@pytest.fixture
async def there() -> AsyncIterator[Stripe]:
    return Stripe()


async def paid(there: Stripe, card: str = "pm_card_visa", amount: int = 2000, **more: object) -> stripe.PaymentIntent:
    params = {"amount": amount, "currency": "sgd", "payment_method": card, "confirm": True, **more}
    return await there.v1.payment_intents.create_async(params)


async def test_the_hosted_page_declines_asks_and_pays_once(there: Stripe) -> None:
    made = await there.v1.checkout.sessions.create_async(SESSION)
    assert (made.status, made.payment_status, made.amount_total, made.payment_intent) == ("open", "unpaid", 2000, None)
    shown = await there.browse("GET", made.url)
    assert "SGD 20.00" in shown.text
    assert "4242 … 4242" in shown.text
    declined = await there.browse("POST", made.url, card="4000000000000002")
    assert (declined.status_code, "Your card was declined." in declined.text) == (402, True)
    asked = await there.browse("POST", made.url, card="4000002500003155")
    assert "is it you" in (await there.browse("GET", asked.headers["location"])).text
    back = await there.browse("POST", asked.headers["location"], answer="no")
    assert "unable to authenticate" in (await there.browse("GET", back.headers["location"])).text
    asked = await there.browse("POST", made.url, card="4000002500003155")
    again = await there.browse("POST", asked.headers["location"], answer="yes")
    done = await there.browse("GET", again.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, f"http://127.0.0.1:8000/?session={made.id}")
    assert (await there.browse("POST", f"/pay/{made.id}", card="4242424242424242")).status_code == 303  # not again
    got = await there.v1.checkout.sessions.retrieve_async(
        made.id, {"expand": ["payment_intent.latest_charge.balance_transaction"]}
    )
    assert (got.status, got.payment_status, got.metadata["operation_id"]) == ("complete", "paid", "7")
    charge = got.payment_intent.latest_charge
    assert (charge.balance_transaction.amount, charge.balance_transaction.fee) == (2000, 118)
    assert list(there.books()) == [2000 - 118]
    assert await there.deliver() == [
        "payment_intent.created", "charge.failed", "payment_intent.payment_failed", "payment_intent.requires_action",
        "payment_intent.payment_failed", "payment_intent.requires_action", "charge.succeeded",
        "payment_intent.succeeded", "checkout.session.completed",
    ]  # fmt: skip


async def test_a_session_is_cancelled_expires_and_cannot_be_paid_then(there: Stripe) -> None:
    made = await there.v1.checkout.sessions.create_async(SESSION)
    gone = await there.browse("POST", f"/pay/{made.id}/cancel")
    assert gone.headers["location"] == SESSION["cancel_url"]
    assert (await there.v1.checkout.sessions.retrieve_async(made.id)).status == "open"
    assert (await there.v1.checkout.sessions.expire_async(made.id)).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        await there.v1.checkout.sessions.expire_async(made.id)
    second = await there.v1.checkout.sessions.create_async(SESSION)
    await there.later(hours=24)
    assert (await there.v1.checkout.sessions.retrieve_async(second.id)).status == "expired"
    assert "has expired" in (await there.browse("POST", f"/pay/{second.id}", card="4242424242424242")).text
    assert list(there.books()) == []


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
async def test_a_declined_card_moves_nothing(there: Stripe, card: str, code: str, decline_code: str | None) -> None:
    with pytest.raises(stripe.CardError) as failed:
        await paid(there, card)
    assert failed.value.code == code
    assert failed.value.error.decline_code == decline_code if decline_code else True
    intent = failed.value.error.payment_intent
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", code)
    assert list(there.books()) == []
    done = await there.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (done.status, done.amount_received) == ("succeeded", 2000)
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
        await there.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="cannot cancel"):
        await there.v1.payment_intents.cancel_async(intent.id)


async def test_a_saved_card_pays_without_the_person_unless_its_bank_asks(there: Stripe) -> None:
    customer = await there.v1.customers.create_async({"metadata": {"person": "1"}})
    setup = await there.v1.setup_intents.create_async(
        {"customer": customer.id, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True}
    )  # fmt: skip
    assert setup.status == "requires_action"
    await there.control("authenticate", {"id": setup.id})
    (method,) = (await there.v1.customers.payment_methods.list_async(customer.id, {"type": "card"})).data
    assert (method.card.last4, method.customer) == ("3155", customer.id)
    done = await paid(there, method.id, customer=customer.id, off_session=True)
    assert done.status == "succeeded"
    with pytest.raises(stripe.CardError) as asked:
        await paid(there, "pm_card_authenticationRequired", customer=customer.id, off_session=True)
    assert asked.value.code == "authentication_required"
    with pytest.raises(stripe.InvalidRequestError, match="another customer"):
        await paid(there, method.id)
    await there.v1.payment_methods.detach_async(method.id)
    assert (await there.v1.payment_methods.list_async({"customer": customer.id})).data == []
    await there.v1.customers.delete_async(customer.id)
    assert (await there.v1.customers.retrieve_async(customer.id)).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await paid(there, customer=customer.id)


async def test_no_more_is_refunded_than_was_paid(there: Stripe) -> None:
    intent = await paid(there)
    part = await there.v1.refunds.create_async({"payment_intent": intent.id, "amount": 500})
    assert (part.status, part.amount) == ("succeeded", 500)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        await there.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1501})
    rest = await there.v1.refunds.create_async({"payment_intent": intent.id})
    assert rest.amount == 1500
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as refused:
        await there.v1.refunds.create_async({"charge": rest.charge})
    assert refused.value.code == "charge_already_refunded"
    assert sum(there.books()) == -118  # Stripe keeps its fee
    listed = await there.v1.refunds.list_async({"payment_intent": intent.id})
    assert [each.id for each in listed.data] == [rest.id, part.id]


async def test_a_refund_that_takes_a_while_succeeds_or_fails(there: Stripe) -> None:
    slow = await there.v1.refunds.create_async({"payment_intent": (await paid(there, "pm_card_pendingRefund")).id})
    failing = await there.v1.refunds.create_async({"payment_intent": (await paid(there, "pm_card_refundFail")).id})
    assert (slow.status, failing.status) == ("pending", "succeeded")
    await there.later(hours=1)
    assert (await there.v1.refunds.retrieve_async(slow.id)).status == "succeeded"
    failed = await there.v1.refunds.retrieve_async(failing.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert sum(there.books()) == 2000 - 2 * 118
    assert {"refund.updated", "refund.failed"} <= {event.type for event in there.events}


async def test_a_dispute_takes_the_money_and_evidence_brings_it_back(there: Stripe) -> None:
    for evidence, left in (("winning_evidence", 2000 - 118 - 1500), ("losing_evidence", -118 - 1500)):
        before = sum(there.books())
        await paid(there, "pm_card_createDispute")
        (dispute, *_) = (await there.v1.disputes.list_async()).data
        assert (dispute.status, dispute.amount, dispute.reason) == ("needs_response", 2000, "fraudulent")
        with pytest.raises(stripe.InvalidRequestError, match="charged back"):
            await there.v1.refunds.create_async({"charge": dispute.charge})
        closed = await there.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": evidence}})
        assert closed.status == ("won" if evidence == "winning_evidence" else "lost")
        assert sum(there.books()) - before == left
    inquiry = await paid(there, "pm_card_createDisputeInquiry")
    assert (await there.v1.disputes.list_async({"payment_intent": inquiry.id})).data[0].balance_transactions == []
    types = await there.deliver()
    assert types.count("charge.dispute.created") == 3
    assert types.count("charge.dispute.funds_withdrawn") == 2
    assert types.count("charge.dispute.funds_reinstated") == 1
