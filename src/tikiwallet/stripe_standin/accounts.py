"""Connected accounts (Express): the people to whom the platform pays out, once Stripe knows who they are.

A person fills in a page of Stripe's, reached by a link that works once and for minutes. The bank account that is chosen
there decides whether payouts arrive, as Stripe's test numbers do.
"""

from tikiwallet.stripe_standin.balance import sums
from tikiwallet.stripe_standin.call import Call, page, within
from tikiwallet.stripe_standin.errors import StripeError, Thing, missing, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

LINK_SECONDS = 5 * 60
# The number of a bank account says what becomes of a payout to it: a failure code, or nothing when it arrives.
BANK_NUMBERS = {
    "000123456": "",
    "000111111116": "no_account",
    "000111111113": "account_closed",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
}
NEEDED = ["external_account", "individual.dob.day", "individual.first_name", "individual.last_name"]


def create_account(call: Call) -> Thing:
    """Answer POST /v1/accounts."""
    form = call.form
    form.choice("type", "express", default="express")
    country, email = form.text("country", "SG").upper(), form.text("email") or None
    wanted = form.group("capabilities")
    transfers, cards = wanted.group("transfers").flag("requested"), wanted.group("card_payments").flag("requested")
    wanted.done()
    business = form.choice("business_type", "individual", "company", default="individual")
    interval = form.group("settings").group("payouts").group("schedule").text("interval", "manual")
    metadata = form.metadata()
    form.skip("business_profile", "individual", "tos_acceptance")
    form.done()
    if interval != "manual":
        raise StripeError("The stand-in pays out when it is asked to: settings[payouts][schedule][interval]=manual.")
    capabilities = {name: "inactive" for name, asked in (("transfers", transfers), ("card_payments", cards)) if asked}
    account = call.store.add(
        "account",
        "acct",
        business_type=business,
        capabilities=capabilities,
        charges_enabled=False,
        country=country,
        default_currency=_currency(country),
        details_submitted=False,
        email=email,
        external_accounts={"object": "list", "data": [], "has_more": False, "url": ""},
        metadata=metadata,
        payouts_enabled=False,
        requirements=_requirements(NEEDED, "requirements.past_due"),
        type="express",
    )
    del account["livemode"]  # an account is of no mode
    account["external_accounts"]["url"] = f"/v1/accounts/{account['id']}/external_accounts"
    return account


def _currency(country: str) -> str:
    return {"SG": "sgd", "ID": "idr", "IN": "inr", "KE": "kes", "US": "usd", "JP": "jpy", "GB": "gbp"}.get(
        country, "eur"
    )


def _requirements(due: list[str], reason: str | None) -> Thing:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def onboard(store: Store, account: Thing, bank_number: str) -> None:
    """Take what the person has filled in: from now on the account can be paid."""
    currency = account["default_currency"]
    bank = store.add(
        "bank_account",
        "ba",
        owner=account["id"],
        account=account["id"],
        account_holder_name=None,
        account_holder_type=None,
        account_type=None,
        available_payout_methods=["standard"],
        bank_name="STAND-IN BANK",
        country=account["country"],
        currency=currency,
        default_for_currency=True,
        fingerprint=None,
        last4=bank_number[-4:],
        metadata={},
        routing_number="110000000",
        status="new",
    )
    for key in ("created", "livemode"):
        del bank[key]
    store.state.bank_numbers[bank["id"]] = bank_number
    account["external_accounts"]["data"] = [bank]
    account["capabilities"] = dict.fromkeys(account["capabilities"], "active")
    account["requirements"] = _requirements([], None)
    account.update(details_submitted=True, payouts_enabled=True, charges_enabled=True)
    emit(store, "account.updated", account, owner=account["id"])


def close(store: Store, account: Thing) -> None:
    """Let Stripe reject the account: nothing is paid to it or out of it any more."""
    account["capabilities"] = dict.fromkeys(account["capabilities"], "inactive")
    account["requirements"] = _requirements([], "rejected.other")
    account.update(payouts_enabled=False, charges_enabled=False)
    emit(store, "account.updated", account, owner=account["id"])


def get_account(call: Call) -> Thing:
    """Answer GET /v1/accounts/{id}."""
    call.form.done()
    return call.store.get("account", call.name)


def update_account(call: Call) -> Thing:
    """Answer POST /v1/accounts/{id}."""
    account = call.store.get("account", call.name)
    account["metadata"] |= call.form.metadata()
    account["email"] = call.form.text("email") or account["email"]
    call.form.done()
    return account


def delete_account(call: Call) -> Thing:
    """Answer DELETE /v1/accounts/{id}; one that holds money stays."""
    account = call.store.get("account", call.name)
    call.form.done()
    held = [sums(call.store, status, owner=account["id"]) for status in ("available", "pending")]
    if any(amount for amounts in held for amount in amounts.values()):
        raise refused("This account has a balance and can't be deleted.", code="account_invalid")
    del call.store.state.kept["account"][account["id"]]
    return {"id": account["id"], "object": "account", "deleted": True}


def list_accounts(call: Call) -> Thing:
    """Answer GET /v1/accounts."""
    is_within = within(call)
    return page(call, [each for each in call.store.all("account") if is_within(each)])


def list_external_accounts(call: Call) -> Thing:
    """Answer GET /v1/accounts/{id}/external_accounts."""
    call.form.choice("object", "bank_account", "card")
    return page(call, list(call.store.get("account", call.name)["external_accounts"]["data"]))


def create_link(call: Call) -> Thing:
    """Answer POST /v1/account_links: the address of the onboarding page, for one visit soon."""
    form, store = call.form, call.store
    account = store.get("account", form.need("account"), param="account")
    refresh_url, return_url = form.need("refresh_url"), form.need("return_url")
    kind = form.choice("type", "account_onboarding", "account_update") or form.need("type")
    form.skip("collection_options", "collect")
    form.done()
    if kind == "account_update":
        raise StripeError("account_update is for other kinds of accounts than Express.", code="parameter_invalid")
    token = store.next_id("link")
    expires_at = store.now() + LINK_SECONDS
    store.state.kept.setdefault("link", {})[token] = {
        "id": token, "object": "link", "account": account["id"], "refresh_url": refresh_url, "return_url": return_url,
        "expires_at": expires_at, "is_used": False,
    }  # fmt: skip
    return {
        "object": "account_link",
        "created": store.now(),
        "expires_at": expires_at,
        "url": f"{store.base_url}/onboard/{token}",
    }


def create_login_link(call: Call) -> Thing:
    """Answer POST /v1/accounts/{id}/login_links."""
    account = call.store.get("account", call.name)
    call.form.done()
    if not account["details_submitted"]:
        raise refused("Cannot create a login link for an account that has not completed onboarding.",
                      code="account_invalid")  # fmt: skip
    return {"object": "login_link", "created": call.store.now(), "url": f"{call.store.base_url}/express"}


def require_payable(store: Store, name: str) -> Thing:
    """Return the account that money is to go to, or refuse."""
    if name not in store.state.kept.get("account", {}):
        raise missing("destination", name, param="destination")
    account = store.get("account", name)
    if account["capabilities"].get("transfers") != "active":
        raise refused(
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
            "crypto_transfers, legacy_payments", code="insufficient_capabilities_for_transfer",
        )  # fmt: skip
    return account
