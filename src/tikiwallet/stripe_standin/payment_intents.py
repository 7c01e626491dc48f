"""Payment intents: what a person is to pay once, however many tries it takes."""

from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.cards import Card
from tikiwallet.stripe_standin.charges import charge
from tikiwallet.stripe_standin.customers import card_of, declined, living_customer, require_usable, resolve_method
from tikiwallet.stripe_standin.disputes import dispute_of_card
from tikiwallet.stripe_standin.errors import StripeError, Thing, invalid, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.forms import Form
from tikiwallet.stripe_standin.store import Store

MINIMUM_MINOR = 50
WITHOUT_A_MINIMUM = {"jpy", "krw", "vnd", "idr"}
OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}


def make_intent(
    store: Store,
    *,
    amount: int,
    currency: str,
    customer: str | None,
    metadata: dict[str, str],
    description: str | None = None,
    saving: str | None = None,
    transfer_group: str | None = None,
) -> Thing:
    """Keep a new intent that has no payment method yet."""
    if amount < MINIMUM_MINOR and currency not in WITHOUT_A_MINIMUM:
        raise invalid(f"Amount must be at least $0.50 {currency}", code="amount_too_small", param="amount")
    intent = store.add(
        "payment_intent",
        "pi",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        application=None,
        application_fee_amount=None,
        automatic_payment_methods=None,
        canceled_at=None,
        cancellation_reason=None,
        capture_method="automatic_async",
        confirmation_method="automatic",
        currency=currency,
        customer=customer,
        description=description,
        last_payment_error=None,
        latest_charge=None,
        metadata=metadata,
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_types=["card"],
        processing=None,
        receipt_email=None,
        setup_future_usage=saving,
        status="requires_payment_method",
        transfer_data=None,
        transfer_group=transfer_group,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{store.next_id('s')}"
    emit(store, "payment_intent.created", intent)
    return intent


def create_intent(call: Call) -> Thing:
    """Answer POST /v1/payment_intents."""
    form, store = call.form, call.store
    amount, currency = form.need_amount(), form.currency()
    customer, method = form.text("customer") or None, form.text("payment_method")
    fields = {"description": form.text("description") or None, "transfer_group": form.text("transfer_group") or None}
    saving = form.choice("setup_future_usage", "off_session", "on_session") or None
    metadata, is_confirmed, is_off_session = form.metadata(), form.flag("confirm"), form.flag("off_session")
    automatic = form.group("automatic_payment_methods")
    is_automatic = automatic.flag("enabled")
    automatic.skip("allow_redirects")
    automatic.done()
    form.texts("payment_method_types")
    return_url = form.text("return_url")
    form.skip("receipt_email", "statement_descriptor_suffix", "confirmation_method", "capture_method", "use_stripe_sdk")
    form.done()
    if is_off_session and not is_confirmed:
        raise invalid("off_session needs confirm=true.", code="parameter_missing", param="confirm")
    if customer:
        living_customer(store, customer)
    found = resolve_method(store, method) if method else None
    if found is not None:
        require_usable(found, customer)
    intent = make_intent(
        store, amount=amount, currency=currency, customer=customer, metadata=metadata, saving=saving, **fields
    )
    if is_automatic:
        intent["automatic_payment_methods"] = {"enabled": True}
    if found is not None:
        intent["payment_method"], intent["status"] = found["id"], "requires_confirmation"
    if is_confirmed:
        confirm(store, intent, return_url=return_url, is_off_session=is_off_session)
    return intent


def confirm(store: Store, intent: Thing, *, return_url: str, is_off_session: bool = False) -> None:
    """Take the money, or ask the person for 3-D Secure first. Raises `StripeError` for a declined card."""
    if intent["status"] not in OPEN:
        raise _wrong_state(intent, "confirm")
    if intent["payment_method"] is None:
        raise refused(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state", payment_intent=intent,
        )  # fmt: skip
    method = store.get("payment_method", intent["payment_method"])
    card = card_of(store, method["id"])
    is_saved = method["customer"] is not None
    if card.secure == "always" or (card.secure == "until_saved" and not is_saved):
        if is_off_session:
            raise _failed(store, intent, method, _authentication_required(method))
        intent["status"] = "requires_action"
        intent["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url or None, "url": f"{store.base_url}/3ds/{intent['id']}"},
        }
        emit(store, "payment_intent.requires_action", intent)
        return
    take(store, intent)


def _authentication_required(method: Thing) -> StripeError:
    return StripeError(
        "Your card was declined. This transaction requires authentication.", status=402, kind="card_error", began=True,
        code="authentication_required", decline_code="authentication_required", payment_method=method,
    )  # fmt: skip


def take(store: Store, intent: Thing) -> None:
    """Charge the card: it was confirmed, and 3-D Secure is done if it was needed."""
    method = store.get("payment_method", intent["payment_method"])
    card = card_of(store, method["id"])
    tried = charge(store, intent, method)
    intent["latest_charge"], intent["next_action"] = tried["id"], None
    if card.code:
        raise _failed(store, intent, method, declined(card, charge=tried["id"], payment_method=method))
    intent["status"], intent["amount_received"], intent["last_payment_error"] = "succeeded", intent["amount"], None
    emit(store, "payment_intent.succeeded", intent)
    _save(store, intent, method, card)
    if card.dispute:
        dispute_of_card(store, tried, card)


def _save(store: Store, intent: Thing, method: Thing, card: Card) -> None:
    if intent["setup_future_usage"] and intent["customer"] and method["customer"] is None and card.can_be_saved:
        method["customer"] = intent["customer"]
        emit(store, "payment_method.attached", method)


def fail_authentication(store: Store, intent: Thing) -> None:
    """Remember that the person couldn't be authenticated."""
    method = store.get("payment_method", intent["payment_method"])
    error = StripeError(
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        code="payment_intent_authentication_failure", began=True, payment_method=method,
    )  # fmt: skip
    _failed(store, intent, method, error)


def _failed(store: Store, intent: Thing, method: Thing, error: StripeError) -> StripeError:
    """Put the intent back to where another method may be tried, and return the error to raise."""
    intent["status"], intent["next_action"], intent["payment_method"] = "requires_payment_method", None, None
    intent["last_payment_error"] = {**error.body["error"], "payment_method": method}
    error.body["error"]["payment_intent"] = dict(intent)
    emit(store, "payment_intent.payment_failed", intent)
    return error


def _wrong_state(intent: Thing, verb: str) -> StripeError:
    sentence = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return refused(sentence, code="payment_intent_unexpected_state", payment_intent=dict(intent))


def confirm_intent(call: Call) -> Thing:
    """Answer POST /v1/payment_intents/{id}/confirm."""
    intent = call.own("payment_intent")
    form = call.form
    method, return_url, is_off_session = form.text("payment_method"), form.text("return_url"), form.flag("off_session")
    saving = form.choice("setup_future_usage", "off_session", "on_session")
    form.skip("use_stripe_sdk")
    form.done()
    if intent["status"] not in OPEN:
        raise _wrong_state(intent, "confirm")
    if saving:
        intent["setup_future_usage"] = saving
    if method:
        use(call.store, intent, method)
    confirm(call.store, intent, return_url=return_url, is_off_session=is_off_session)
    return intent


def use(store: Store, intent: Thing, method_name: str) -> None:
    """Choose the method to pay with."""
    method = resolve_method(store, method_name)
    require_usable(method, intent["customer"])
    intent["payment_method"], intent["status"] = method["id"], "requires_confirmation"


def update_intent(call: Call) -> Thing:
    """Answer POST /v1/payment_intents/{id}."""
    intent, form = call.own("payment_intent"), call.form
    intent["metadata"] |= form.metadata()
    if form.has("description"):
        intent["description"] = form.text("description") or None
    method = form.text("payment_method")
    form.done()
    if method:
        if intent["status"] not in OPEN:
            raise _wrong_state(intent, "update")
        use(call.store, intent, method)
    return intent


def cancel_intent(call: Call) -> Thing:
    """Answer POST /v1/payment_intents/{id}/cancel."""
    intent = call.own("payment_intent")
    reason = call.form.choice(
        "cancellation_reason", "abandoned", "duplicate", "fraudulent", "requested_by_customer"
    )  # fmt: skip
    call.form.done()
    cancel(call.store, intent, reason=reason or None)
    return intent


def cancel(store: Store, intent: Thing, *, reason: str | None) -> None:
    """Let nobody pay this intent any more."""
    if intent["status"] not in OPEN:
        raise _wrong_state(intent, "cancel")
    intent.update(status="canceled", canceled_at=store.now(), cancellation_reason=reason, next_action=None)
    emit(store, "payment_intent.canceled", intent)


def get_intent(call: Call) -> Thing:
    """Answer GET /v1/payment_intents/{id}."""
    call.form.skip("client_secret")
    call.form.done()
    return call.own("payment_intent")


def list_intents(call: Call) -> Thing:
    """Answer GET /v1/payment_intents."""
    is_within, is_wanted = within(call), matching(call, "customer")
    everything = call.store.all("payment_intent", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])


def intent_data(form: Form) -> Thing:
    """Return what a Checkout session asks of its intent."""
    found = {
        "metadata": form.metadata(),
        "description": form.text("description") or None,
        "saving": form.choice("setup_future_usage", "off_session", "on_session") or None,
        "transfer_group": form.text("transfer_group") or None,
    }
    form.skip("statement_descriptor_suffix", "receipt_email")
    form.done()
    return found
