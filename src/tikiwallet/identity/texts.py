"""The one way to send a text message: counted before it is sent, whatever it is for.

A message costs money and reaches a stranger. Whoever may send one has a ticket for that number, and only `admit`, which
counts, gives tickets; so no use case that is added later can forget the limits.
"""

from datetime import datetime
from typing import NamedTuple

import structlog

from tikiwallet.identity.phones import mask
from tikiwallet.identity.sms import SmsSender
from tikiwallet.identity.sms_budget import SmsBudget
from tikiwallet.identity.throttling import Throttling
from tikiwallet.platform.errors import Refused

log = structlog.get_logger()


class Ticket(NamedTuple):
    """One message may go to this number (E.164). Made by `TextMessages.admit` only."""

    phone: str


class TextMessages:
    """Text messages to people, within limits for each number, its neighbours, its country, and all together."""

    def __init__(self, *, sender: SmsSender, throttling: Throttling, budget: SmsBudget) -> None:
        self._sender = sender
        self._throttling = throttling
        self._budget = budget

    async def admit(self, phone: str, *, now: datetime) -> Ticket:
        """Count a message to `phone` (E.164). Refusals: `TooManyRequests`, `SmsPaused`."""
        await self._throttling.text(phone, now=now)
        await self._budget.take(now=now)
        return Ticket(phone)

    async def send(self, ticket: Ticket, text: str, *, now: datetime) -> None:
        """Send the message that was admitted. Refusal: `SmsUnavailable`."""
        await self._sender.send(phone=ticket.phone, text=text, now=now)

    async def tell(self, phone: str, text: str, *, now: datetime) -> None:
        """Tell somebody what has happened already: where it can't be sent, that is logged and nothing is undone."""
        try:
            await self.send(await self.admit(phone, now=now), text, now=now)
        except Refused as refused:
            # nosemgrep: a-log-line-names-no-secret (the code of a refusal)
            log.warning("a notice by text message wasn't sent", phone=mask(phone), why=refused.code)
