"""Events: what happened, told to the webhook, and again to whoever asks.

An event holds the object as it was at that moment. Webhooks are signed as Stripe signs them, with every secret that is
valid (while a secret is being changed there are two), and tried again when they aren't taken.
"""

import copy
import hashlib
import hmac
import random  # nosemgrep: chance-is-cryptographic (an order to be repeated, no secret)
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from tikiwallet.stripe_standin.call import Call, page, within
from tikiwallet.stripe_standin.errors import Thing
from tikiwallet.stripe_standin.store import API_VERSION, Delivery, Store

KEPT_SECONDS = 30 * 24 * 3600  # Stripe answers for an event that long
AGAIN_AFTER_SECONDS = (60, 600, 3600, 6 * 3600)  # after each failure; then it is given up

Send: TypeAlias = Callable[[bytes, dict[str, str]], Awaitable[int]]  # body and headers; the status, 0 without answer


def emit(store: Store, kind: str, thing: Thing, *, owner: str = "") -> None:
    """Say that something happened to an object."""
    shown = copy.deepcopy(thing)
    more = {"account": owner} if owner else {}
    event = store.add(
        "event",
        "evt",
        owner=owner,
        api_version=API_VERSION,
        data={"object": shown},
        pending_webhooks=1,
        request={"id": None, "idempotency_key": None},
        type=kind,
        **more,
    )
    weather = store.state.weather
    due = store.now() + weather.delay_seconds
    store.state.deliveries += [Delivery(event_id=event["id"], due=due) for _ in range(weather.copies)]


def send_again(store: Store, event_id: str) -> None:
    """Send an event once more, whatever became of it."""
    store.state.deliveries.append(Delivery(event_id=event_id, due=store.now()))


def signature(payload: bytes, *, secrets: Sequence[str], at: int) -> str:
    """Return the Stripe-Signature header."""
    made = [hmac.new(secret.encode(), b"%d." % at + payload, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={each}" for each in made)])


async def deliver(store: Store, send: Send, *, secrets: Sequence[str]) -> int:
    """Send what is due and return how many were taken."""
    state = store.state
    if state.weather.is_held:
        return 0
    now = store.now()
    due = [delivery for delivery in state.deliveries if delivery.due <= now]
    if state.weather.order == "reversed":
        due.reverse()
    elif state.weather.order == "shuffled":
        # The same every time, so that a failure can be repeated.
        random.Random(state.serial).shuffle(due)  # noqa: S311  # nosemgrep: chance-is-cryptographic
    taken = 0
    for delivery in due:
        if delivery not in state.deliveries:
            continue  # somebody else has sent it meanwhile
        state.deliveries.remove(delivery)
        payload = msgspec.json.encode(store.state.kept["event"][delivery.event_id])
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "stripe-signature": signature(payload, secrets=secrets, at=now),
        }
        if 200 <= await send(payload, headers) < 300:
            taken += 1
            store.state.kept["event"][delivery.event_id]["pending_webhooks"] = 0
        elif delivery.attempt <= len(AGAIN_AFTER_SECONDS):
            wait = AGAIN_AFTER_SECONDS[delivery.attempt - 1]
            again = Delivery(event_id=delivery.event_id, due=store.now() + wait, attempt=delivery.attempt + 1)
            state.deliveries.append(again)
    return taken


def get_event(call: Call) -> Thing:
    """Answer GET /v1/events/{id}."""
    call.form.done()
    return call.own("event")


def list_events(call: Call) -> Thing:
    """Answer GET /v1/events."""
    kinds = {kind for kind in (call.form.text("type"), *call.form.texts("types")) if kind}
    delivery = call.form.choice("delivery_success", "true", "false")
    is_within, oldest = within(call), call.store.now() - KEPT_SECONDS
    undelivered = {item.event_id for item in call.store.state.deliveries}
    return page(
        call,
        [
            event
            for event in call.store.all("event", owner=call.account)
            if event["created"] >= oldest
            and is_within(event)
            and (not kinds or event["type"] in kinds)
            and (not delivery or (delivery == "true") == (event["id"] not in undelivered))
        ],
    )
