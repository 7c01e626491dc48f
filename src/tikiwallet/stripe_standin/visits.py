"""What a browser does at the stand-in: looks at a page, chooses, and is sent back to the wallet."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from tikiwallet.stripe_standin import accounts, checkout, pages
from tikiwallet.stripe_standin.cards import CARDS
from tikiwallet.stripe_standin.control import finish_authentication
from tikiwallet.stripe_standin.customers import make_method
from tikiwallet.stripe_standin.errors import StripeError, Thing
from tikiwallet.stripe_standin.store import Store


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A page, or the address to go on to."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(pages.HEADERS))


NOT_FOUND = Shown(status=404, body=pages.sentence_page("Nothing here", "There is no page at this address."))


def go_to(address: str) -> Shown:
    """Send the browser on."""
    return Shown(status=303, headers={**pages.HEADERS, "location": address})


def visit(store: Store, method: str, path: str, form: str) -> Shown:
    """Show the page at an address, or do what was chosen on it."""
    said = dict(parse_qsl(form))
    kind, _, rest = path.lstrip("/").partition("/")
    name, _, verb = rest.partition("/")
    thing = store.find(name)
    if kind == "pay" and thing is not None and thing["object"] == "checkout.session":
        return _pay(store, thing, method, verb, said)
    if kind == "3ds" and thing is not None and thing["object"] in {"payment_intent", "setup_intent"}:
        return _secure(store, thing, method, said)
    if kind == "onboard" and thing is not None and thing["object"] == "link":
        return _onboard(store, thing, method, said)
    return NOT_FOUND


def _onboard(store: Store, link: Thing, method: str, said: Mapping[str, str]) -> Shown:
    if link["is_used"] or link["expires_at"] <= store.now():
        return go_to(link["refresh_url"])
    account = store.get("account", link["account"])
    if method == "GET":
        return Shown(body=pages.onboarding_page(link, account))
    link["is_used"] = True
    if said.get("answer") == "fill" and said.get("bank") in accounts.BANK_NUMBERS:
        accounts.onboard(store, account, said["bank"])
    return go_to(link["return_url"])


def _pay(store: Store, session: Thing, method: str, verb: str, said: Mapping[str, str]) -> Shown:
    if session["status"] == "complete":
        return go_to(_success_url(session))
    if session["status"] == "expired":
        body = pages.sentence_page("This page has expired", "Nothing was paid. Go back to the wallet and begin again.")
        return Shown(body=body)
    lines = store.state.kept["of_session"][session["id"]]["lines"]
    if method == "GET":
        no = ""
        if session["payment_intent"]:
            failed = store.get("payment_intent", session["payment_intent"])["last_payment_error"]
            no = failed["message"] if failed else ""
        return Shown(body=pages.pay_page(session, lines, no=no))
    if verb == "cancel":
        return go_to(session["cancel_url"])
    if said.get("card") not in CARDS:
        return Shown(status=400, body=pages.pay_page(session, lines, no="Choose a card."))
    try:
        intent = checkout.choose_card(store, session, make_method(store, CARDS[said["card"]])["id"])
    except StripeError as error:
        return Shown(status=402, body=pages.pay_page(session, lines, no=str(error)))
    if intent["status"] == "requires_action":
        return go_to(intent["next_action"]["redirect_to_url"]["url"])
    return go_to(_success_url(session))


def _success_url(session: Thing) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _secure(store: Store, intent: Thing, method: str, said: Mapping[str, str]) -> Shown:
    session = checkout.session_of(store, intent)
    if intent["status"] != "requires_action":
        return (
            go_to(f"/pay/{session['id']}") if session else Shown(body=pages.sentence_page("Done", "Close this page."))
        )
    if method == "GET":
        return Shown(body=pages.secure_page(intent))
    return_url = intent["next_action"]["redirect_to_url"]["return_url"]
    try:
        finish_authentication(store, intent, is_authenticated=said.get("answer") == "yes")
    except StripeError as error:
        if session is None and not return_url:
            return Shown(status=402, body=pages.sentence_page("The card was declined", str(error)))
    if session is not None:
        return go_to(f"/pay/{session['id']}")
    return go_to(return_url) if return_url else Shown(body=pages.sentence_page("Done", "Close this page."))
