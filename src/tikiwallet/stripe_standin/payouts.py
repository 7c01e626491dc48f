"""Payouts: money leaves Stripe for a bank account.

One is pending for an hour and can be cancelled, then it is on its way for days, and then it has arrived, or has come
back because the bank refused it.
"""

from tikiwallet.stripe_standin import balance
from tikiwallet.stripe_standin.accounts import BANK_NUMBERS
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.errors import Thing, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

PENDING_SECONDS = 3600
TRAVEL_SECONDS = 2 * 24 * 3600
FAILURES = {
    "no_account": "The bank account could not be located.",
    "account_closed": "The bank account has been closed.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "debit_not_authorized": "Debit transactions are not approved on your bank account.",
    "invalid_currency": "The bank was unable to process this payout because of its currency.",
}


def create_payout(call: Call) -> Thing:
    """Answer POST /v1/payouts, for the platform or (Stripe-Account) for a connected account."""
    form, store, owner = call.form, call.store, call.account
    amount, currency = form.need_amount(), form.currency()
    form.choice("method", "standard", default="standard")
    form.choice("source_type", "card", default="card")
    description, descriptor = form.text("description") or None, form.text("statement_descriptor") or None
    metadata = form.metadata()
    form.done()
    bank = None
    if owner:
        account = store.get("account", owner)
        if not account["payouts_enabled"]:
            raise refused("Cannot create payouts: this account has payouts disabled.", code="payouts_not_allowed")
        bank = account["external_accounts"]["data"][0]
        if bank["currency"] != currency:
            raise refused(f"Sorry, you don't have any external accounts in that currency ({currency}).",
                          code="invalid_request_error")  # fmt: skip
    balance.require(store, amount, currency, owner=owner, whose="the connected" if owner else "your Stripe")
    made = store.add(
        "payout",
        "po",
        owner=owner,
        amount=amount,
        application_fee=None,
        application_fee_amount=None,
        arrival_date=store.now() + TRAVEL_SECONDS,
        automatic=False,
        currency=currency,
        description=description,
        destination=bank["id"] if bank else None,
        failure_balance_transaction=None,
        failure_code=None,
        failure_message=None,
        metadata=metadata,
        method="standard",
        original_payout=None,
        payout_method=None,
        reconciliation_status="not_applicable",
        reversed_by=None,
        source_type="card",
        statement_descriptor=descriptor,
        status="pending",
        trace_id=None,
        type="bank_account",
    )
    made["balance_transaction"] = balance.enter(
        store, kind="payout", category="payout", amount=-amount, currency=currency, source=made["id"], owner=owner,
    )  # fmt: skip
    emit(store, "payout.created", made, owner=owner)
    return made


def cancel_payout(call: Call) -> Thing:
    """Answer POST /v1/payouts/{id}/cancel."""
    payout = call.own("payout")
    call.form.done()
    if payout["status"] != "pending":
        raise refused(
            f"Payouts can only be canceled while pending; this one is {payout['status']}.", code="payout_not_pending"
        )
    payout["status"] = "canceled"
    _bring_back(call.store, payout, "payout_cancel", "payout_reversal")
    emit(call.store, "payout.canceled", payout, owner=call.account)
    return payout


def _bring_back(store: Store, payout: Thing, kind: str, category: str) -> None:
    payout["failure_balance_transaction"] = balance.enter(
        store, kind=kind, category=category, amount=payout["amount"], currency=payout["currency"],
        source=payout["id"], owner=store.owner_of(payout["id"]),
    )  # fmt: skip


def let_come_due(store: Store) -> None:
    """Send on what has been pending long enough, and let arrive or fail what has travelled long enough."""
    now = store.now()
    for payout in list(store.all("payout", owner=None)):
        owner = store.owner_of(payout["id"])
        if payout["status"] == "pending" and payout["created"] + PENDING_SECONDS <= now:
            payout["status"] = "in_transit"
            emit(store, "payout.updated", payout, owner=owner)
        if payout["status"] == "in_transit" and payout["arrival_date"] <= now:
            failure = BANK_NUMBERS[store.state.bank_numbers[payout["destination"]]] if payout["destination"] else ""
            finish(store, payout, failure=failure)


def finish(store: Store, payout: Thing, *, failure: str) -> None:
    """Let a payout arrive, or fail with this code: then the money is back in the account."""
    owner = store.owner_of(payout["id"])
    if payout["status"] not in {"pending", "in_transit", "paid"} or (payout["status"] == "paid" and not failure):
        raise refused(f"This payout is {payout['status']}.", code="payout_unexpected_state")
    if not failure:
        payout["status"] = "paid"
        emit(store, "payout.paid", payout, owner=owner)
        return
    payout.update(status="failed", failure_code=failure, failure_message=FAILURES.get(failure, "The bank refused it."))
    _bring_back(store, payout, "payout_failure", "payout_reversal")
    emit(store, "payout.failed", payout, owner=owner)


def get_payout(call: Call) -> Thing:
    """Answer GET /v1/payouts/{id}."""
    call.form.done()
    return call.own("payout")


def list_payouts(call: Call) -> Thing:
    """Answer GET /v1/payouts."""
    is_within, is_wanted = within(call), matching(call, "status", "destination")
    everything = call.store.all("payout", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])
