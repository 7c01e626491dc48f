"""Checkout sessions: a page of Stripe's own where a person pays, so that no card number ever reaches the wallet."""

from typing import Any

from tikiwallet.stripe_standin import payment_intents, setup_intents
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.customers import living_customer
from tikiwallet.stripe_standin.errors import StripeError, Thing, invalid, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.forms import Form
from tikiwallet.stripe_standin.store import Store

LIFE_SECONDS_MIN, LIFE_SECONDS_MAX = 30 * 60, 24 * 3600


def create_session(call: Call) -> Thing:
    """Answer POST /v1/checkout/sessions, for a hosted page in the modes payment and setup."""
    form, store = call.form, call.store
    mode = form.choice("mode", "payment", "setup", default="payment")
    form.choice("ui_mode", "hosted_page", default="hosted_page")
    success_url, cancel_url = form.need("success_url"), form.text("cancel_url") or None
    customer, email = form.text("customer") or None, form.text("customer_email") or None
    reference, locale = form.text("client_reference_id") or None, form.text("locale") or None
    creation = form.choice("customer_creation", "always", "if_required", default="if_required")
    metadata = form.metadata()
    expires_at = _expires_at(store, form.integer("expires_at"))
    lines = [_line(line) for line in form.groups("line_items")]
    intent = payment_intents.intent_data(form.group("payment_intent_data"))
    setup = form.group("setup_intent_data")
    setup_metadata = setup.metadata()
    setup.done()
    currency = form.text("currency").lower()
    form.texts("payment_method_types")
    form.skip("submit_type", "saved_payment_method_options", "custom_text", "payment_method_options")
    form.done()
    if customer and email:
        raise invalid("You may only specify one of these parameters: customer, customer_email.",
                      code="parameter_invalid", param="customer")  # fmt: skip
    if customer:
        living_customer(store, customer)
    if (mode == "payment") != bool(lines):
        raise invalid("line_items go with mode=payment.", code="parameter_missing", param="line_items")
    currencies = {line["currency"] for line in lines} or {currency}
    if len(currencies) != 1:
        raise invalid("All prices must have the same currency.", code="parameter_invalid", param="line_items")
    if mode == "payment" and creation == "always" and customer is None:
        customer = store.add("customer", "cus", email=email, name=None, phone=None, description=None, address=None,
                             balance=0, default_source=None, metadata={}, shipping=None)["id"]  # fmt: skip
    total = sum(line["amount"] for line in lines)
    if lines and total < payment_intents.MINIMUM_MINOR and not currencies & payment_intents.WITHOUT_A_MINIMUM:
        raise invalid("The Checkout Session's total amount due must add up to at least $0.50.", code="amount_too_small")
    made = _keep(
        store, mode=mode, success_url=success_url, cancel_url=cancel_url, customer=customer,
        customer_email=email, client_reference_id=reference, metadata=metadata, expires_at=expires_at,
        amount_total=total if lines else None, currency=currencies.pop() or None, locale=locale,
        customer_creation=creation if mode == "payment" else None,
    )  # fmt: skip
    store.state.kept.setdefault("of_session", {})[made["id"]] = {
        "id": made["id"], "intent": intent, "setup_metadata": setup_metadata, "lines": lines,
    }  # fmt: skip
    return made


def _expires_at(store: Store, wanted: int | None) -> int:
    now = store.now()
    if wanted is None:
        return now + LIFE_SECONDS_MAX
    if not now + LIFE_SECONDS_MIN <= wanted <= now + LIFE_SECONDS_MAX:
        raise invalid("The `expires_at` timestamp must be between 30 minutes and 24 hours from now.",
                      code="parameter_invalid_integer", param="expires_at")  # fmt: skip
    return wanted


def _line(form: Form) -> Thing:
    price = form.group("price_data")
    product = price.group("product_data")
    name = product.need("name")
    product.skip("description", "images", "metadata")
    product.done()
    quantity, amount, currency = form.integer("quantity") or 1, price.need_amount("unit_amount"), price.currency()
    price.done()
    form.done()
    return {"name": name, "amount": amount * quantity, "currency": currency, "quantity": quantity}


