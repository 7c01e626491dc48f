"""Text messages by Twilio: taken once whatever happens to the answer, and reported on by Twilio alone."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
import pytest
from twilio_stand_in import (
    ACCOUNT,
    FORM,
    NO_SUCH_NUMBER,
    SENDER,
    TOKEN,
    Breach,
    Description,
    TwilioStandIn,
    signature,
)

from tikiwallet.identity.twilio_sms import TwilioSms
from tikiwallet.platform.config import ConfigError, read_settings
from world import PASSWORD, World, body_of, open_world, refusal

PHONE = "+6591231001"
OURS = "https://wallet.test"
TWILIO = {
    "sms_sender": "twilio", "twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, "twilio_sender": SENDER,
    "twilio_callback_url": OURS,
}  # fmt: skip
ORDER = {"phone": PHONE, "username": "asha", "password": PASSWORD}


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn().running() as stand_in:
        yield stand_in
    assert stand_in.breaches == []


@pytest.fixture
async def wallet(twilio: TwilioStandIn, database_url: str, data_dir: Path) -> AsyncIterator[World]:
    async with open_world(database_url, data_dir, **TWILIO, twilio_api_url=twilio.url) as world:
        sender: Any = world.identity.texts._sender
        assert isinstance(sender, TwilioSms)
        sender._timeout_seconds = 0.5  # of an answer that never comes
        yield world


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def states(rows: asyncpg.Connection) -> list[tuple[str, int | None]]:
    found = await rows.fetch("SELECT state, error_code FROM identity.text_message ORDER BY created_at, provider_id")
    return [tuple(row) for row in found]


async def test_a_code_goes_by_twilio(wallet: World, twilio: TwilioStandIn, rows: asyncpg.Connection) -> None:
    started = body_of(await wallet.http.post("/v1/registrations", json=ORDER), 202)
    (message,) = twilio.messages
    assert (message["to"], message["from"]) == (PHONE, SENDER)
    verification = f"/v1/registrations/{started['registration_id']}/verification"
    assert (await wallet.http.post(verification, json={"code": message["body"][:6]})).status_code == 201
    assert await states(rows) == [("accepted", None)]
    kept = await rows.fetchval("SELECT string_agg(t::text, '') FROM identity.text_message AS t")
    assert message["sid"] in kept
    assert PHONE[1:] not in kept
    assert message["body"][:6] not in kept


@pytest.mark.parametrize("faults", [["fail"], ["fail_after"], ["no_answer_after"], ["unreadable_after"]])
async def test_a_lost_answer_makes_one_message(
    wallet: World, twilio: TwilioStandIn, faults: list[str], rows: asyncpg.Connection
) -> None:
    twilio.faults = faults
    assert (await wallet.http.post("/v1/registrations", json=ORDER)).status_code == 202
    assert len(twilio.messages) == 1
    assert await states(rows) == [("accepted", None)]


async def test_an_older_message_with_the_same_words_is_not_taken_for_this_one(
    wallet: World, twilio: TwilioStandIn
) -> None:
    sender: Any = wallet.identity.texts._sender
    await sender.send(phone=PHONE, text="the same words", now=wallet.clock.now)
    twilio.messages[0]["date_created"] = "Fri, 02 Jan 2026 00:00:00 GMT"
    twilio.faults = ["fail"]
    await sender.send(phone=PHONE, text="the same words", now=wallet.clock.now)
    assert len(twilio.messages) == 2


async def test_what_cannot_be_sent_is_said(wallet: World, twilio: TwilioStandIn, rows: asyncpg.Connection) -> None:
    answer = await wallet.http.post("/v1/registrations", json={**ORDER, "phone": NO_SUCH_NUMBER})
    assert refusal(answer) == (503, "sms_unavailable")
    assert await states(rows) == [("failed", None)]
    twilio.faults = ["fail", "fail"]
    answer = await wallet.http.post("/v1/registrations", json=ORDER)
    assert (refusal(answer), answer.headers["retry-after"]) == ((503, "sms_unavailable"), "30")
    # It may have it and doesn't say: no second message on the chance.
    twilio.faults, twilio.lists_work = ["fail_after"], False
    assert refusal(await wallet.http.post("/v1/registrations", json=ORDER)) == (503, "sms_unavailable")
    assert len(twilio.messages) == 1
    twilio.lists_work = True
    assert (await wallet.http.post("/v1/registrations", json=ORDER)).status_code == 202


async def test_reports_move_a_message_forward_in_any_order_and_twice(
    wallet: World, twilio: TwilioStandIn, rows: asyncpg.Connection
) -> None:
    body_of(await wallet.http.post("/v1/registrations", json=ORDER), 202)

    async def report(status: str, code: str = "") -> int:
        url, form, headers = twilio.report(0, status, code)
        path = url.removeprefix(OURS)
        return (
            await wallet.http.post(path, content=urlencode(form), headers={**headers, "content-type": FORM})
        ).status_code

    assert [await report(status) for status in ("sent", "sending", "sent", "queued")] == [204] * 4
    assert await states(rows) == [("sent", None)]
    assert await report("a word of tomorrow") == 204
    assert [await report("undelivered", "30003"), await report("delivered"), await report("undelivered", "1")] == [
        204
    ] * 3
    assert await states(rows) == [("undelivered", 30003)]


async def test_only_twilio_reports(wallet: World, twilio: TwilioStandIn, rows: asyncpg.Connection) -> None:
    body_of(await wallet.http.post("/v1/registrations", json=ORDER), 202)
    url, form, headers = twilio.report(0, "delivered")
    path = url.removeprefix(OURS)

    async def report(form: dict[str, str], headers: dict[str, Any], path: str = path) -> tuple[int, str]:
        sent: dict[str, Any] = {**headers, "content-type": FORM}
        return refusal(await wallet.http.post(path, content=urlencode(form), headers=sent))

    refused = (403, "report_refused")
    assert await report(form, {}) == refused
    assert await report({**form, "MessageStatus": "failed"}, headers) == refused
    assert await report(form, {"x-twilio-signature": signature(url, form, token="0" * 32)}) == refused
    assert await report(form, headers, path=f"/v1/text-messages/{uuid4()}/status") == refused
    assert await report({}, {"x-twilio-signature": b"\xe9"}) == refused
    other = f"{OURS}/v1/text-messages/{uuid4()}/status"
    signed = {"x-twilio-signature": signature(other, form)}
    assert await report(form, signed, path=other.removeprefix(OURS)) == (404, "text_message_unknown")
    too_long = await wallet.http.post(path, content="a=" + "b" * 20_000, headers={"content-type": FORM})
    assert refusal(too_long) == (413, "body_too_large")
    for broken in ("a=1&a=2", "nonsense", "&".join(f"f{n}=1" for n in range(65)), b"\xff=1"):
        answer = await wallet.http.post(path, content=broken, headers={"content-type": FORM})
        assert refusal(answer) == (400, "request_invalid"), broken
    assert await states(rows) == [("accepted", None)]


async def test_without_twilio_nobody_reports(world: World) -> None:
    path = f"/v1/text-messages/{uuid4()}/status"
    headers = {"content-type": FORM, "x-twilio-signature": signature(path, {}, token="")}
    assert refusal(await world.http.post(path, headers=headers)) == (403, "report_refused")


def test_the_stand_in_refuses_what_the_description_does_not_know() -> None:
    published = Description()
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    published.check_request("POST", path, query={}, form={"To": PHONE, "Body": "x"})
    for form in ({"Body": "x"}, {"To": PHONE, "Text": "x"}, {"To": PHONE, "MessagingServiceSid": "MG1"}):
        with pytest.raises(Breach):
            published.check_request("POST", path, query={}, form=form)
    with pytest.raises(Breach):
        published.check_request("POST", path.replace(ACCOUNT, "AC1"), query={}, form={"To": PHONE})
    with pytest.raises(Breach):
        published.check_request("GET", path, query={"Recipient": PHONE}, form={})


@pytest.mark.parametrize(
    ("change", "at_fault"),
    [
        ({"ACCOUNT_SID": "AC1"}, "ACCOUNT_SID"), ({"AUTH_TOKEN": "secret"}, "AUTH_TOKEN"), ({"SENDER": ""}, "SENDER"),
        ({"CALLBACK_URL": "http://wallet.example"}, "CALLBACK_URL"), ({"CALLBACK_URL": OURS + "/x"}, "CALLBACK_URL"),
        ({"API_URL": ""}, "API_URL"), ({"API_URL": "http://api.twilio.com"}, "API_URL"),
    ],
)  # fmt: skip
def test_settings_that_could_not_send_stop_the_start(change: dict[str, str], at_fault: str) -> None:
    right = {"ACCOUNT_SID": ACCOUNT, "AUTH_TOKEN": TOKEN, "SENDER": SENDER, "CALLBACK_URL": OURS}
    given = {"TIKIWALLET_SMS_SENDER": "twilio", "TIKIWALLET_MODE": "production"}
    assert read_settings(given | {f"TIKIWALLET_TWILIO_{name}": right[name] for name in right}).sms_sender == "twilio"
    with pytest.raises(ConfigError, match=f"TIKIWALLET_TWILIO_{at_fault} ") as refused:
        read_settings(given | {f"TIKIWALLET_TWILIO_{name}": text for name, text in (right | change).items()})
    assert "secret" not in str(refused.value)
