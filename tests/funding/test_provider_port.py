"""What a provider may ask for that the demo bank doesn't: a page to go to, a fee, a payee, patience, a way back."""

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

import pytest

from crashes import make_jobs_due, open_database
from tikiwallet.funding import card_testing
from tikiwallet.funding.demo_bank import PENDING_SECONDS, DemoBank
from tikiwallet.funding.types import BankAnswer, BankOrder, Decision, Made, PayoutAccountMissing, Reason
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.money import Amount
from world import World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")
HOUR = timedelta(hours=1)


class PageBank(DemoBank):
    """Has people pay on a page that is open for an hour, and keeps 25 cents of what goes out."""

    name: ClassVar[str] = "page"
    is_demo: ClassVar[bool] = False
    takes_cards: ClassVar[bool] = True

    def __init__(self) -> None:
        self.paid: set[object] = set()
        self.payees: set[PersonId] = set()
        self.declines = False

    def fee_minor(self, amount: Amount) -> int:
        return 25

    async def require_payee(self, person_id: PersonId) -> None:
        if person_id not in self.payees:
            raise PayoutAccountMissing

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        if "session" not in order.made:
            return BankAnswer(decision=Decision.GO_ON, made=Made("session", f"s_{order.operation_id}"))
        if self.declines or order.is_cancelled or now >= order.created_at + HOUR:
            reason = Reason.NONE if self.declines else Reason.CANCELLED if order.is_cancelled else Reason.EXPIRED
            return BankAnswer(decision=Decision.DECLINED, reason=reason)
        if order.operation_id in self.paid:
            return BankAnswer(decision=Decision.CONFIRMED)
        return BankAnswer(
            decision=Decision.PENDING, go_to_url="https://pay.test/s", expires_at=order.created_at + HOUR,
            client_secret="shh" if order.through == "native" else "",
        )  # fmt: skip


@pytest.fixture
def bank(world: World, monkeypatch: pytest.MonkeyPatch) -> PageBank:
    bank = PageBank()
    monkeypatch.setattr(world.app.state.funding.operations, "_bank", bank)
    return bank


async def top_up(someone, text: str, *, key: str | None = None, **more: str):
    return await someone.post("/v1/top-ups", {"amount": money(text), **more}, key=key)


async def test_a_page_is_shown_until_it_is_paid_cancelled_or_closed(
    world: World, bank: PageBank, database_url: str
) -> None:
    (alice,) = await world.people("alice")
    first = body_of(await top_up(alice, "20.00", key="k"), 201)
    assert (first["state"], first["go_to_url"]) == ("pending", "https://pay.test/s")
    assert first["sentence"].startswith("Nothing has moved yet; you can pay on the provider's page until")
    assert await world.balances() == {"alice": "0.00"}  # coming back from the page credits nothing
    await make_jobs_due(database_url, "funding")
    bank.paid.update({UUID(first["operation_id"])})
    paid = body_of(await top_up(alice, "20.00", key="k"), 201)
    assert (paid["state"], paid["go_to_url"], paid["can_be_cancelled"]) == ("settled", "", False)
    address = f"/v1/top-ups/{first['operation_id']}/cancellation"
    assert refusal(await alice.post(address)) == (409, "operation_over")

    second = body_of(await top_up(alice, "7.00"), 201)
    assert second["can_be_cancelled"]
    address = f"/v1/top-ups/{second['operation_id']}/cancellation"
    assert refusal(await alice.post(address.replace("top-ups", "withdrawals"))) == (404, "operation_unknown")
    cancelled = body_of(await alice.post(address), 200)
    assert (cancelled["state"], cancelled["reason"]) == ("declined", "cancelled")
    assert cancelled["sentence"] == "You cancelled it; nothing has moved."

    body_of(await top_up(alice, "8.00", key="slow"), 201)
    world.clock.move(hours=1)
    alice = await world.sign_in_again(alice)
    assert refusal(await top_up(alice, "8.00", key="slow")) == (422, "checkout_expired")
    assert await alice.balance() == "20.00"


