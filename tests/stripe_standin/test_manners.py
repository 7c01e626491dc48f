"""How the stand-in behaves as a server: idempotency, lists, webhooks, what it refuses."""

import httpx
import msgspec
import pytest
import stripe

from stripe_standin.client import BASE, SECRET, Stripe
from stripe_standin.description import check_answer, check_request
from tikiwallet.stripe_standin.events import signature
from tikiwallet.stripe_standin.standin import StandIn

PAY = {"amount": 2000, "currency": "sgd", "payment_method": "pm_card_visa", "confirm": True}


@pytest.fixture
def there() -> Stripe:
    return Stripe()


async def test_one_key_is_one_payment_and_one_answer(there: Stripe) -> None:
    create = there.v1.payment_intents.create_async
    first = await create(PAY, {"idempotency_key": "k"})
    again = await create(PAY, {"idempotency_key": "k"})
    assert again.id == first.id
    assert again.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        await create({**PAY, "amount": 2001}, {"idempotency_key": "k"})
    assert len(list(there.books())) == 1
    declined = {**PAY, "payment_method": "pm_card_visa_chargeDeclined"}
    for _ in range(2):  # a "no" of the bank belongs to the key too
        with pytest.raises(stripe.CardError):
            await create(declined, {"idempotency_key": "no"})
    assert len((await there.v1.charges.list_async()).data) == 2
    with pytest.raises(stripe.InvalidRequestError):  # not understood: the key stays unused
        await create({**PAY, "amount": 10}, {"idempotency_key": "fresh"})
    assert (await create(PAY, {"idempotency_key": "fresh"})).status == "succeeded"
    await there.later(hours=24)  # Stripe may forget a key after a day, so the stand-in does
    assert (await create(PAY, {"idempotency_key": "k"})).id != first.id


async def test_what_goes_wrong_is_told_apart_by_its_effect(there: Stripe) -> None:
    async def attempt(kind: str) -> tuple[str, int]:
        before = len(list(there.books()))
        await there.control("faults", [{"method": "POST", "path": "/v1/payment_intents", "kind": kind}])
        said = []
        for _ in range(2):
            try:
                said.append((await there.v1.payment_intents.create_async(PAY, {"idempotency_key": kind})).status)
            except stripe.StripeError as error:
                said.append(type(error).__name__)
            said.append(str(len(list(there.books())) - before))
        return " ".join(said)

    assert await attempt("fail_before") == "APIError 0 succeeded 1"
    assert await attempt("fail_after") == "APIError 1 succeeded 1"
    assert await attempt("fail_for_good") == "APIError 1 APIError 1"
    assert await attempt("lose_before") == "APIConnectionError 0 succeeded 1"
    assert await attempt("lose_after") == "APIConnectionError 1 succeeded 1"
    fault = {
        "kind": "refuse",
        "status": 429,
        "error": {"type": "invalid_request_error", "code": "rate_limit"},
        "skip": 1,
    }
    await there.control("faults", [fault])
    await there.v1.balance.retrieve_async()
    with pytest.raises(stripe.RateLimitError):
        await there.v1.balance.retrieve_async()


async def test_lists_have_pages_and_times(there: Stripe) -> None:
    made = []
    for _hour in range(5):
        made.append((await there.v1.payment_intents.create_async(PAY)).id)
        await there.later(hours=1)
    listing = await there.v1.payment_intents.list_async({"limit": 2})
    assert [each.id for each in listing.data] == [made[4], made[3]]
    assert listing.has_more
    assert [each.id async for each in listing.auto_paging_iter()] == made[::-1]
    back = await there.v1.payment_intents.list_async({"limit": 2, "ending_before": made[1]})
    assert [each.id for each in back.data] == [made[3], made[2]]
    begin = int(there.time.timestamp()) - 5 * 3600
    some = await there.v1.balance_transactions.list_async({"created": {"gte": begin + 3600, "lt": begin + 3 * 3600}})
    assert len(some.data) == 2
    (first,) = (await there.v1.charges.list_async({"created": begin})).data
    assert first.payment_intent == made[0]
    (entry,) = (await there.v1.balance_transactions.list_async({"source": first.id, "type": "charge"})).data
    assert (entry.status, entry.net) == ("pending", 1882)
    balance = await there.v1.balance.retrieve_async()
    assert (balance.available[0].amount, balance.pending[0].amount) == (0, 5 * 1882)
    await there.later(days=2)
    balance = await there.v1.balance.retrieve_async()
    assert (balance.available[0].amount, balance.pending[0].amount) == (5 * 1882, 0)
    with pytest.raises(stripe.InvalidRequestError, match="limit must be"):
        await there.v1.payment_intents.list_async({"limit": 101})


