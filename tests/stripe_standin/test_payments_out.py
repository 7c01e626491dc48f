"""Money goes out: by a transfer to a connected account and a payout of that account to its bank."""

import pytest
import stripe

from stripe_standin.client import Stripe
from tikiwallet.stripe_standin.payouts import PENDING_SECONDS, TRAVEL_SECONDS

ACCOUNT = {
    "type": "express",
    "country": "SG",
    "capabilities": {"transfers": {"requested": True}},
    "settings": {"payouts": {"schedule": {"interval": "manual"}}},
    "metadata": {"person": "1"},
}


@pytest.fixture
def there() -> Stripe:
    return Stripe()


async def onboarded(there: Stripe, bank_number: str = "000123456") -> str:
    account = await there.v1.accounts.create_async(ACCOUNT)
    await there.control("onboard", {"id": account.id, "bank_number": bank_number})
    return str(account.id)


async def transferred(there: Stripe, account_id: str, amount: int = 5000) -> stripe.Transfer:
    await there.control("fund", {"amount": amount})
    order = {"amount": amount, "currency": "sgd", "destination": account_id, "metadata": {"operation_id": "7"}}
    return await there.v1.transfers.create_async(order)


async def pay_out(there: Stripe, account_id: str, amount: int = 5000) -> stripe.Payout:
    return await there.v1.payouts.create_async({"amount": amount, "currency": "sgd"}, {"stripe_account": account_id})


async def test_a_person_is_onboarded_by_a_page_that_opens_once(there: Stripe) -> None:
    account = await there.v1.accounts.create_async(ACCOUNT)
    assert (account.payouts_enabled, account.capabilities.transfers) == (False, "inactive")
    with pytest.raises(stripe.InvalidRequestError, match="capabilities enabled") as refused:
        await transferred(there, account.id)
    assert refused.value.code == "insufficient_capabilities_for_transfer"
    order = {"account": account.id, "refresh_url": "http://127.0.0.1:8000/again", "return_url": "http://127.0.0.1/ok",
             "type": "account_onboarding"}  # fmt: skip
    link = await there.v1.account_links.create_async(order)
    assert "payouts fail: account_closed" in (await there.browse("GET", link.url)).text
    left = await there.browse("POST", link.url, answer="leave")
    assert left.headers["location"] == "http://127.0.0.1/ok"
    assert (await there.browse("GET", link.url)).headers["location"] == "http://127.0.0.1:8000/again"
    late = await there.v1.account_links.create_async(order)
    await there.later(minutes=5)
    assert (await there.browse("POST", late.url, answer="fill", bank="000123456")).headers["location"].endswith("again")
    assert not (await there.v1.accounts.retrieve_async(account.id)).details_submitted
    link = await there.v1.account_links.create_async(order)
    await there.browse("POST", link.url, answer="fill", bank="000123456")
    account = await there.v1.accounts.retrieve_async(account.id)
    assert (account.details_submitted, account.payouts_enabled, account.capabilities.transfers) == (
        True,
        True,
        "active",
    )
    (bank,) = (await there.v1.accounts.external_accounts.list_async(account.id)).data
    assert bank.last4 == "3456"
    assert (await there.v1.accounts.login_links.create_async(account.id)).url
    assert "account.updated" in await there.deliver()
    assert there.events[-1].account == account.id


