"""Refunds: never more than was paid.

Some test cards take a while, or fail later, and then the money is back with us.
"""

from tikiwallet.stripe_standin import balance
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.customers import card_of
from tikiwallet.stripe_standin.errors import Thing, invalid, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

SLOW_SECONDS = 3600


def create_refund(call: Call) -> Thing:
    """Answer POST /v1/refunds."""
    form, store = call.form, call.store
    intent_name, charge_name, amount = form.text("payment_intent"), form.text("charge"), form.amount()
    reason = form.choice("reason", "duplicate", "fraudulent", "requested_by_customer") or None
    metadata = form.metadata()
    form.done()
    if not intent_name and not charge_name:
        raise invalid("One of the following params should be provided: payment_intent or charge.",
                      code="parameter_missing", param="payment_intent")  # fmt: skip
    if intent_name:
        intent = call.own("payment_intent", intent_name, param="payment_intent")
        charge_name = intent["latest_charge"] or ""
        if intent["status"] != "succeeded":
            raise refused("This PaymentIntent does not have a successful charge to refund.",
                          code="payment_intent_unexpected_state")  # fmt: skip
    charge = call.own("charge", charge_name, param="charge")
    amount = _allowed(store, charge, amount)
    card = card_of(store, charge["payment_method"])
    made = store.add(
        "refund",
        "re",
        amount=amount,
        balance_transaction=None,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={"card": {"type": "refund"}, "type": "card"},
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        reason=reason,
        receipt_number=None,
        source_transfer_reversal=None,
        status="pending" if card.refund == "slow" else "succeeded",
        transfer_reversal=None,
    )
    made["balance_transaction"] = balance.enter(
        store, kind="refund", category="refund", amount=-amount, currency=made["currency"], source=made["id"],
    )  # fmt: skip
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    emit(store, "refund.created", made)
    emit(store, "charge.refunded", charge)
    if card.refund:
        store.state.due[made["id"]] = store.now() + SLOW_SECONDS
    return made


def _allowed(store: Store, charge: Thing, amount: int | None) -> int:
    """Return how much is to be refunded, or refuse."""
    if not charge["paid"]:
        raise refused(f"Charge {charge['id']} has not been paid.", code="charge_not_refundable")
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    disputes = [each for each in store.all("dispute") if each["charge"] == charge["id"]]
    if any(not each["is_charge_refundable"] for each in disputes):
        raise refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    left = charge["amount"] - charge["amount_refunded"]
    if amount is not None and amount > left:
        raise refused(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
                      code="amount_too_large", param="amount")  # fmt: skip
    return left if amount is None else amount


def let_come_due(store: Store) -> None:
    """Finish what takes a while: it succeeds, or fails and the money is back."""
    for refund in list(store.all("refund")):
        if store.state.due.get(refund["id"], store.now() + 1) > store.now():
            continue
        del store.state.due[refund["id"]]
        charge = store.get("charge", refund["charge"])
        if card_of(store, charge["payment_method"]).refund == "slow":
            refund["status"] = "succeeded"
            emit(store, "refund.updated", refund)
            continue
        refund["status"], refund["failure_reason"] = "failed", "lost_or_stolen_card"
        refund["failure_balance_transaction"] = balance.enter(
            store, kind="refund_failure", category="refund_failure", amount=refund["amount"],
            currency=refund["currency"], source=refund["id"],
        )  # fmt: skip
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        emit(store, "refund.failed", refund)


def get_refund(call: Call) -> Thing:
    """Answer GET /v1/refunds/{id}."""
    call.form.done()
    return call.own("refund")


def update_refund(call: Call) -> Thing:
    """Answer POST /v1/refunds/{id}."""
    refund = call.own("refund")
    refund["metadata"] |= call.form.metadata()
    call.form.done()
    return refund


def list_refunds(call: Call) -> Thing:
    """Answer GET /v1/refunds."""
    is_within, is_wanted = within(call), matching(call, "charge", "payment_intent")
    everything = call.store.all("refund", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])
