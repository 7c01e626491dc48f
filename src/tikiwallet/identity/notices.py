"""What a person should know about who is signed in: told on the other devices, and by text message.

A notice never goes to the session that it speaks of: a thief would put it away. (One who signs in twice still can, for
each session may put away what is said of the other; the text message he can't take back.) A text message that can't be
sent keeps nobody from signing in, since the notice itself is written down; and one phone number gets few of them in a
day, so that somebody who knows a password can't flood its owner.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tikiwallet.identity.queries import SQL
from tikiwallet.identity.texts import TextMessages
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import Person, PersonId
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller
from tikiwallet.platform.ids import derive_uuid
from tikiwallet.platform.throttle import TooManyRequests

SHOWN_FOR: Final = timedelta(days=30)
SHOWN_MAX: Final = 20

log = structlog.get_logger()


class NoticeKind(StrEnum):
    """What happened."""

    NEW_DEVICE = "new_device"  # somebody signed in on a device that wasn't seen before
    SESSION_COPIED = "session_copied"  # a refresh token was used twice, so that the session was ended


# Plain letters only: one other character would make it two messages.
TEXTS: Final = {
    NoticeKind.NEW_DEVICE: (
        "TikiWallet: somebody signed in with your password on a new device{label}. Not you? End it in Settings, "
        "Sessions, and change your password."
    ),
    NoticeKind.SESSION_COPIED: (
        "TikiWallet: a sign-in of yours{label} was used in two places, so we ended it. Sign in again, and change your "
        "password."
    ),
}


class NoticeUnknown(Refused):
    """You have no such notice; see the list of your notices."""

    code, kind = "notice_unknown", Kind.MISSING


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something about who is signed in. `label` is the device in short, "" if it isn't known."""

    notice_id: UUID
    kind: str
    session_id: UUID
    label: str
    noticed_at: datetime


class Notices:
    """The notices of everybody."""

    def __init__(self, db: Database, *, texts: TextMessages, throttling: Throttling) -> None:
        self._db = db
        self._texts = texts
        self._throttling = throttling

    async def note(
        self, tx: Connection, person_id: PersonId, kind: NoticeKind, *, session_id: UUID, label: str, now: datetime
    ) -> None:
        """Write down what happened to a session; `text` tells it once the transaction is committed. Once a kind."""
        notice_id = derive_uuid(session_id, kind)
        await tx.execute(SQL["insert_notice"], notice_id, person_id, kind, session_id, label, now)

    async def text(self, person: Person, kind: NoticeKind, *, label: str, now: datetime) -> None:
        """Tell it to the person's phone number, as far as that can be done."""
        try:
            await self._throttling.notice(person.phone, now=now)
        except TooManyRequests as refused:
            log.warning("a notice went by no text message", kind=kind, reason=refused.code)
            return
        told = f" ({label.replace(' · ', ', ')})" if label else ""
        await self._texts.tell(person.phone, TEXTS[kind].format(label=told), now=now)

    async def of_person(self, person_id: UUID, *, session_id: UUID, now: datetime) -> list[Notice]:
        """Return what this session should know and nobody has put away, newest first, at most `SHOWN_MAX`."""
        rows = await self._db.pool.fetch(SQL["notices_of_person"], person_id, session_id, now - SHOWN_FOR, SHOWN_MAX)
        return [msgspec.convert(dict(row), Notice) for row in rows]

    async def dismiss(self, notice_id: UUID, caller: Caller, *, now: datetime) -> None:
        """Put a notice away, on every device. Safe to repeat. Refusal: `NoticeUnknown`, also for one about oneself."""
        if await self._db.pool.fetchval(SQL["dismiss_notice"], notice_id, caller.person_id, caller.session_id, now):
            return
        raise NoticeUnknown