def _keep(store: Store, *, amount_total: int | None, customer_email: str | None, **fields: Any) -> Thing:
    made = store.add(
        "checkout.session",
        "cs_test",
        adaptive_pricing=None,
        after_expiration=None,
        allow_promotion_codes=None,
        amount_subtotal=amount_total,
        amount_total=amount_total,
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        billing_address_collection=None,
        customer_details={"address": None, "email": customer_email, "name": None, "phone": None,
                          "tax_exempt": "none", "tax_ids": None} if customer_email else None,
        customer_email=customer_email,
        custom_fields=[],
        custom_text={"after_submit": None, "shipping_address": None, "submit": None,
                     "terms_of_service_acceptance": None},
        invoice=None,
        payment_intent=None,
        payment_link=None,
        payment_method_collection=None,
        payment_method_options={},
        payment_method_types=["card"],
        payment_status="no_payment_required" if amount_total is None else "unpaid",
        recovered_from=None,
        setup_intent=None,
        shipping_cost=None,
        shipping_options=[],
        status="open",
        submit_type=None,
        subscription=None,
        total_details=None,
        ui_mode="hosted_page",
        **fields,
    )  # fmt: skip
    made["url"] = f"{store.base_url}/pay/{made['id']}"
    if fields["mode"] == "setup":
        intent = setup_intents.make_setup(store, customer=fields["customer"], metadata={})
        made["setup_intent"] = intent["id"]
    return made


def require_open(session: Thing) -> None:
    """Refuse a session that is over."""
    if session["status"] != "open":
        raise refused(f"This Checkout Session is {session['status']}.", code="checkout_session_unexpected_state")


def choose_card(store: Store, session: Thing, method_name: str) -> Thing:
    """Pay (or save) with this card, as a person does on the page; returns the intent, which may want 3-D Secure.

    Raises `StripeError` for a declined card: the session stays open and another card may be tried.
    """
    require_open(session)
    if session["mode"] == "setup":
        setup = store.get("setup_intent", session["setup_intent"])
        setup["metadata"] |= store.state.kept["of_session"][session["id"]]["setup_metadata"]
        setup_intents.confirm(store, setup, method_name)
        finish(store, setup)
        return setup
    if session["payment_intent"] is None:
        data = store.state.kept["of_session"][session["id"]]["intent"]
        made = payment_intents.make_intent(
            store, amount=session["amount_total"], currency=session["currency"], customer=session["customer"], **data
        )
        session["payment_intent"] = made["id"]
    intent = store.get("payment_intent", session["payment_intent"])
    payment_intents.use(store, intent, method_name)
    payment_intents.confirm(store, intent, return_url="")
    finish(store, intent)
    return intent


def finish(store: Store, intent: Thing) -> None:
    """Complete the session of an intent that has succeeded, if it has one and is open."""
    if intent["status"] != "succeeded":
        return
    session = session_of(store, intent)
    if session is not None and session["status"] == "open":
        session["status"], session["url"] = "complete", None
        session["payment_status"] = "paid" if session["mode"] == "payment" else "no_payment_required"
        emit(store, "checkout.session.completed", session)


def session_of(store: Store, intent: Thing) -> Thing | None:
    """Return the session that an intent came from."""
    field = str(intent["object"])
    return next((each for each in store.all("checkout.session") if each[field] == intent["id"]), None)


def expire(store: Store, session: Thing) -> None:
    """End a session that nobody has paid; the next to pay it finds it closed."""
    session["status"], session["url"] = "expired", None
    if session["payment_intent"]:
        intent = store.get("payment_intent", session["payment_intent"])
        if intent["status"] in payment_intents.OPEN:
            payment_intents.cancel(store, intent, reason="automatic")
    emit(store, "checkout.session.expired", session)


def let_come_due(store: Store) -> None:
    """Expire what is past its time."""
    for session in list(store.all("checkout.session")):
        if session["status"] == "open" and session["expires_at"] <= store.now():
            expire(store, session)


def expire_session(call: Call) -> Thing:
    """Answer POST /v1/checkout/sessions/{id}/expire."""
    session = call.own("checkout.session")
    call.form.done()
    if session["status"] != "open":
        raise StripeError(
            f"Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of "
            f"{session['status']}.", began=True, code="checkout_session_unexpected_state",
        )  # fmt: skip
    expire(call.store, session)
    return session


def get_session(call: Call) -> Thing:
    """Answer GET /v1/checkout/sessions/{id}."""
    call.form.done()
    return call.own("checkout.session")


def list_sessions(call: Call) -> Thing:
    """Answer GET /v1/checkout/sessions."""
    is_within, is_wanted = within(call), matching(call, "payment_intent", "customer", "status")
    everything = call.store.all("checkout.session", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])
