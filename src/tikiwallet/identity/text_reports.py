"""What became of each text message: the provider's own words, told later and perhaps twice, in any order.

Without it an operator can't tell "the code never came" from "the code was never typed". Neither the text nor the number
is kept here.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused

KEPT: Final = timedelta(days=30)
FORGOTTEN_AT_ONCE_MAX: Final = 20  # with every message: more than come, so that they never pile up

log = structlog.get_logger()


class TextMessageUnknown(Refused):
    """No text message of ours has this name."""

    code, kind = "text_message_unknown", Kind.MISSING


class TextState(StrEnum):
    """How far a message came. It goes forward only, and the last three are for ever."""

    UNKNOWN = "unknown"  # asked for, and no answer yet
    ACCEPTED = "accepted"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"


class TextReports:
    """The states of all messages (the rule `text_message_never_goes_back` holds them too)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(self, message_id: UUID, *, now: datetime) -> None:
        """Write down that a message is about to be sent, so that a report that is faster than the answer finds it."""
        await self._db.pool.execute(SQL["insert_text_message"], message_id, now)
        await self._db.pool.execute(SQL["forget_old_text_messages"], now - KEPT, FORGOTTEN_AT_ONCE_MAX)

    async def move(
        self, message_id: UUID, state: TextState, *, provider_id: str | None, error_code: int | None, now: datetime
    ) -> None:
        """Move a message forward; what is older than what is known, or about another message, changes nothing.

        Refusal: `TextMessageUnknown`.
        """
        moved = await self._db.pool.fetchval(SQL["move_text_message"], message_id, state, provider_id, error_code, now)
        if moved is None:
            if not await self._db.pool.fetchval(SQL["text_message_is_known"], message_id):
                raise TextMessageUnknown
        elif state in {TextState.UNDELIVERED, TextState.FAILED}:
            log.warning("a text message wasn't delivered", message_id=str(message_id), state=state, code=error_code)
