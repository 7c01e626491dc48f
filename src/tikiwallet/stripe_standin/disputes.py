"""Disputes: a card's bank takes the money back, with a fee, and perhaps gives it back later.

As in Stripe's test mode, the evidence decides: `winning_evidence` wins, `losing_evidence` loses.
"""

from tikiwallet.stripe_standin import balance
from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.cards import Card
from tikiwallet.stripe_standin.errors import Thing, refused
from tikiwallet.stripe_standin.events import emit
from tikiwallet.stripe_standin.store import Store

RESPONSE_SECONDS = 7 * 24 * 3600
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip
ANSWERABLE = {"needs_response", "warning_needs_response"}
OVER = {"won", "lost", "warning_closed", "prevented"}


def dispute_of_card(store: Store, charge: Thing, card: Card) -> Thing:
    """Dispute a charge as its test card says."""
    return dispute(store, charge, reason=card.dispute, is_inquiry=card.is_inquiry)


def dispute(store: Store, charge: Thing, *, reason: str, is_inquiry: bool = False, amount: int | None = None) -> Thing:
    """Let the bank of a charge's card dispute it, at most what isn't refunded. An inquiry moves no money yet."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["disputed"] or not charge["paid"] or left < 1:
        raise refused("This charge can't be disputed.", code="charge_already_refunded")
    made = store.add(
        "dispute",
        "du",
        amount=min(amount or left, left),
        balance_transactions=[],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        evidence_details={
            "due_by": store.now() + RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=is_inquiry,
        metadata={},
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="warning_needs_response" if is_inquiry else "needs_response",
    )
    charge["disputed"] = True
    emit(store, "charge.dispute.created", made)
    if not is_inquiry:
        _enter(store, made, amount=-made["amount"], category="dispute", fee=balance.DISPUTE_FEE_MINOR)
        emit(store, "charge.dispute.funds_withdrawn", made)
    return made


def _enter(store: Store, dispute: Thing, *, amount: int, category: str, fee: int = 0) -> None:
    name = balance.enter(
        store, kind="adjustment", category=category, amount=amount, currency=dispute["currency"],
        source=dispute["id"], fee=fee, description=f"Chargeback {category.replace('_', ' ')} for {dispute['charge']}",
    )  # fmt: skip
    dispute["balance_transactions"].append(store.get("balance_transaction", name))


def close(store: Store, dispute: Thing, *, is_won: bool) -> None:
    """Let the card's bank decide."""
    if dispute["status"] in OVER:
        raise refused("This dispute is already closed.", code="dispute_already_closed")
    is_inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if is_inquiry else ("won" if is_won else "lost")
    emit(store, "charge.dispute.closed", dispute)
    if is_won and not is_inquiry:
        _enter(store, dispute, amount=dispute["amount"], category="dispute_reversal")
        emit(store, "charge.dispute.funds_reinstated", dispute)


def update_dispute(call: Call) -> Thing:
    """Answer POST /v1/disputes/{id}: give evidence."""
    dispute, form = call.own("dispute"), call.form
    dispute["metadata"] |= form.metadata()
    given = form.group("evidence")
    texts = {key: text for key in EVIDENCE if (text := given.text(key))}
    given.done()
    is_submitted = form.choice("submit", "true", "false", default="true") == "true"
    form.done()
    if texts and dispute["status"] not in ANSWERABLE:
        raise refused("This dispute can't take evidence any more.", code="dispute_already_closed")
    dispute["evidence"].update(texts)
    dispute["evidence_details"]["has_evidence"] |= bool(texts)
    if texts and is_submitted:
        dispute["evidence_details"]["submission_count"] += 1
        dispute["status"] = "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
    emit(call.store, "charge.dispute.updated", dispute)
    said = texts.get("uncategorized_text")
    if is_submitted and said in {"winning_evidence", "losing_evidence"}:
        close(call.store, dispute, is_won=said == "winning_evidence")
    return dispute


def close_dispute(call: Call) -> Thing:
    """Answer POST /v1/disputes/{id}/close: give in."""
    dispute = call.own("dispute")
    call.form.done()
    close(call.store, dispute, is_won=False)
    return dispute


def get_dispute(call: Call) -> Thing:
    """Answer GET /v1/disputes/{id}."""
    call.form.done()
    return call.own("dispute")


def list_disputes(call: Call) -> Thing:
    """Answer GET /v1/disputes."""
    is_within, is_wanted = within(call), matching(call, "charge", "payment_intent")
    everything = call.store.all("dispute", owner=call.account)
    return page(call, [each for each in everything if is_within(each) and is_wanted(each)])
