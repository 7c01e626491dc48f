"""Text messages by Twilio: one POST, and what to do when nobody knows whether it worked.

Spoken to by its REST API (its library for Python is synchronous at heart and brings an HTTP client of its own, for the
two calls that we make). Twilio takes no idempotency key: asked twice, it sends two messages. So where an answer is lost
we look the message up among those it has, and ask again only if it isn't there. Reports of delivery are believed only
with Twilio's signature: base64(HMAC-SHA1(auth token, URL + each name and value of the form, sorted by name)).
"""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

import msgspec
import structlog

from tikiwallet.identity.sms import SmsUnavailable
from tikiwallet.identity.text_reports import TextReports, TextState
from tikiwallet.platform.config import Settings

if TYPE_CHECKING:
    import httpx  # loaded where a message is sent: it takes a quarter of a second, which most wallets never need

TIMEOUT_SECONDS: Final = 5
TRIES_MAX: Final = 2
RETRY_AFTER_SECONDS: Final = 30
LOOKED_AT_MAX: Final = 20  # newest messages to one number
CLOCK_DIFFERENCE_MAX: Final = timedelta(minutes=2)  # between Twilio's clock and ours
STATUS_PATH: Final = "/v1/text-messages/{message_id}/status"

STATES: Final[Mapping[str, TextState]] = {
    "accepted": TextState.ACCEPTED,
    "scheduled": TextState.ACCEPTED,
    "queued": TextState.ACCEPTED,
    "sending": TextState.SENDING,
    "sent": TextState.SENT,
    "delivered": TextState.DELIVERED,
    "partially_delivered": TextState.DELIVERED,
    "read": TextState.DELIVERED,
    "undelivered": TextState.UNDELIVERED,
    "failed": TextState.FAILED,
    "canceled": TextState.FAILED,
}

log = structlog.get_logger()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What we read of a message of theirs."""

    sid: str
    status: str
    body: str | None = None
    date_created: str | None = None
    error_code: int | None = None


class MessageList(msgspec.Struct, frozen=True, kw_only=True):
    """What they have."""

    messages: list[Message]


class TheirError(msgspec.Struct, frozen=True, kw_only=True):
    """Why they said no."""

    code: int | None = None


class OutcomeUnknown(Exception):
    """The request may or may not have been carried out."""


class TwilioSms:
    """Sends by Twilio (`sms.SmsSender`)."""

    def __init__(
        self,
        settings: Settings,
        reports: TextReports,
        *,
        make_id: Callable[[], UUID] = uuid4,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._settings = settings
        self._reports = reports
        self._make_id = make_id
        self._timeout_seconds = timeout_seconds
        self._url = f"{settings.twilio_api_url}/2010-04-01/Accounts/{settings.twilio_account_sid}/Messages.json"
        self._tls = ssl.create_default_context()

    async def send(self, *, phone: str, text: str, now: datetime) -> None:
        """Have the message taken for delivery, once. Raises `SmsUnavailable` if it wasn't, or nobody knows."""
        import httpx

        message_id = self._make_id()
        await self._reports.begin(message_id, now=now)
        async with httpx.AsyncClient(
            auth=(self._settings.twilio_account_sid, self._settings.twilio_auth_token),
            timeout=self._timeout_seconds,
            verify=self._tls,
            trust_env=False,
        ) as client:
            taken = await self._send_once(client, self._form(message_id, phone=phone, text=text), now=now)
        if taken is None:
            await self._reports.move(message_id, TextState.FAILED, provider_id=None, error_code=None, now=now)
            raise SmsUnavailable(retry_after_seconds=RETRY_AFTER_SECONDS)
        state = STATES.get(taken.status, TextState.ACCEPTED)
        await self._reports.move(message_id, state, provider_id=taken.sid, error_code=taken.error_code, now=now)

    def _form(self, message_id: UUID, *, phone: str, text: str) -> dict[str, str]:
        sender = self._settings.twilio_sender
        form = {"To": phone, "Body": text, "MessagingServiceSid" if sender.startswith("MG") else "From": sender}
        if self._settings.twilio_callback_url:
            form["StatusCallback"] = self._settings.twilio_callback_url + STATUS_PATH.format(message_id=message_id)
        return form

    async def _send_once(self, client: "httpx.AsyncClient", form: dict[str, str], *, now: datetime) -> Message | None:
        """Return the message that Twilio took; None if it said no. Raises `SmsUnavailable` if nobody knows."""
        for _ in range(TRIES_MAX):
            try:
                return await self._post(client, form)
            except OutcomeUnknown as error:
                log.warning("the provider of text messages didn't answer", error=repr(error.__cause__ or error))
            found = await self._look_up(client, form, now=now)
            if found is not None:
                return found
        raise SmsUnavailable(retry_after_seconds=RETRY_AFTER_SECONDS)

    async def _post(self, client: "httpx.AsyncClient", form: dict[str, str]) -> Message | None:
        import httpx

        try:
            async with asyncio.timeout(self._timeout_seconds):  # httpx counts each read; this is for all of them
                answer = await client.post(self._url, data=form)
        except (httpx.TransportError, TimeoutError) as error:
            raise OutcomeUnknown from error
        if answer.status_code >= 500:
            raise OutcomeUnknown(answer.status_code)
        if answer.status_code != httpx.codes.CREATED:
            log.error(
                "the provider of text messages refused one", status=answer.status_code, code=_error_code(answer.content)
            )
            return None
        try:
            return msgspec.json.decode(answer.content, type=Message)
        except msgspec.DecodeError as error:
            raise OutcomeUnknown from error

    async def _look_up(self, client: "httpx.AsyncClient", form: dict[str, str], *, now: datetime) -> Message | None:
        """Return the message if Twilio has it after all. Raises `SmsUnavailable` if it doesn't say."""
        import httpx

        query = {"To": form["To"], "PageSize": str(LOOKED_AT_MAX)}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = (await client.get(self._url, params=query)).raise_for_status()
            there = msgspec.json.decode(answer.content, type=MessageList).messages
        except (httpx.HTTPError, TimeoutError, msgspec.DecodeError) as error:
            # Asking blindly again could send a second message with the same code; the person can ask for another one.
            raise SmsUnavailable(retry_after_seconds=RETRY_AFTER_SECONDS) from error
        return next((message for message in there if _is(message, form["Body"], since=now)), None)

    def signed(self, path: str, form: Mapping[str, str], signature: str) -> bool:
        """Return whether Twilio sent this form to `path` of ours."""
        said = self._settings.twilio_callback_url + path + "".join(name + form[name] for name in sorted(form))
        made = hmac.digest(self._settings.twilio_auth_token.encode(), said.encode(), hashlib.sha1)
        return hmac.compare_digest(base64.b64encode(made), signature.encode())


def _is(message: Message, text: str, *, since: datetime) -> bool:
    if message.body != text or message.date_created is None:
        return False
    return parsedate_to_datetime(message.date_created) >= since - CLOCK_DIFFERENCE_MAX


def _error_code(content: bytes) -> int | None:
    try:
        return msgspec.json.decode(content, type=TheirError).code
    except msgspec.DecodeError:
        return None
