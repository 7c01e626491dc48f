"""Mistakes that were made elsewhere and must not go unnoticed here: under each, a row of the fault table fails."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import msgspec
import pytest

from funding.fault_table import tell
from funding.stories import STORIES
from funding.stripe_wallet import StripeWallet, open_stripe_wallet
from tikiwallet.funding.stripe import client, payments, payouts, people
from tikiwallet.funding.stripe.events import Events, EventSaid
from tikiwallet.funding.stripe.payments import Payments
from tikiwallet.funding.stripe.payouts import Payouts
from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, Made


def key_per_attempt(_: UUID, __: str) -> str:
    """A retry is something new to Stripe."""
    return str(uuid4())


async def credit_on_redirect(self: Payments, order: BankOrder, session_id: str) -> BankAnswer:
    """Who comes back has paid."""
    return BankAnswer(decision=Decision.CONFIRMED, made=Made("payment", f"pi_of_{session_id}"))


HEARD: dict[str, str] = {}  # the last status that a webhook told of each object
_look = Events.look


async def listen(self: Events, said: EventSaid, now: datetime) -> None:
    """Remember what the newest webhook says."""
    row = await self._db.pool.fetchval("SELECT payload FROM funding.provider_event WHERE event_id = $1", said.id)
    told = msgspec.json.decode(row)["data"]["object"]
    HEARD[told["id"]] = told.get("status", "")
    await _look(self, said, now)


async def trust_the_webhook(self: Payouts, order: BankOrder, account_id: str, *, now: datetime) -> BankAnswer:
    """What was told last is how it is: nobody asks."""
    status = HEARD.get(order.made["payout"], "pending")
    if status == "failed":
        return await self._reverse(order, now=now)
    return BankAnswer(decision=Decision.CONFIRMED if status == "paid" else Decision.PENDING)


@contextlib.contextmanager
def mutated(*wrong: tuple[object, str, Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for target, name, instead in wrong:
            stack.enter_context(patch.object(target, name, instead))
        yield


MUTANTS = {
    "a key per attempt, of a transfer": (
        [(payouts, "key_of", key_per_attempt)], "withdraws", {"path": "/v1/transfers", "kind": "lose_after"}, {},
    ),
    "a key per attempt, of a page": (
        [(payments, "key_of", key_per_attempt)], "pays on the page",
        {"path": "/v1/checkout/sessions", "kind": "lose_after"}, {},
    ),
    "a key per attempt, of a customer": (
        [(people, "key_of", key_per_attempt)], "saves a card and pays with it",
        {"path": "/v1/customers", "kind": "lose_after"}, {},
    ),
    "a key that is trusted for ever": (
        [(client, "KEYS_KEPT", timedelta(days=365))], "withdraws", {"path": "/v1/transfers", "kind": "lose_after"},
        {"silence": timedelta(hours=25)},
    ),
    "credit on redirect": ([(Payments, "_ask_session", credit_on_redirect)], "lets the page close", None, {}),
    "the webhook is trusted": (
        [(Events, "look", listen), (Payouts, "_ask_payout", trust_the_webhook)], "hears of a payout what is not so",
        None, {},
    ),
}  # fmt: skip


async def told(wallet: StripeWallet, story: str, fault: dict[str, str] | None, more: dict[str, Any]) -> None:
    wallet.transport.is_checked = False
    if fault is not None:
        wallet.faults({"method": "POST", **fault})
    await tell(wallet, STORIES[story], **more)


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_mistake_is_noticed(database_url: str, name: str) -> None:
    wrong, story, fault, more = MUTANTS[name]
    HEARD.clear()
    async with open_stripe_wallet(database_url) as wallet:
        await told(wallet, story, fault, more)  # without the mistake all is well
        with mutated(*wrong), pytest.raises(Exception) as noticed:  # noqa: PT011 - whatever it breaks
            await told(wallet, story, fault, more)
        assert noticed.type in {AssertionError, KeyError}, noticed.value
