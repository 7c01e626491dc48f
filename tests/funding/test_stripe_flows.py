"""What people and thieves meet at the routes when the bank is Stripe: pages, cards, links, and stable refusals."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from crashes import open_ledger
from funding.stripe_wallet import SECRET
from funding.stripe_world import StripeWorld, open_stripe_world
from stripe_standin.client import BASE
from tikiwallet.ledger.types import Limits
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.config import ConfigError, read_settings
from tikiwallet.stripe_standin.events import signature
from world import World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")
VISA, SECURE, DECLINED = "4242424242424242", "4000002760003184", "4000000000000002"


@pytest.fixture
async def at_stripe(database_url: str, data_dir: Any) -> AsyncIterator[StripeWorld]:
    async with open_stripe_world(database_url, data_dir) as opened:
        yield opened


async def test_a_page_is_paid_and_a_withdrawal_arrives(at_stripe: StripeWorld) -> None:
    world = at_stripe.world
    (alice,) = await world.people("alice")
    about = body_of(await alice.get("/v1/funding"), 200)
    assert (about["provider"], about["has_cards"], about["is_demo"]) == ("stripe", True, False)
    ordered = body_of(await alice.top_up("50.00", key="k"), 201)
    assert ordered["go_to_url"].startswith(f"{BASE}/pay/cs_test")
    assert body_of(await alice.top_up("50.00", key="k"), 201)["state"] == "pending"  # coming back credits nothing
    at_stripe.control("pay", id=at_stripe.newest("checkout.session")["id"], card=DECLINED)
    await at_stripe.hear()
    assert await alice.balance() == "0.00"  # the page says so, and another card can be tried there
    at_stripe.control("pay", id=at_stripe.newest("checkout.session")["id"], card=VISA)
    await at_stripe.hear()
    assert await alice.balance() == "50.00"

    order = {"amount": money("20.00"), "fee_minor": 25}
    assert refusal(await alice.post("/v1/withdrawals", order)) == (409, "payout_account_missing")
    assert body_of(await alice.get("/v1/payout-account"), 200) == {"state": "wanted", "go_to_url": ""}
    assert body_of(await alice.post("/v1/payout-account"), 201)["go_to_url"].startswith(BASE)
    assert refusal(await alice.post("/v1/withdrawals", order)) == (409, "payout_account_missing")
    at_stripe.control("onboard", id=at_stripe.newest("account")["id"], bank_number="000123456")
    at_stripe.control("fund", amount=100_00, currency="sgd")
    world.clock.move(days=8)
    alice = await world.sign_in_again(alice)
    quote = body_of(await alice.post("/v1/withdrawals/quote", {"amount": money("20.00")}), 200)
    assert (quote["fee_minor"], quote["arriving"]) == (25, money("19.75"))
    withdrawal = body_of(await alice.post("/v1/withdrawals", order, key="w"), 201)
    assert (withdrawal["state"], withdrawal["can_be_cancelled"]) == ("pending", True)
    assert withdrawal["sentence"].startswith("The money is set aside; it arrives at your bank by ")
    world.clock.move(days=3)
    alice = await world.sign_in_again(alice)
    assert body_of(await alice.post("/v1/withdrawals", order, key="w"), 201)["state"] == "settled"
    assert await alice.balance() == "30.00"


async def test_a_saved_card_pays_with_3d_secure_and_is_forgotten(at_stripe: StripeWorld) -> None:
    (alice, bob) = await at_stripe.world.people("alice", "bob")
    assert body_of(await alice.get("/v1/saved-cards"), 200) == {"cards": []}
    assert refusal(await alice.post("/v1/saved-cards", {"through": "saved"})) == (400, "request_invalid")
    assert body_of(await alice.post("/v1/saved-cards", {}), 201)["go_to_url"].startswith(BASE)
    assert body_of(await alice.post("/v1/saved-cards", {"through": "native"}), 201)["client_secret"]
    at_stripe.control("pay", id=at_stripe.newest("setup_intent")["id"], card=SECURE)
    at_stripe.control("authenticate", id=at_stripe.newest("setup_intent")["id"])
    (card,) = body_of(await alice.get("/v1/saved-cards"), 200)["cards"]
    assert (card["brand"], card["last_digits"]) == ("visa", "3184")
    order = {"amount": money("20.00"), "through": "saved", "method_id": card["method_id"]}
    assert refusal(await bob.post("/v1/top-ups", order)) == (422, "declined_by_bank")  # somebody else's card
    ordered = body_of(await alice.post("/v1/top-ups", order, key="k"), 201)
    assert ordered["go_to_url"].startswith(f"{BASE}/3ds/")
    at_stripe.control("authenticate", id=at_stripe.newest("payment_intent")["id"])
    await at_stripe.hear()
    assert await alice.balance() == "20.00"
    address = f"/v1/saved-cards/{card['method_id']}"
    assert refusal(await bob.delete(address)) == (404, "saved_card_unknown")
    assert (await alice.delete(address)).status_code == 204
    assert refusal(await alice.delete(address)) == (404, "saved_card_unknown")
    assert body_of(await alice.get("/v1/saved-cards"), 200) == {"cards": []}


async def test_a_disputed_top_up_is_frozen_shown_and_what_was_spent_is_owed(at_stripe: StripeWorld) -> None:
    alice, bob = await at_stripe.world.people("alice", "bob")
    body_of(await alice.top_up("50.00"), 201)
    at_stripe.control("pay", id=at_stripe.newest("checkout.session")["id"], card=VISA)
    await at_stripe.hear()
    body_of(await alice.pay(bob, "20.00"), 201)
    at_stripe.control("dispute", id=at_stripe.newest("charge")["id"])
    await at_stripe.hear()
    assert await alice.balance() == "0.00"
    (shown,) = body_of(await alice.get("/v1/disputes"), 200)["disputes"]
    assert (shown["state"], shown["frozen_minor"], shown["owed_minor"]) == ("open", 30_00, 20_00)
    (line,) = await at_stripe.world.app.state.funding.disputes_in_words()
    assert "(fraudulent)" in line
    assert "open: 50.00 SGD, of which 20.00 are owed, answer by" in line
    withdrawal = await alice.post("/v1/withdrawals", {"amount": money("1.00"), "fee_minor": 25})
    assert refusal(withdrawal) == (403, "dispute_owed")
    body_of(await bob.pay(alice, "5.00"), 201)
    withdrawal = await alice.post("/v1/withdrawals", {"amount": money("1.00"), "fee_minor": 25})
    assert refusal(withdrawal) == (403, "dispute_owed")
    (shown,) = body_of(await alice.get("/v1/disputes"), 200)["disputes"]
    assert (shown["frozen_minor"], shown["owed_minor"]) == (35_00, 15_00)
    at_stripe.control("close-dispute", id=at_stripe.newest("dispute")["id"], is_won=True)
    await at_stripe.hear()
    (shown,) = body_of(await alice.get("/v1/disputes"), 200)["disputes"]
    assert (shown["state"], shown["owed_minor"]) == ("won", 0)
    assert await alice.balance() == "35.00"
    assert body_of(await bob.get("/v1/disputes"), 200) == {"disputes": []}


async def test_a_limit_slows_what_is_frozen_and_a_dispute_keeps_a_wallet_open(
    at_stripe: StripeWorld, database_url: str
) -> None:
    (alice, bob), clock = await at_stripe.world.people("alice", "bob"), at_stripe.world.clock
    body_of(await alice.top_up("50.00"), 201)
    at_stripe.control("pay", id=at_stripe.newest("checkout.session")["id"], card=VISA)
    await at_stripe.hear()
    body_of(await alice.pay(bob, "10.00"), 201)
    async with open_ledger(database_url) as ledger:
        wallet_id = wallet_account_id(alice.person_id, "SGD")
        await ledger.set_limits(wallet_id, Limits(out_per_day_max_minor=25_00))
        at_stripe.control("dispute", id=at_stripe.newest("charge")["id"])
        await at_stripe.hear()
        (shown,) = body_of(await alice.get("/v1/disputes"), 200)["disputes"]
        assert (shown["frozen_minor"], shown["owed_minor"]) == (15_00, 35_00)
        assert refusal(await alice.pay(bob, "1.00")) == (422, "limit_exceeded")  # it can't be spent meanwhile either
        await ledger.set_limits(wallet_id, Limits())  # as the next day does
    keeper = at_stripe.world.app.state.funding.stripe.disputes
    await keeper.collect(alice.person_id, clock.now)
    assert await alice.balance() == "0.00"

    obstacles = body_of(await alice.get("/v1/me/closing"), 200)["obstacles"]
    assert [(item["kind"], item["amount"]) for item in obstacles] == [("operation", money("50.00"))]
    at_stripe.control("close-dispute", id=at_stripe.newest("dispute")["id"], is_won=False)
    await at_stripe.hear()
    obstacles = body_of(await alice.get("/v1/me/closing"), 200)["obstacles"]
    assert [(item["kind"], item["amount"]) for item in obstacles] == [("debt", money("10.00"))]
    body_of(await alice.post("/v1/saved-cards", {}), 201)
    held = body_of(await alice.get("/v1/me/export"), 200)["funding"]
    assert held["customer_id"] == at_stripe.newest("customer")["id"]
    assert [(item["state"], item["frozen_minor"]) for item in held["disputes"]] == [("lost", 40_00)]


async def test_bad_input_moves_nothing(at_stripe: StripeWorld) -> None:
    world = at_stripe.world
    (alice,) = await world.people("alice")
    for amount, code in (
        (money("1.99"), "limit_exceeded"), (money("10000.01"), "limit_exceeded"),
        (money("5.00", "EUR"), "currency_not_offered"),
    ):  # fmt: skip
        assert refusal(await alice.post("/v1/top-ups", {"amount": amount})) == (422, code)
    body_of(await alice.top_up("5.00", key="slow"), 201)
    world.clock.move(hours=1, seconds=1)
    alice = await world.sign_in_again(alice)
    assert refusal(await alice.top_up("5.00", key="slow")) == (422, "checkout_expired")

    event = json.dumps(at_stripe.newest("event") | {"id": "evt_1", "type": "something.new"}).encode()
    now = int(world.clock.now.timestamp())
    for header in (
        "", "t=,v1=", "t=x,v1=00", "v1=00", f"t={now}", f"t={now},v1=00", f"t={now},t={now},v1=00",
        "t=99999999999,v1=00",
        signature(event, secrets=["whsec_other"], at=now), signature(event, secrets=[SECRET], at=now - 301),
        signature(event, secrets=[SECRET], at=now + 301), signature(event + b" ", secrets=[SECRET], at=now),
    ):  # fmt: skip
        answer = await world.http.post("/v1/webhooks/stripe", content=event, headers={"stripe-signature": header})
        assert refusal(answer) == (400, "webhook_invalid"), header
    for payload in (b"{}", b"\xff", b'{"id": 1}'):
        header = signature(payload, secrets=[SECRET], at=now)
        answer = await world.http.post("/v1/webhooks/stripe", content=payload, headers={"stripe-signature": header})
        assert refusal(answer) == (400, "webhook_invalid")
    # While a secret is replaced, either signs; what comes twice is kept once, and what is unknown moves nothing.
    for secrets in ([SECRET], ["whsec_other", SECRET]):
        header = signature(event, secrets=secrets, at=now)
        answer = await world.http.post("/v1/webhooks/stripe", content=event, headers={"stripe-signature": header})
        assert answer.status_code == 204
    await world.app.state.funding.stripe.events.process(b"evt_1", world.clock.now)
    await world.app.state.funding.stripe.events.process(b"evt_1", world.clock.now)

    body_of(await alice.post("/v1/payout-account"), 201)
    account = at_stripe.newest("account")["id"]
    at_stripe.control("onboard", id=account, bank_number="000123456")
    at_stripe.control("close-account", id=account)
    await at_stripe.hear()
    assert body_of(await alice.post("/v1/payout-account"), 201) == {"state": "closed", "go_to_url": ""}
    withdrawal = await alice.post("/v1/withdrawals", {"amount": money("1.00"), "fee_minor": 25})
    assert refusal(withdrawal) == (409, "payout_account_missing")
    assert await alice.balance() == "0.00"
    assert list(at_stripe.standin.store.all("charge")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""}, {"id": "e" * 256}, {"id": "evt_\x00"}, {"type": ""}, {"type": "t" * 256}, {"type": "a\x00b"},
        {"created": -1}, {"created": 10**12}, {"created": 2**63},
        {"data": {"object": {"id": "pi_\x00"}}}, {"data": {"object": {"payment_intent": "p" * 256}}},
    ],
)  # fmt: skip
async def test_what_is_rightly_signed_and_cannot_be_kept_is_refused(
    at_stripe: StripeWorld, changes: dict[str, Any]
) -> None:
    event = {"id": "evt_1", "type": "balance.available", "created": 1_767_225_600, "data": {"object": {}}}
    answers = []
    for said in (event | changes, event):
        payload = json.dumps(said).encode()
        header = signature(payload, secrets=[SECRET], at=int(at_stripe.world.clock.now.timestamp()))
        answers.append(
            await at_stripe.world.http.post(
                "/v1/webhooks/stripe", content=payload, headers={"stripe-signature": header}
            )
        )
    assert refusal(answers[0]) == (400, "webhook_invalid")
    assert answers[1].status_code == 204
    await at_stripe.world.app.state.funding.stripe.events.process(b"evt_1", at_stripe.world.clock.now)


async def test_without_stripe_its_routes_say_so(world: World) -> None:
    (alice,) = await world.people("alice")
    assert body_of(await alice.get("/v1/funding"), 200)["provider"] == "demo"
    assert refusal(await alice.get("/v1/saved-cards")) == (503, "funding_unavailable")
    assert refusal(await world.http.post("/v1/webhooks/stripe", content=b"{}")) == (503, "funding_unavailable")
    assert body_of(await alice.get("/v1/disputes"), 200) == {"disputes": []}


def test_stripe_is_chosen_by_its_key_and_never_half() -> None:
    keys = {"TIKIWALLET_STRIPE_API_KEY": "sk_test_1", "TIKIWALLET_STRIPE_WEBHOOK_SECRETS": "whsec_1, whsec_2"}
    settings = read_settings(keys)
    assert (settings.bank_name, settings.stripe_webhook_secrets) == ("stripe", ("whsec_1", "whsec_2"))
    live = {**keys, "TIKIWALLET_STRIPE_API_KEY": "sk_live_1", "TIKIWALLET_MODE": "production",
            "TIKIWALLET_SMS_SENDER": "file", "TIKIWALLET_PUBLIC_URL": "https://wallet.example"}  # fmt: skip
    assert read_settings(live).bank_name == "stripe"
    for wrong, sentence in (
        ({"TIKIWALLET_BANK": "stripe"}, "Stripe needs TIKIWALLET_STRIPE_API_KEY"),
        ({**live, "TIKIWALLET_STRIPE_API_KEY": "sk_test_1"}, "is a test key"),
        ({**live, "TIKIWALLET_STRIPE_API_URL": "http://127.0.0.1:1"}, "is for a stand-in"),
        ({**live, "TIKIWALLET_PUBLIC_URL": "http://wallet.example"}, "must begin with https"),
        ({**keys, "TIKIWALLET_STRIPE_COUNTRY": "sg"}, "must be two capital letters"),
        ({**keys, "TIKIWALLET_WITHDRAWAL_FEE_BPS": "10000"}, "TIKIWALLET_WITHDRAWAL_FEE_BPS below 10000"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            read_settings(wrong)
