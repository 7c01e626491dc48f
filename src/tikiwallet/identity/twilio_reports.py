"""Reports of Twilio about its messages. Nothing in one is believed, or looked up, before its signature is right."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tikiwallet.identity.text_reports import TextReports
from tikiwallet.identity.twilio_sms import STATES, TwilioSms
from tikiwallet.platform.errors import Kind, Refused

FORM_BYTES_MAX: Final = 16_384
FORM_FIELDS_MAX: Final = 64


class ReportRefused(Refused):
    """Reports about text messages are taken from their provider only, with its signature."""

    code, kind = "report_refused", Kind.FORBIDDEN


class TwilioReports:
    """`sender` is None where text messages go another way: then nobody may report."""

    def __init__(self, reports: TextReports, *, sender: TwilioSms | None) -> None:
        self._reports = reports
        self._sender = sender

    async def take(
        self, message_id: UUID, form: Mapping[str, str], *, path: str, signature: str, now: datetime
    ) -> None:
        """Take one report. Refusals: `ReportRefused`, `TextMessageUnknown`."""
        if self._sender is None or not self._sender.signed(path, form, signature):
            raise ReportRefused
        state = STATES.get(form.get("MessageStatus", ""))
        if state is None:  # of messages that come in, or a word that they add one day
            return
        code = form.get("ErrorCode", "")
        await self._reports.move(
            message_id,
            state,
            provider_id=form.get("MessageSid") or None,
            error_code=int(code) if code.isascii() and code.isdecimal() and len(code) < 10 else None,
            now=now,
        )
