"""Stripe's test cards: the number decides what happens, so that a person or a test can bring about every case."""

import msgspec


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a test card does."""

    number: str
    title: str  # what people read when they choose a card on the hosted page
    method: str = ""  # Stripe's name of a payment method with this card
    brand: str = "visa"
    code: str = ""  # why a charge fails; empty: it doesn't
    decline_code: str = ""
    can_be_saved: bool = True
    secure: str = ""  # 3-D Secure: "always", "until_saved"; empty: never
    dispute: str = ""  # the reason of the dispute that a charge leads to
    is_inquiry: bool = False
    refund: str = ""  # "slow": a refund is pending for a while; "fails": then it fails
    is_available_at_once: bool = False


CARDS = {
    card.number: card
    for card in (
        Card(number="4242424242424242", title="Visa: pays", method="pm_card_visa"),
        Card(number="5555555555554444", title="Mastercard: pays", method="pm_card_mastercard", brand="mastercard"),
        Card(
            number="4000002500003155", title="3-D Secure is asked for", method="pm_card_authenticationRequiredOnSetup",
            secure="until_saved",
        ),
        Card(
            number="4000002760003184", title="3-D Secure is asked for every time",
            method="pm_card_authenticationRequired", secure="always",
        ),
        Card(
            number="4000008260003178", title="3-D Secure, then insufficient funds", secure="always",
            method="pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
            code="card_declined", decline_code="insufficient_funds",
        ),
        Card(
            number="4000000000000002", title="Declined", method="pm_card_visa_chargeDeclined",
            code="card_declined", decline_code="generic_decline", can_be_saved=False,
        ),
        Card(
            number="4000000000009995", title="Declined: insufficient funds",
            method="pm_card_visa_chargeDeclinedInsufficientFunds",
            code="card_declined", decline_code="insufficient_funds", can_be_saved=False,
        ),
        Card(
            number="4000000000009987", title="Declined: lost card", method="pm_card_visa_chargeDeclinedLostCard",
            code="card_declined", decline_code="lost_card", can_be_saved=False,
        ),
        Card(
            number="4100000000000019", title="Declined: taken for fraud", method="pm_card_radarBlock",
            code="card_declined", decline_code="fraudulent",
        ),
        Card(
            number="4000000000000341", title="Can be saved, then is declined", method="pm_card_chargeCustomerFail",
            code="card_declined", decline_code="generic_decline",
        ),
        Card(
            number="4000000000000069", title="Expired card", method="pm_card_chargeDeclinedExpiredCard",
            code="expired_card", can_be_saved=False,
        ),
        Card(
            number="4000000000000127", title="Wrong security code", method="pm_card_chargeDeclinedIncorrectCvc",
            code="incorrect_cvc", can_be_saved=False,
        ),
        Card(
            number="4000000000000119", title="Processing error", method="pm_card_chargeDeclinedProcessingError",
            code="processing_error", can_be_saved=False,
        ),
        Card(
            number="4000000000000259", title="Pays, then disputed as fraud", method="pm_card_createDispute",
            dispute="fraudulent",
        ),
        Card(
            number="4000000000002685", title="Pays, then disputed: not received",
            method="pm_card_createDisputeProductNotReceived", dispute="product_not_received",
        ),
        Card(
            number="4000000000001976", title="Pays, then the bank inquires", method="pm_card_createDisputeInquiry",
            dispute="fraudulent", is_inquiry=True,
        ),
        Card(
            number="4000000000000077", title="Pays, available at once", method="pm_card_bypassPending",
            is_available_at_once=True,
        ),
        Card(
            number="4000000000007726", title="Pays; a refund takes a while", method="pm_card_pendingRefund",
            refund="slow",
        ),
        Card(
            number="4000000000005126", title="Pays; a refund fails", method="pm_card_refundFail", refund="fails",
        ),
    )
}  # fmt: skip
BY_METHOD = {card.method: card for card in CARDS.values()} | {
    "pm_card_chargeDeclined": CARDS["4000000000000002"],
    "pm_card_chargeDeclinedInsufficientFunds": CARDS["4000000000009995"],
}
SENTENCES = {
    "card_declined": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


def sentence(card: Card) -> str:
    """Return what Stripe says when it declines the card."""
    return SENTENCES.get(card.decline_code, SENTENCES.get(card.code, ""))