async def test_webhooks_are_signed_held_lost_doubled_reordered_and_tried_again(there: Stripe) -> None:
    await there.v1.payment_intents.create_async(PAY)
    told = await there.deliver()
    assert told == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    await there.control("webhooks", {"copies": 2, "is_held": True})
    await there.v1.payment_intents.create_async(PAY)
    assert await there.deliver() == []
    await there.control("webhooks", {"order": "reversed"})
    doubled = await there.deliver()
    assert (doubled[0], len(doubled), len(set(doubled))) == ("payment_intent.succeeded", 6, 3)
    await there.control("webhooks", {"copies": 0})
    intent = await there.v1.payment_intents.create_async(PAY)
    assert await there.deliver() == []
    lost = await there.v1.events.list_async({"type": "payment_intent.succeeded", "limit": 1})
    assert lost.data[0].data.object["id"] == intent.id
    there.webhook_status = 503
    await there.control("send-again", {"id": lost.data[0].id})
    assert await there.deliver() == ["payment_intent.succeeded"]
    there.webhook_status = 200
    assert await there.deliver() == []
    there.time = there.time.replace(minute=1)
    assert await there.deliver() == ["payment_intent.succeeded"]
    await there.control("webhooks", {"delay_seconds": 60})
    await there.v1.payment_intents.create_async(PAY)
    assert await there.deliver() == []
    there.time = there.time.replace(minute=2)
    assert len(await there.deliver()) == 3


def test_while_a_secret_is_changed_a_webhook_carries_both_signatures() -> None:
    header = signature(b"{}", secrets=["old", "new"], at=1)
    for secret in ("old", "new"):
        assert stripe.WebhookSignature.verify_header("{}", header, secret, None)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header("{ }", header, "new", None)


async def test_what_is_not_understood_is_refused(there: Stripe) -> None:
    there.transport.is_checked = False
    for path, params, code in (
        ("/v1/payment_intents", {"amount": 2000, "currency": "sgd", "colour": "red"}, "parameter_unknown"),
        ("/v1/payment_intents", {"currency": "sgd"}, "parameter_missing"),
        ("/v1/payment_intents", {"amount": "12.5", "currency": "sgd"}, "parameter_invalid_integer"),
        ("/v1/payment_intents", {"amount": 0, "currency": "sgd"}, "parameter_invalid_integer"),
        ("/v1/payment_intents", {"amount": 49, "currency": "sgd"}, "amount_too_small"),
        ("/v1/payment_intents", {"amount": 10**8, "currency": "sgd"}, "amount_too_large"),
        ("/v1/payment_intents/pi_nobody", {}, "resource_missing"),
        ("/v1/refunds", {"amount": 5}, "parameter_missing"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await there.sdk.raw_request_async("post", path, **params)
        assert refused.value.code == code, path
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await there.sdk.raw_request_async("get", "/v1/nothing")
    with pytest.raises(stripe.AuthenticationError):
        await there.v1.balance.retrieve_async(options={"api_key": "sk_test_other"})
    with pytest.raises(stripe.InvalidRequestError, match="speaks"):
        await there.v1.balance.retrieve_async(options={"stripe_version": "2020-08-27"})
    async with httpx.AsyncClient(transport=there.transport, base_url="http://evil.example") as browser:
        assert (await browser.get("/_control")).status_code == 403
    assert (await there.browse("GET", "/pay/cs_nobody")).status_code == 404


async def test_what_a_file_keeps_is_everything(there: Stripe) -> None:
    first = await there.v1.payment_intents.create_async(PAY, {"idempotency_key": "k"})
    there.standin.store.state = there.restarted()
    assert (await there.v1.payment_intents.create_async(PAY, {"idempotency_key": "k"})).id == first.id
    assert len(await there.deliver()) == 3
    assert isinstance(there.standin, StandIn)
    assert SECRET in there.standin.secrets
    assert there.standin.store.base_url == BASE


@pytest.mark.parametrize(
    ("parameters", "field", "value"),
    [
        ("amonut=1", "status", "done"),
        ("amount=a", "amount", "1"),
        ("currency[x]=sgd", "id", None),
        ("", "created", None),
    ],
)
async def test_what_stripe_does_not_describe_is_noticed(
    there: Stripe, parameters: str, field: str, value: str | None
) -> None:
    answer = msgspec.to_builtins((await there.v1.payment_intents.create_async(PAY)).to_dict())
    path = "/v1/payment_intents"
    with pytest.raises(pytest.fail.Exception):
        check_request("POST", path, parameters or "metadata=1x&amount=true")
    with pytest.raises(pytest.fail.Exception):
        check_answer("POST", path, 200, msgspec.json.encode(answer | {field: value}))
    check_answer("POST", path, 200, msgspec.json.encode(answer))