async def test_a_secret_goes_to_whoever_orders_and_is_not_kept(world: World, bank: PageBank) -> None:
    (alice,) = await world.people("alice")
    ordered = body_of(await top_up(alice, "20.00", through="native"), 201)
    assert ordered["client_secret"] == "shh"
    assert body_of(await alice.get(f"/v1/top-ups/{ordered['operation_id']}"), 200)["client_secret"] == ""
    for through, method in (("saved", ""), ("page", "pm_1")):
        answer = await top_up(alice, "20.00", through=through, method_id=method)
        assert refusal(answer) == (400, "request_invalid")


async def test_who_tries_cards_is_slowed_down(world: World, bank: PageBank, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    monkeypatch.setattr(card_testing, "DECLINES_OF_ORIGIN_MAX", card_testing.DECLINES_OF_PERSON_MAX + 1)
    bank.declines = True
    for _ in range(card_testing.DECLINES_OF_PERSON_MAX):
        assert refusal(await top_up(alice, "1.00")) == (422, "declined_by_bank")
    slowed = await top_up(alice, "1.00")
    assert refusal(slowed) == (429, "too_many_top_ups")
    assert int(slowed.headers["retry-after"]) == card_testing.DECLINES_SECONDS
    assert refusal(await top_up(bob, "1.00")) == (422, "declined_by_bank")
    assert refusal(await top_up(bob, "1.00")) == (429, "too_many_top_ups")  # by the address, which is one for all
    world.clock.move(days=1)
    carol, bank.declines = await world.sign_in_again(carol), False
    for _ in range(card_testing.TRIES_OF_PERSON_MAX):
        body_of(await top_up(carol, "1.00"), 201)
    assert refusal(await top_up(carol, "1.00")) == (429, "too_many_top_ups")


async def test_a_fee_is_shown_agreed_to_and_kept(world: World, bank: PageBank, database_url: str) -> None:
    (alice,) = await world.people("alice")
    bank.paid.add(UUID(body_of(await top_up(alice, "50.00", key="k"), 201)["operation_id"]))
    body_of(await top_up(alice, "50.00", key="k"), 201)
    order = {"amount": money("20.00")}
    quote = body_of(await alice.post("/v1/withdrawals/quote", order), 200)
    assert (quote["fee_minor"], quote["arriving"]) == (25, money("19.75"))
    assert refusal(await alice.post("/v1/withdrawals", order)) == (409, "fee_differs")
    order["fee_minor"] = 25
    assert refusal(await alice.post("/v1/withdrawals", order)) == (409, "payout_account_missing")
    bank.payees.add(PersonId(alice.person_id))
    assert refusal(await alice.post("/v1/withdrawals/quote", {"amount": money("0.25")})) == (422, "limit_exceeded")
    body_of(await alice.post("/v1/withdrawals", order), 201)
    assert await world.balances() == {"alice": "30.00"}
    async with open_database(database_url, "ledger") as database:
        kept = "SELECT sum(balance_minor) FROM ledger.account WHERE kind = 'guarantee'"
        assert await database.pool.fetchval(kept) == 25


async def test_a_provider_that_takes_days_is_asked_for_days(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    operation = body_of(await alice.post("/v1/withdrawals", {"amount": money("20.37")}), 201)
    operations = world.app.state.funding.operations
    promise = f"{operation['operation_id']}:1".encode()
    async with open_database(database_url, "funding") as database:
        for time in range(1, 50):  # far more often than a job that fails is tried
            await operations.keep_promise(promise, world.clock.now)
            promise = await database.pool.fetchval("SELECT payload FROM funding_jobs.pgqueuer ORDER BY id DESC LIMIT 1")
            assert promise.decode() == f"{operation['operation_id']}:1#{time}"
    cancelled = body_of(await alice.post(f"/v1/withdrawals/{operation['operation_id']}/cancellation"), 200)
    assert (cancelled["state"], cancelled["sentence"]) == (
        "declined", "You cancelled it; the money is back in your wallet.",
    )  # fmt: skip
    world.clock.move(seconds=PENDING_SECONDS)
    await operations.keep_promise(promise, world.clock.now)
    assert await world.balances() == {"alice": "50.00"}
