"""The balance of each account, which is the sum of its balance transactions and of nothing else.

What a charge brings is pending for days, as it is with Stripe: a transfer of money that isn't available yet is refused.
"""

from tikiwallet.stripe_standin.call import Call, matching, page, within
from tikiwallet.stripe_standin.errors import Thing, refused
from tikiwallet.stripe_standin.store import Store

FEE_BPS, FEE_FIXED_MINOR, DISPUTE_FEE_MINOR = 340, 50, 1500
PENDING_SECONDS = 2 * 24 * 3600


def card_fee(amount_minor: int) -> int:
    """Return what Stripe keeps of a card payment."""
    return -(-amount_minor * FEE_BPS // 10_000) + FEE_FIXED_MINOR


def enter(
    store: Store,
    *,
    kind: str,
    category: str,
    amount: int,
    currency: str,
    source: str,
    owner: str = "",
    fee: int = 0,
    pending_seconds: int = 0,
    description: str | None = None,
) -> str:
    """Enter a balance transaction and return its id. `kind` and `category` are Stripe's `type` and the report's."""
    available_on = store.now() + pending_seconds
    details = [
        {"amount": fee, "application": None, "currency": currency, "description": "Stripe fees", "type": "stripe_fee"}
    ]
    made = store.add(
        "balance_transaction",
        "txn",
        owner=owner,
        amount=amount,
        available_on=available_on,
        balance_type="payments",
        currency=currency,
        description=description,
        exchange_rate=None,
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category=category,
        source=source,
        status="pending" if pending_seconds else "available",
        type=kind,
    )
    name: str = made["id"]
    return name


def let_ripen(store: Store) -> None:
    """Make available what has waited long enough."""
    now = store.now()
    for entry in store.all("balance_transaction", owner=None):
        if entry["status"] == "pending" and entry["available_on"] <= now:
            entry["status"] = "available"


def sums(store: Store, status: str, *, owner: str) -> dict[str, int]:
    """Return what is available, or pending, by currency."""
    found: dict[str, int] = {}
    for entry in store.all("balance_transaction", owner=owner):
        found.setdefault(entry["currency"], 0)
        if entry["status"] == status:
            found[entry["currency"]] += entry["net"]
    return found


def require(store: Store, amount: int, currency: str, *, owner: str, whose: str) -> None:
    """Refuse what the available balance doesn't cover."""
    if sums(store, "available", owner=owner).get(currency, 0) < amount:
        raise refused(f"You have insufficient available funds in {whose} account.", code="balance_insufficient")


def get_balance(call: Call) -> Thing:
    """Answer GET /v1/balance."""
    call.form.done()

    def amounts(status: str) -> list[Thing]:
        found = sums(call.store, status, owner=call.account)
        return [{"amount": amount, "currency": currency} for currency, amount in sorted(found.items())]

    return {"object": "balance", "available": amounts("available"), "livemode": False, "pending": amounts("pending")}


def get_transaction(call: Call) -> Thing:
    """Answer GET /v1/balance_transactions/{id}."""
    call.form.done()
    return call.own("balance_transaction")


def list_transactions(call: Call) -> Thing:
    """Answer GET /v1/balance_transactions."""
    is_within, is_wanted = within(call), matching(call, "type", "source", "currency")
    everything = call.store.all("balance_transaction", owner=call.account)
    return page(call, [entry for entry in everything if is_within(entry) and is_wanted(entry)])