async def test_a_payout_is_pending_then_travels_and_arrives(there: Stripe) -> None:
    account_id = await onboarded(there)
    transfer = await transferred(there, account_id)
    assert (sum(there.books()), sum(there.books(owner=account_id))) == (0, 5000)
    payout = await pay_out(there, account_id)
    assert (payout.status, sum(there.books(owner=account_id))) == ("pending", 0)
    with pytest.raises(stripe.InvalidRequestError, match="insufficient available funds") as refused:
        await pay_out(there, account_id, 1)
    assert refused.value.code == "balance_insufficient"
    with pytest.raises(stripe.InvalidRequestError, match="insufficient available funds"):
        await there.v1.transfers.reversals.create_async(transfer.id)
    with pytest.raises(stripe.InvalidRequestError, match="No such payout"):
        await there.v1.payouts.retrieve_async(payout.id)  # it is the connected account's
    options: stripe.RequestOptions = {"stripe_account": account_id}
    for seconds, status in ((PENDING_SECONDS, "in_transit"), (TRAVEL_SECONDS - PENDING_SECONDS, "paid")):
        await there.later(seconds=seconds)
        assert (await there.v1.payouts.retrieve_async(payout.id, options=options)).status == status
        with pytest.raises(stripe.InvalidRequestError, match="while pending"):
            await there.v1.payouts.cancel_async(payout.id, options=options)
    told = [(event.type, event.account) for event in there.events if event.type.startswith("payout")]
    assert told == [(f"payout.{name}", account_id) for name in ("created", "updated", "paid")]
    assert (await there.v1.events.list_async({"type": "payout.paid"})).data == []
    assert len((await there.v1.events.list_async({"type": "payout.paid"}, options)).data) == 1
    await there.control("finish-payout", {"id": payout.id, "failure": "no_account"})  # a bank may still send it back
    assert sum(there.books(owner=account_id)) == 5000


async def test_a_payout_is_cancelled_while_pending_and_its_transfer_reversed(there: Stripe) -> None:
    account_id = await onboarded(there)
    transfer = await transferred(there, account_id)
    payout = await pay_out(there, account_id)
    done = await there.v1.payouts.cancel_async(payout.id, options={"stripe_account": account_id})
    assert done.status == "canceled"
    part = await there.v1.transfers.reversals.create_async(transfer.id, {"amount": 2000})
    with pytest.raises(stripe.InvalidRequestError, match="only 3000"):
        await there.v1.transfers.reversals.create_async(transfer.id, {"amount": 3001})
    rest = await there.v1.transfers.reversals.create_async(transfer.id)
    assert (part.amount, rest.amount) == (2000, 3000)
    with pytest.raises(stripe.InvalidRequestError, match="already fully reversed"):
        await there.v1.transfers.reversals.create_async(transfer.id)
    whole = await there.v1.transfers.retrieve_async(transfer.id)
    assert (whole.reversed, whole.amount_reversed, len(whole.reversals.data)) == (True, 5000, 2)
    assert (sum(there.books()), sum(there.books(owner=account_id))) == (5000, 0)
    assert [each.id for each in (await there.v1.transfers.list_async({"destination": account_id})).data] == [
        transfer.id
    ]
    assert (await there.v1.accounts.delete_async(account_id)).deleted


async def test_a_bank_account_that_is_closed_sends_the_money_back(there: Stripe) -> None:
    account_id = await onboarded(there, "000111111113")
    await transferred(there, account_id)
    payout = await pay_out(there, account_id)
    await there.later(seconds=TRAVEL_SECONDS)
    failed = await there.v1.payouts.retrieve_async(payout.id, options={"stripe_account": account_id})
    assert (failed.status, failed.failure_code) == ("failed", "account_closed")
    listed = await there.v1.balance_transactions.list_async({}, {"stripe_account": account_id})
    assert [(entry.type, entry.net) for entry in listed.data] == [
        ("payout_failure", 5000), ("payout", -5000), ("payment", 5000),
    ]  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError, match="has a balance"):
        await there.v1.accounts.delete_async(account_id)
    await there.control("close-account", {"id": account_id})
    with pytest.raises(stripe.InvalidRequestError, match="payouts disabled") as refused:
        await pay_out(there, account_id)
    assert refused.value.code == "payouts_not_allowed"
    with pytest.raises(stripe.InvalidRequestError, match="capabilities enabled"):
        await transferred(there, account_id)


async def test_money_that_is_not_available_yet_cannot_be_transferred(there: Stripe) -> None:
    account_id = await onboarded(there)
    pay = {"amount": 2000, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}
    await there.v1.payment_intents.create_async(pay)
    order = {"amount": 1000, "currency": "sgd", "destination": account_id}
    with pytest.raises(stripe.InvalidRequestError, match="insufficient available funds"):
        await there.v1.transfers.create_async(order)
    await there.later(days=2)
    assert (await there.v1.transfers.create_async(order)).amount == 1000
    with pytest.raises(stripe.InvalidRequestError, match="No such destination"):
        await there.v1.transfers.create_async({**order, "destination": "acct_nobody"})
