"""Customers and their saved payment methods.

A card's number is kept beside its payment method and never answered: only the last four digits are.
"""

import hashlib

from tikiwallet.stripe_standin.call import Call, page, within
from tikiwallet.stripe_standin.cards import BY_METHOD, CARDS, Card, sentence
from tikiwallet.stripe_standin.errors import StripeError, Thing, invalid, missing, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

NOBODY = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}


def create_customer(call: Call) -> Thing:
    """Answer POST /v1/customers."""
    form = call.form
    fields: Thing = {key: form.text(key) or None for key in ("email", "name", "phone", "description")}
    metadata = form.metadata()
    form.done()
    customer = call.store.add(
        "customer", "cus", **fields, address=None, balance=0, default_source=None, metadata=metadata, shipping=None
    )
    emit(call.store, "customer.created", customer)
    return customer


def get_customer(call: Call) -> Thing:
    """Answer GET /v1/customers/{id}; a deleted one is answered as deleted."""
    call.form.done()
    return call.own("customer")


def update_customer(call: Call) -> Thing:
    """Answer POST /v1/customers/{id}."""
    customer = living_customer(call.store, call.name)
    for key in ("email", "name", "phone", "description"):
        if call.form.has(key):
            customer[key] = call.form.text(key) or None
    customer["metadata"] |= call.form.metadata()
    call.form.done()
    emit(call.store, "customer.updated", customer)
    return customer


def delete_customer(call: Call) -> Thing:
    """Answer DELETE /v1/customers/{id}: the person's data and cards are gone, the id stays."""
    customer = living_customer(call.store, call.name)
    call.form.done()
    for method in methods_of(call.store, customer["id"]):
        method["customer"] = None
    emit(call.store, "customer.deleted", customer)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    customer.clear()
    customer.update(gone)
    return customer


def list_customers(call: Call) -> Thing:
    """Answer GET /v1/customers."""
    email = call.form.text("email")
    living = [each for each in call.store.all("customer") if not each.get("deleted")]
    is_within = within(call)
    return page(call, [each for each in living if is_within(each) and (not email or each["email"] == email)])


def living_customer(store: Store, name: str, *, param: str = "customer") -> Thing:
    """Return a customer that isn't deleted, or refuse."""
    customer = store.get("customer", name, param=param)
    if customer.get("deleted"):
        raise missing("customer", name, param=param)
    return customer


def methods_of(store: Store, customer_id: str) -> list[Thing]:
    """Return the saved payment methods of a customer, newest first."""
    return [method for method in store.all("payment_method") if method["customer"] == customer_id]


def card_of(store: Store, method_id: str) -> Card:
    """Return the test card behind a payment method."""
    return CARDS[store.state.cards[method_id]]


def make_method(store: Store, card: Card) -> Thing:
    """Keep a payment method with this card."""
    method = store.add(
        "payment_method",
        "pm",
        allow_redisplay="unspecified",
        billing_details=dict(NOBODY),
        card={
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "SG",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
            "funding": "credit",
            "generated_from": None,
            "last4": card.number[-4:],
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        customer=None,
        metadata={},
        type="card",
    )
    store.state.cards[method["id"]] = card.number
    return method


def resolve_method(store: Store, name: str) -> Thing:
    """Return a payment method by its id, or a new one for Stripe's names of test cards (`pm_card_visa`)."""
    if name in BY_METHOD:
        return make_method(store, BY_METHOD[name])
    return store.get("payment_method", name, param="payment_method")


def require_usable(method: Thing, customer_id: str | None) -> None:
    """Refuse a method that is somebody else's."""
    if method["customer"] is not None and method["customer"] != customer_id:
        raise refused(
            "The provided PaymentMethod cannot be attached or used here: it belongs to another customer.",
            code="payment_method_unexpected_state" if customer_id is None else "payment_method_customer_mismatch",
        )


def create_method(call: Call) -> Thing:
    """Answer POST /v1/payment_methods, for a card by its number or by one of Stripe's test tokens."""
    call.form.choice("type", "card", default="card")
    data = call.form.group("card")
    token, number = data.text("token"), data.text("number")
    data.skip("exp_month", "exp_year", "cvc")
    data.done()
    call.form.skip("billing_details")
    call.form.done()
    if token:
        card = BY_METHOD.get(token.replace("tok_", "pm_card_", 1))
    else:
        card = CARDS.get(number.replace(" ", ""))
    if card is None:
        raise StripeError(
            "Your card number is incorrect.", status=402, kind="card_error", code="incorrect_number", param="number"
        )
    return make_method(call.store, card)


def get_method(call: Call) -> Thing:
    """Answer GET /v1/payment_methods/{id}."""
    call.form.done()
    return call.own("payment_method")


def attach_method(call: Call) -> Thing:
    """Answer POST /v1/payment_methods/{id}/attach."""
    method = resolve_method(call.store, call.name)
    customer = living_customer(call.store, call.form.need("customer"))
    call.form.done()
    save_method(call.store, method, customer["id"])
    return method


def save_method(store: Store, method: Thing, customer_id: str) -> None:
    """Attach a payment method to a customer; a card that no bank would save is declined."""
    require_usable(method, customer_id)
    card = card_of(store, method["id"])
    if not card.can_be_saved:
        raise declined(card)
    if method["customer"] is None:
        method["customer"] = customer_id
        emit(store, "payment_method.attached", method)


def declined(card: Card, **more: Thing) -> StripeError:
    """Return the "no" of the card's bank."""
    reason = {"decline_code": card.decline_code} if card.decline_code else {}
    return StripeError(sentence(card), status=402, kind="card_error", began=True, code=card.code, **reason, **more)


def detach_method(call: Call) -> Thing:
    """Answer POST /v1/payment_methods/{id}/detach."""
    method = call.own("payment_method")
    call.form.done()
    if method["customer"] is None:
        raise refused(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            code="payment_method_unexpected_state",
        )
    method["customer"] = None
    emit(call.store, "payment_method.detached", method)
    return method


def list_methods(call: Call) -> Thing:
    """Answer GET /v1/payment_methods?customer= and GET /v1/customers/{id}/payment_methods."""
    customer = call.names[0] if call.names else call.form.text("customer")
    if not customer:
        raise invalid("Missing required param: customer.", code="parameter_missing", param="customer")
    call.form.choice("type", "card")
    return page(call, methods_of(call.store, living_customer(call.store, customer)["id"]))
