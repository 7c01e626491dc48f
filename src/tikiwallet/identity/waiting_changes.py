"""A new password or phone number that waits for its time: shown to its owner, taken back, or made true when it is due.

Whoever has moved somebody's number to his own SIM card receives every code. So a code alone begins a change and doesn't
finish it: the owner is told on every device that is signed in and by text message, and has a day to say no. What is due
is made true when somebody next signs in by that number or asks what waits; nothing depends on the moment before that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.phones import mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.texts import TextMessages
from tikiwallet.platform.audit import SYSTEM, By
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller

log = structlog.get_logger()


class NothingWaits(Refused):
    """No such change waits any more; see what your account says now."""

    code, kind = "nothing_waits", Kind.MISSING


class WaitingPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A new password that works from `effective_at`; the old one does until then."""

    proven_at: datetime
    effective_at: datetime


class WaitingPhone(msgspec.Struct, frozen=True, kw_only=True):
    """A new phone number that takes the place of the old one at `effective_at`."""

    phone_masked: str
    proven_at: datetime
    effective_at: datetime


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to change about how I sign in, and until when little money leaves my wallet (null: no limit)."""

    password: WaitingPassword | None
    phone: WaitingPhone | None
    outgoing_capped_until: datetime | None


class WaitingChanges:
    """The changes of everybody that are proven and not yet true. `cap` is for how long little leaves afterwards."""

    def __init__(self, db: Database, *, texts: TextMessages, cap: timedelta) -> None:
        self._db = db
        self._texts = texts
        self._cap = cap

    async def of_person(self, caller: Caller, *, now: datetime) -> Protection:
        """Return what waits, after what is due has been made true."""
        await self.settle(phone="", person_id=caller.person_id, now=now)
        row = await self._db.pool.fetchrow(SQL["waiting_changes"], caller.person_id)
        assert row is not None, caller.person_id  # a session belongs to a person, by a foreign key
        capped_until = row["outgoing_capped_until"]
        return Protection(
            password=None if row["password_proven_at"] is None else WaitingPassword(
                proven_at=row["password_proven_at"], effective_at=row["password_effective_at"]
            ),
            phone=None if row["phone_proven_at"] is None else WaitingPhone(
                phone_masked=mask(row["new_phone"]), proven_at=row["phone_proven_at"],
                effective_at=row["phone_effective_at"],
            ),
            outgoing_capped_until=capped_until if capped_until is not None and capped_until > now else None,
        )  # fmt: skip

    async def settle(self, *, phone: str, now: datetime, person_id: UUID | None = None) -> None:
        """Make true what is due for whoever has `phone` (E.164), is about to have it, or is `person_id`."""
        for row in await self._db.pool.fetch(SQL["people_with_due_changes"], phone, person_id, now):
            try:
                await self._settle(row["person_id"], now)
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name != "phone_of_one_person":
                    raise
                # Somebody signed up with the new number meanwhile, and has proven it.
                await self._db.pool.fetch(SQL["end_waiting_phone_change"], row["person_id"], now, "cancelled")
                log.warning("a phone number was taken before its change was due", person_id=str(row["person_id"]))

    async def _settle(self, person_id: UUID, now: datetime) -> None:
        async with self._db.transaction() as tx:
            await tx.execute(SQL["lock_person"], person_id)  # of several at once the first finds something
            password = await tx.fetchrow(SQL["due_password_reset"], person_id, now)
            if password is not None:
                await tx.execute(SQL["set_password"], person_id, password["password_hash"])
                await tx.execute(SQL["end_waiting_password_reset"], person_id, now, "applied")
            phone = await tx.fetchrow(SQL["due_phone_change"], person_id, now)
            if phone is not None:
                await tx.execute(SQL["set_phone"], person_id, phone["new_phone"])
                await tx.execute(SQL["end_waiting_phone_change"], person_id, now, "applied")
            if password is not None or phone is not None:
                await self.close(tx, person_id, now=now)
            if password is not None:
                await AUDIT.record(tx, Act.PASSWORD_CHANGED, by=SYSTEM, about=person_id, now=now)
            if phone is not None:
                await AUDIT.record(tx, Act.PHONE_CHANGED, by=SYSTEM, about=person_id, now=now)

    async def close(self, tx: Connection, person_id: UUID, *, now: datetime, but: UUID | None = None) -> None:
        """End the person's sessions (all but one) and cap what leaves the wallet, in the transaction of the change."""
        await tx.execute(SQL["revoke_sessions_of_person"], person_id, but, now)
        await tx.execute(SQL["cap_outgoing"], person_id, now + self._cap)

    async def cancel_password(self, caller: Caller, *, by: By, now: datetime) -> None:
        """Keep the old password. Refusal: `NothingWaits`, also when the new one is true already."""
        await self._cancel("end_waiting_password_reset", caller, by, now)
        await self._tell(
            caller.person_id, "The new password of your TikiWallet was cancelled; the old one works.", now=now
        )

    async def cancel_phone(self, caller: Caller, *, by: By, now: datetime) -> None:
        """Keep the old phone number. Refusal: `NothingWaits`."""
        (row,) = await self._cancel("end_waiting_phone_change", caller, by, now)
        await self._tell(
            caller.person_id, f"Your TikiWallet stays with this phone, not {mask(row['new_phone'])}.", now=now
        )

    async def _cancel(self, statement: str, caller: Caller, by: By, now: datetime) -> Sequence[asyncpg.Record]:
        await self.settle(phone="", person_id=caller.person_id, now=now)
        async with self._db.transaction() as tx:
            ended: Sequence[asyncpg.Record] = await tx.fetch(SQL[statement], caller.person_id, now, "cancelled")
            if not ended:
                raise NothingWaits
            what = statement.removeprefix("end_waiting_")
            await AUDIT.record(tx, Act.CHANGE_CANCELLED, by=by, about=caller.person_id, now=now, which=what)
        return ended

    async def _tell(self, person_id: UUID, text: str, *, now: datetime) -> None:
        row = await self._db.pool.fetchrow(SQL["password_of_person"], person_id)
        await self._texts.tell(row["phone"], text, now=now)
