"""Which address is answered by what."""

import re

from tikiwallet.stripe_standin import (
    accounts,
    balance,
    charges,
    checkout,
    customers,
    disputes,
    events,
    payment_intents,
    payouts,
    refunds,
    setup_intents,
    transfers,
)
from tikiwallet.stripe_standin.call import Endpoint
from tikiwallet.stripe_standin.errors import StripeError

ROUTES: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/account_links"): accounts.create_link,
    ("GET", "/v1/accounts"): accounts.list_accounts,
    ("POST", "/v1/accounts"): accounts.create_account,
    ("GET", "/v1/accounts/{id}"): accounts.get_account,
    ("POST", "/v1/accounts/{id}"): accounts.update_account,
    ("DELETE", "/v1/accounts/{id}"): accounts.delete_account,
    ("GET", "/v1/accounts/{id}/external_accounts"): accounts.list_external_accounts,
    ("POST", "/v1/accounts/{id}/login_links"): accounts.create_login_link,
    ("GET", "/v1/balance"): balance.get_balance,
    ("GET", "/v1/balance_transactions"): balance.list_transactions,
    ("GET", "/v1/balance_transactions/{id}"): balance.get_transaction,
    ("GET", "/v1/charges"): charges.list_charges,
    ("GET", "/v1/charges/{id}"): charges.get_charge,
    ("GET", "/v1/checkout/sessions"): checkout.list_sessions,
    ("POST", "/v1/checkout/sessions"): checkout.create_session,
    ("GET", "/v1/checkout/sessions/{id}"): checkout.get_session,
    ("POST", "/v1/checkout/sessions/{id}/expire"): checkout.expire_session,
    ("GET", "/v1/customers"): customers.list_customers,
    ("POST", "/v1/customers"): customers.create_customer,
    ("GET", "/v1/customers/{id}"): customers.get_customer,
    ("POST", "/v1/customers/{id}"): customers.update_customer,
    ("DELETE", "/v1/customers/{id}"): customers.delete_customer,
    ("GET", "/v1/customers/{id}/payment_methods"): customers.list_methods,
    ("GET", "/v1/disputes"): disputes.list_disputes,
    ("GET", "/v1/disputes/{id}"): disputes.get_dispute,
    ("POST", "/v1/disputes/{id}"): disputes.update_dispute,
    ("POST", "/v1/disputes/{id}/close"): disputes.close_dispute,
    ("GET", "/v1/events"): events.list_events,
    ("GET", "/v1/events/{id}"): events.get_event,
    ("GET", "/v1/payment_intents"): payment_intents.list_intents,
    ("POST", "/v1/payment_intents"): payment_intents.create_intent,
    ("GET", "/v1/payment_intents/{id}"): payment_intents.get_intent,
    ("POST", "/v1/payment_intents/{id}"): payment_intents.update_intent,
    ("POST", "/v1/payment_intents/{id}/cancel"): payment_intents.cancel_intent,
    ("POST", "/v1/payment_intents/{id}/confirm"): payment_intents.confirm_intent,
    ("GET", "/v1/payment_methods"): customers.list_methods,
    ("POST", "/v1/payment_methods"): customers.create_method,
    ("GET", "/v1/payment_methods/{id}"): customers.get_method,
    ("POST", "/v1/payment_methods/{id}/attach"): customers.attach_method,
    ("POST", "/v1/payment_methods/{id}/detach"): customers.detach_method,
    ("GET", "/v1/payouts"): payouts.list_payouts,
    ("POST", "/v1/payouts"): payouts.create_payout,
    ("GET", "/v1/payouts/{id}"): payouts.get_payout,
    ("POST", "/v1/payouts/{id}/cancel"): payouts.cancel_payout,
    ("GET", "/v1/refunds"): refunds.list_refunds,
    ("POST", "/v1/refunds"): refunds.create_refund,
    ("GET", "/v1/refunds/{id}"): refunds.get_refund,
    ("POST", "/v1/refunds/{id}"): refunds.update_refund,
    ("POST", "/v1/setup_intents"): setup_intents.create_setup,
    ("GET", "/v1/setup_intents/{id}"): setup_intents.get_setup,
    ("POST", "/v1/setup_intents/{id}/cancel"): setup_intents.cancel_setup,
    ("POST", "/v1/setup_intents/{id}/confirm"): setup_intents.confirm_setup,
    ("GET", "/v1/transfers"): transfers.list_transfers,
    ("POST", "/v1/transfers"): transfers.create_transfer,
    ("GET", "/v1/transfers/{id}"): transfers.get_transfer,
    ("POST", "/v1/transfers/{id}"): transfers.update_transfer,
    ("GET", "/v1/transfers/{id}/reversals"): transfers.list_reversals,
    ("POST", "/v1/transfers/{id}/reversals"): transfers.reverse_transfer,
}
PATTERNS = [
    (method, re.compile(re.sub(r"\{\w+\}", "([^/]+)", path)), endpoint) for (method, path), endpoint in ROUTES.items()
]


def endpoint_of(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    """Return what answers an address, and the ids in it, or refuse."""
    for wanted, pattern, endpoint in PATTERNS:
        if wanted == method and (match := pattern.fullmatch(path)):
            return endpoint, match.groups()
    raise StripeError(f"Unrecognized request URL ({method}: {path}).", status=404)
