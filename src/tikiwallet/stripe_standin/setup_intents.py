"""Setup intents: save a card without paying, so that it can be charged later when the person isn't there."""

from tikiwallet.stripe_standin.call import Call
from tikiwallet.stripe_standin.customers import card_of, declined, living_customer, resolve_method, save_method
from tikiwallet.stripe_standin.errors import StripeError, Thing, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}


def make_setup(store: Store, *, customer: str | None, metadata: dict[str, str], usage: str = "off_session") -> Thing:
    """Keep a new setup intent."""
    made = store.add(
        "setup_intent",
        "seti",
        application=None,
        cancellation_reason=None,
        customer=customer,
        description=None,
        flow_directions=None,
        last_setup_error=None,
        latest_attempt=None,
        mandate=None,
        metadata=metadata,
        next_action=None,
        on_behalf_of=None,
        payment_method=None,
        payment_method_options={},
        payment_method_types=["card"],
        single_use_mandate=None,
        status="requires_payment_method",
        usage=usage,
    )
    made["client_secret"] = f"{made['id']}_secret_{store.next_id('s')}"
    emit(store, "setup_intent.created", made)
    return made


def create_setup(call: Call) -> Thing:
    """Answer POST /v1/setup_intents."""
    form = call.form
    customer, method = form.text("customer") or None, form.text("payment_method")
    usage = form.choice("usage", "off_session", "on_session", default="off_session")
    metadata, is_confirmed, return_url = form.metadata(), form.flag("confirm"), form.text("return_url")
    form.texts("payment_method_types")
    form.group("automatic_payment_methods").skip("enabled", "allow_redirects")
    form.done()
    if customer:
        living_customer(call.store, customer)
    made = make_setup(call.store, customer=customer, metadata=metadata, usage=usage)
    if is_confirmed:
        confirm(call.store, made, method, return_url=return_url)
    return made


def confirm(store: Store, setup: Thing, method_name: str, *, return_url: str = "") -> None:
    """Save the card, or ask the person for 3-D Secure first."""
    if setup["status"] not in OPEN:
        raise refused(f"You cannot confirm this SetupIntent because it has a status of {setup['status']}.",
                      code="setup_intent_unexpected_state", setup_intent=dict(setup))  # fmt: skip
    if not method_name and setup["payment_method"] is None:
        raise refused("You cannot confirm this SetupIntent because it's missing a payment method.",
                      code="setup_intent_unexpected_state", setup_intent=dict(setup))  # fmt: skip
    method = resolve_method(store, method_name or setup["payment_method"])
    card = card_of(store, method["id"])
    setup["payment_method"] = method["id"]
    if not card.can_be_saved:
        raise _failed(store, setup, declined(card, payment_method=method))
    if card.secure:
        setup["status"] = "requires_action"
        setup["next_action"] = {
            "type": "redirect_to_url",
            "redirect_to_url": {"return_url": return_url or None, "url": f"{store.base_url}/3ds/{setup['id']}"},
        }
        emit(store, "setup_intent.requires_action", setup)
        return
    succeed(store, setup)


def succeed(store: Store, setup: Thing) -> None:
    """Save the card: 3-D Secure is done if it was needed."""
    if setup["customer"]:
        save_method(store, store.get("payment_method", setup["payment_method"]), setup["customer"])
    setup["status"], setup["next_action"], setup["last_setup_error"] = "succeeded", None, None
    emit(store, "setup_intent.succeeded", setup)


def fail_authentication(store: Store, setup: Thing) -> None:
    """Remember that the person couldn't be authenticated."""
    error = StripeError("We are unable to authenticate your payment method.",
                        code="setup_intent_authentication_failure", began=True)  # fmt: skip
    _failed(store, setup, error)


def _failed(store: Store, setup: Thing, error: StripeError) -> StripeError:
    setup["status"], setup["next_action"], setup["payment_method"] = "requires_payment_method", None, None
    setup["last_setup_error"] = dict(error.body["error"])
    error.body["error"]["setup_intent"] = dict(setup)
    emit(store, "setup_intent.setup_failed", setup)
    return error


def confirm_setup(call: Call) -> Thing:
    """Answer POST /v1/setup_intents/{id}/confirm."""
    setup = call.own("setup_intent")
    method, return_url = call.form.text("payment_method"), call.form.text("return_url")
    call.form.done()
    confirm(call.store, setup, method, return_url=return_url)
    return setup


def cancel_setup(call: Call) -> Thing:
    """Answer POST /v1/setup_intents/{id}/cancel."""
    setup = call.own("setup_intent")
    call.form.done()
    if setup["status"] not in OPEN:
        raise refused(f"You cannot cancel this SetupIntent because it has a status of {setup['status']}.",
                      code="setup_intent_unexpected_state", setup_intent=dict(setup))  # fmt: skip
    setup["status"], setup["next_action"] = "canceled", None
    emit(call.store, "setup_intent.canceled", setup)
    return setup


def get_setup(call: Call) -> Thing:
    """Answer GET /v1/setup_intents/{id}."""
    call.form.skip("client_secret")
    call.form.done()
    return call.own("setup_intent")
