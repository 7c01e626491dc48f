"""Charges: one try to take money from a card. What comes of it is decided by the test card."""

from tikiwallet.stripe_standin import balance
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.cards import Card, sentence
from tikiwallet.stripe_standin.customers import NOBODY, card_of
from tikiwallet.stripe_standin.errors import Thing
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store


def charge(store: Store, intent: Thing, method: Thing) -> Thing:
    """Try to take what the intent asks for; returns the charge, which may have failed."""
    card = card_of(store, method["id"])
    is_paid = not card.code
    made = store.add(
        "charge",
        "ch",
        amount=intent["amount"],
        amount_captured=intent["amount"] if is_paid else 0,
        amount_refunded=0,
        balance_transaction=None,
        billing_details=dict(NOBODY),
        captured=is_paid,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_balance_transaction=None,
        failure_code=card.code or None,
        failure_message=sentence(card) or None,
        metadata=dict(intent["metadata"]),
        outcome=_outcome(card),
        paid=is_paid,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"type": "card", "card": {
            key: method["card"][key] for key in ("brand", "country", "exp_month", "exp_year", "funding", "last4")
        }},
        receipt_email=None,
        receipt_url=None,
        refunded=False,
        status="succeeded" if is_paid else "failed",
        transfer_group=intent["transfer_group"],
    )  # fmt: skip
    if is_paid:
        made["balance_transaction"] = balance.enter(
            store, kind="charge", category="charge", amount=made["amount"], currency=made["currency"],
            source=made["id"], fee=balance.card_fee(made["amount"]),
            pending_seconds=0 if card.is_available_at_once else balance.PENDING_SECONDS,
        )  # fmt: skip
    emit(store, "charge.succeeded" if is_paid else "charge.failed", made)
    return made


def _outcome(card: Card) -> Thing:
    if not card.code:
        network, kind, seller = "approved_by_network", "authorized", "Payment complete."
    elif card.decline_code == "fraudulent":
        network, kind, seller = "not_sent_to_network", "blocked", "Stripe blocked this payment as too risky."
    else:
        network, kind, seller = "declined_by_network", "issuer_declined", "The bank did not return any further details."
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network,
        "reason": card.decline_code or card.code or None,
        "risk_level": "highest" if kind == "blocked" else "normal",
        "risk_score": 92 if kind == "blocked" else 12,
        "seller_message": seller,
        "type": kind,
    }


def get_charge(call: Call) -> Thing:
    """Answer GET /v1/charges/{id}."""
    call.form.done()
    return call.own("charge")


def list_charges(call: Call) -> Thing:
    """Answer GET /v1/charges."""
    is_within, is_wanted = within(call), matching(call, "payment_intent", "customer", "transfer_group")
    everything = call.store.all("charge", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])
