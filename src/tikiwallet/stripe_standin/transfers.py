"""Transfers: money of the platform becomes money of a connected account.

A reversal brings it back, never more than was transferred and never what the account hasn't got any more.
"""

from tikiwallet.stripe_standin import balance
from tikiwallet.stripe_standin.accounts import require_payable
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.errors import Thing, refused
from tikiwallet.stripe_standin.events import emit


def create_transfer(call: Call) -> Thing:
    """Answer POST /v1/transfers."""
    form, store = call.form, call.store
    amount, currency, destination = form.need_amount(), form.currency(), form.need("destination")
    description, group = form.text("description") or None, form.text("transfer_group") or None
    metadata = form.metadata()
    form.done()
    account = require_payable(store, destination)
    balance.require(store, amount, currency, owner="", whose="your Stripe")
    made = store.add(
        "transfer",
        "tr",
        amount=amount,
        amount_reversed=0,
        currency=currency,
        description=description,
        destination=destination,
        metadata=metadata,
        reversals={"object": "list", "data": [], "has_more": False, "url": ""},
        reversed=False,
        source_transaction=None,
        source_type="card",
        transfer_group=group,
    )
    made["reversals"]["url"] = f"/v1/transfers/{made['id']}/reversals"
    made["balance_transaction"] = balance.enter(
        store, kind="transfer", category="transfer", amount=-amount, currency=currency, source=made["id"],
    )  # fmt: skip
    payment = store.next_id("py")
    made["destination_payment"] = payment
    balance.enter(
        store, kind="payment", category="charge", amount=amount, currency=currency, source=payment,
        owner=account["id"],
    )  # fmt: skip
    emit(store, "transfer.created", made)
    return made


def reverse_transfer(call: Call) -> Thing:
    """Answer POST /v1/transfers/{id}/reversals: what still stands in the connected account comes back."""
    form, store, transfer = call.form, call.store, call.own("transfer")
    left = transfer["amount"] - transfer["amount_reversed"]
    amount, metadata, description = form.amount(), form.metadata(), form.text("description") or None
    form.done()
    if not left:
        raise refused("This transfer is already fully reversed.", code="transfer_already_reversed")
    if amount is not None and amount > left:
        raise refused(f"Unable to reverse {amount}: only {left} of this transfer is left.", code="amount_too_large")
    amount = amount or left
    owner, currency = transfer["destination"], transfer["currency"]
    balance.require(store, amount, currency, owner=owner, whose="the connected")
    made = store.add(
        "transfer_reversal",
        "trr",
        amount=amount,
        currency=currency,
        description=description,
        destination_payment_refund=None,
        metadata=metadata,
        source_refund=None,
        transfer=transfer["id"],
    )
    del made["livemode"]
    made["balance_transaction"] = balance.enter(
        store, kind="transfer_refund", category="transfer_reversal", amount=amount, currency=currency,
        source=made["id"],
    )  # fmt: skip
    balance.enter(
        store, kind="payment_refund", category="refund", amount=-amount, currency=currency,
        source=store.next_id("pyr"), owner=owner,
    )  # fmt: skip
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"].insert(0, made)
    emit(store, "transfer.reversed", transfer)
    return made


def get_transfer(call: Call) -> Thing:
    """Answer GET /v1/transfers/{id}."""
    call.form.done()
    return call.own("transfer")


def update_transfer(call: Call) -> Thing:
    """Answer POST /v1/transfers/{id}."""
    transfer = call.own("transfer")
    transfer["metadata"] |= call.form.metadata()
    call.form.done()
    return transfer


def list_transfers(call: Call) -> Thing:
    """Answer GET /v1/transfers."""
    is_within, is_wanted = within(call), matching(call, "destination", "transfer_group")
    return page(call, [each for each in call.store.all("transfer") if is_within(each) and is_wanted(each)])


def list_reversals(call: Call) -> Thing:
    """Answer GET /v1/transfers/{id}/reversals."""
    return page(call, list(call.own("transfer")["reversals"]["data"]))
