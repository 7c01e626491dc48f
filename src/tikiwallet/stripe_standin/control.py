"""The control surface: what a test, or a person who tries things out, may do to the stand-in that nobody can to Stripe.

It has addresses of its own (`/_control/...`) and takes JSON. `GET /_control` lists them.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from tikiwallet.stripe_standin import (
    accounts,
    balance,
    checkout,
    disputes,
    events,
    faults,
    payment_intents,
    payouts,
    setup_intents,
)
from tikiwallet.stripe_standin.cards import CARDS
from tikiwallet.stripe_standin.customers import make_method
from tikiwallet.stripe_standin.errors import StripeError, Thing, missing
from tikiwallet.stripe_standin.standin import StandIn
from tikiwallet.stripe_standin.store import Fault, Store, Weather

ORDERS = {"sent", "reversed", "shuffled"}


class Controlled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said to a control address."""

    id: str = ""
    card: str = ""  # the number of a test card
    seconds: int = 0
    reason: str = "fraudulent"
    amount: int | None = None
    is_won: bool = False
    is_authenticated: bool = True
    is_inquiry: bool = False
    bank_number: str = "000123456"
    failure: str = ""
    currency: str = "sgd"


Control: TypeAlias = Callable[[StandIn, bytes], object]


def order_faults(standin: StandIn, body: bytes) -> object:
    """Let the next requests to an address go wrong: a list, in place of what was ordered before."""
    ordered = msgspec.json.decode(body, type=list[Fault])
    for fault in ordered:
        if fault.kind not in faults.KINDS:
            raise StripeError(f"A fault is one of {', '.join(faults.KINDS)}.")
    standin.store.state.faults = ordered
    return ordered


def set_weather(standin: StandIn, body: bytes) -> object:
    """Say how webhooks fare from now on: held back, delayed, lost, sent twice, in another order."""
    weather = msgspec.json.decode(body, type=Weather)
    if weather.order not in ORDERS or not 0 <= weather.copies <= 10:
        raise StripeError("`order` is sent, reversed or shuffled, and `copies` is from 0 to 10.")
    standin.store.state.weather = weather
    return weather


def move_clock(standin: StandIn, body: bytes) -> object:
    """Move the clock ahead."""
    seconds = _read(body).seconds
    if seconds < 0:
        raise StripeError("The clock goes ahead only.")
    standin.store.state.ahead_seconds += seconds
    standin.tick()
    return {"now": standin.store.now()}


def pay(standin: StandIn, body: bytes) -> object:
    """Pay a Checkout session or confirm an intent with a test card, as a person does on a page or in an app."""
    said = _read(body)
    store = standin.store
    if said.card not in CARDS:
        raise StripeError(f"A card is one of {', '.join(CARDS)}.")
    thing = store.find(said.id)
    if thing is None:
        raise missing("thing to pay", said.id)
    method = make_method(store, CARDS[said.card])["id"]
    if thing["object"] == "checkout.session":
        return checkout.choose_card(store, thing, method)
    if thing["object"] == "setup_intent":
        setup_intents.confirm(store, thing, method)
        return thing
    payment_intents.use(store, thing, method)
    payment_intents.confirm(store, thing, return_url="")
    return thing


def authenticate(standin: StandIn, body: bytes) -> object:
    """Finish 3-D Secure, or fail it."""
    said = _read(body)
    thing = standin.store.find(said.id)
    if thing is None or thing.get("status") != "requires_action":
        raise missing("3-D Secure", said.id)
    finish_authentication(standin.store, thing, is_authenticated=said.is_authenticated)
    return thing


def finish_authentication(store: Store, intent: Thing, *, is_authenticated: bool) -> None:
    """Go on after 3-D Secure; a card may still be declined then, which raises `StripeError`."""
    module = setup_intents if intent["object"] == "setup_intent" else payment_intents
    if not is_authenticated:
        module.fail_authentication(store, intent)
        return
    if intent["object"] == "setup_intent":
        setup_intents.succeed(store, intent)
    else:
        payment_intents.take(store, intent)
    checkout.finish(store, intent)


def dispute(standin: StandIn, body: bytes) -> object:
    """Dispute a charge (`id`)."""
    said, store = _read(body), standin.store
    charge = store.get("charge", said.id)
    return disputes.dispute(store, charge, reason=said.reason, amount=said.amount, is_inquiry=said.is_inquiry)


def close_dispute(standin: StandIn, body: bytes) -> object:
    """Decide a dispute (`id`, `is_won`)."""
    said, store = _read(body), standin.store
    found = store.get("dispute", said.id)
    disputes.close(store, found, is_won=said.is_won)
    return found


def onboard(standin: StandIn, body: bytes) -> object:
    """Fill in the onboarding page of an account (`id`), with a bank account (`bank_number`)."""
    said, store = _read(body), standin.store
    if said.bank_number not in accounts.BANK_NUMBERS:
        raise StripeError(f"A bank account is one of {', '.join(accounts.BANK_NUMBERS)}.")
    account = store.get("account", said.id)
    accounts.onboard(store, account, said.bank_number)
    return account


def close_account(standin: StandIn, body: bytes) -> object:
    """Let Stripe reject an account (`id`)."""
    account = standin.store.get("account", _read(body).id)
    accounts.close(standin.store, account)
    return account


def finish_payout(standin: StandIn, body: bytes) -> object:
    """Let a payout (`id`) arrive now, or fail (`failure`: a code), even after it was paid."""
    said, store = _read(body), standin.store
    payout = store.find(said.id)
    if payout is None or payout["object"] != "payout":
        raise missing("payout", said.id)
    payouts.finish(store, payout, failure=said.failure)
    return payout


def fund(standin: StandIn, body: bytes) -> object:
    """Put money of the platform's own into its balance (`amount`, `currency`), as a top-up from its bank does."""
    said, store = _read(body), standin.store
    name = balance.enter(
        store, kind="topup", category="topup", amount=said.amount or 0, currency=said.currency,
        source=store.next_id("tu"),
    )  # fmt: skip
    return store.get("balance_transaction", name)


def send_again(standin: StandIn, body: bytes) -> object:
    """Send an event (`id`) once more."""
    event = standin.store.find(_read(body).id)
    if event is None or event["object"] != "event":
        raise missing("event", _read(body).id)
    events.send_again(standin.store, event["id"])
    return event


def _read(body: bytes) -> Controlled:
    return msgspec.json.decode(body or b"{}", type=Controlled)


CONTROLS: dict[str, Control] = {
    "/_control/faults": order_faults,
    "/_control/webhooks": set_weather,
    "/_control/clock": move_clock,
    "/_control/pay": pay,
    "/_control/authenticate": authenticate,
    "/_control/dispute": dispute,
    "/_control/close-dispute": close_dispute,
    "/_control/onboard": onboard,
    "/_control/close-account": close_account,
    "/_control/finish-payout": finish_payout,
    "/_control/fund": fund,
    "/_control/send-again": send_again,
}


def control(standin: StandIn, path: str, body: bytes) -> tuple[int, bytes]:
    """Carry out a command; returns status and JSON."""
    if path == "/_control":
        return 200, msgspec.json.encode({name: " ".join((do.__doc__ or "").split()) for name, do in CONTROLS.items()})
    if path not in CONTROLS:
        return 404, msgspec.json.encode({"error": {"message": "There is no such command; see GET /_control."}})
    try:
        return 200, msgspec.json.encode(CONTROLS[path](standin, body))
    except StripeError as error:
        return error.status, msgspec.json.encode(error.body)
    except msgspec.DecodeError as error:
        return 400, msgspec.json.encode({"error": {"message": str(error)}})
