"""Another phone number for a wallet: proven on both phones at once, or on the new one and then a day of waiting.

The number is the name by which people pay and half of what signs in. Whoever takes over a session must not take the
wallet along to a number of his own: so a fresh proof is needed to begin, the old phone hears of it at once, and without
a code from the old phone there is a day to say no. Nobody learns by asking whether a number has a wallet.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.codes import LIFETIME, CodeRequest, OneTimeCodes
from tikiwallet.identity.phones import PhoneRules, mask
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.registration import PhoneTaken
from tikiwallet.identity.texts import TextMessages
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import GuardedAct, PersonId, StepUp
from tikiwallet.identity.waiting_changes import WaitingChanges
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller

CHANGE_LIFETIME: Final = timedelta(hours=1)  # to type the codes
FORGOTTEN_AFTER: Final = timedelta(days=30)
FORGOTTEN_AT_ONCE_MAX: Final = 20
OLD, NEW = "old_phone", "new_phone"


class PhoneUnchanged(Refused):
    """This is the phone number that you have already."""

    code, kind = "phone_unchanged", Kind.UNPROCESSABLE


class PhoneChangeUnknown(Refused):
    """This change of the phone number has ended, or there never was one; start again from the beginning."""

    code, kind = "phone_change_unknown", Kind.MISSING


class PhoneChangeStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits for the code on the new phone, and the one on the old phone if that is at hand."""

    change_id: UUID
    code_expires_at: datetime


class PhoneChangeProven(msgspec.Struct, frozen=True, kw_only=True):
    """The new number is yours from `effective_at`: at once with both codes. Until then it can be cancelled."""

    effective_at: datetime


class NewPhoneChange(NamedTuple):
    """What the edge makes for a change: an id and two codes."""

    change_id: UUID
    old_code: str
    new_code: str


class PhoneChanges:
    """Changes of phone numbers. `wait` is the time between the code and the new number without the old phone."""

    def __init__(
        self,
        db: Database,
        *,
        codes: OneTimeCodes,
        phones: PhoneRules,
        texts: TextMessages,
        throttling: Throttling,
        step_up: StepUp,
        waiting: WaitingChanges,
        wait: timedelta,
    ) -> None:
        self._db = db
        self._codes = codes
        self._phones = phones
        self._texts = texts
        self._throttling = throttling
        self._step_up = step_up
        self._waiting = waiting
        self._wait = wait

    async def begin(self, new: NewPhoneChange, caller: Caller, *, phone: str, now: datetime) -> PhoneChangeStarted:
        """Send a code to each of the two phones.

        Refusals: `StepUpRequired`, `PhoneInvalid`, `PhoneCountryRefused`, `PhoneUnchanged`, `TooManyRequests`,
        `SmsPaused`, `SmsUnavailable`.
        """
        await self._step_up.require(caller, GuardedAct.PHONE_CHANGE, now=now)
        number = self._phones.for_sign_up(phone)
        old_number = await self._phone_of(caller)
        if number == old_number:
            raise PhoneUnchanged(field="phone")
        await self._throttling.phone_change(PersonId(caller.person_id), now=now)
        tickets = [await self._texts.admit(each, now=now) for each in (number, old_number)]
        code_expires_at = now + LIFETIME
        async with self._db.transaction() as tx:
            await tx.execute(
                SQL["insert_phone_change"], new.change_id, caller.person_id, number, now, now + CHANGE_LIFETIME
            )
            for purpose, code in ((NEW, new.new_code), (OLD, new.old_code)):
                request = CodeRequest(purpose, new.change_id)
                await self._codes.insert(tx, request, code=code, expires_at=code_expires_at)
            await tx.execute(SQL["forget_old_phone_changes"], now - FORGOTTEN_AFTER, FORGOTTEN_AT_ONCE_MAX)
        is_taken = await self._db.pool.fetchrow(SQL["person_by_phone"], number) is not None
        await self._texts.send(tickets[0], _text_to_new(new.new_code, is_taken=is_taken), now=now)
        await self._texts.send(tickets[1], _text_to_old(new.old_code, new_phone=number), now=now)
        return PhoneChangeStarted(change_id=new.change_id, code_expires_at=code_expires_at)

    async def prove(
        self, change_id: UUID, caller: Caller, *, new_code: str, old_code: str, by: By, now: datetime
    ) -> PhoneChangeProven:
        """Change the number at once with both codes; with the new one alone ("") let it wait.

        At once also ends every other session and caps what leaves the wallet. Refusals: `PhoneChangeUnknown`,
        `CodeWrong`, `CodeExpired`, `CodeUsed`, `CodeAttemptsUsedUp`, `PhoneTaken`.
        """
        row = await self._db.pool.fetchrow(SQL["phone_change_by_id"], change_id, caller.person_id, now)
        if row is None:
            raise PhoneChangeUnknown
        codes = {NEW: new_code} | ({OLD: old_code} if old_code else {})
        for purpose, code in codes.items():
            await self._codes.check(CodeRequest(purpose, change_id), code, now=now)
        effective_at = now if old_code else now + self._wait
        old_number = await self._phone_of(caller)
        try:
            async with self._db.transaction() as tx:
                await tx.execute(SQL["lock_person"], caller.person_id)
                for purpose, code in codes.items():
                    await self._codes.consume(tx, CodeRequest(purpose, change_id), code, now=now)
                await tx.execute(SQL["end_waiting_phone_change"], caller.person_id, now, "replaced")
                await tx.execute(SQL["prove_phone_change"], change_id, now, now if old_code else None, effective_at)
                if old_code:
                    await tx.execute(SQL["set_phone"], caller.person_id, row["new_phone"])
                    await tx.execute(SQL["end_waiting_phone_change"], caller.person_id, now, "applied")
                    await self._waiting.close(tx, caller.person_id, now=now, but=caller.session_id)
                act = Act.PHONE_CHANGED if old_code else Act.PHONE_CHANGE_PROVEN
                await AUDIT.record(
                    tx, act, by=by, about=caller.person_id, now=now, since=effective_at.isoformat(),
                    phone=mask(row["new_phone"]),
                )  # fmt: skip
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "phone_of_one_person":
                raise
            raise PhoneTaken(field="phone") from error
        await self._tell(old_number, row["new_phone"], effective_at, is_now=bool(old_code), now=now)
        return PhoneChangeProven(effective_at=effective_at)

    async def _phone_of(self, caller: Caller) -> str:
        phone: str = (await self._db.pool.fetchrow(SQL["password_of_person"], caller.person_id))["phone"]
        return phone

    async def _tell(
        self, old_number: str, new_number: str, effective_at: datetime, *, is_now: bool, now: datetime
    ) -> None:
        if is_now:
            text = f"Your TikiWallet has moved to {mask(new_number)}. If it wasn't you, tell the operator."
        else:
            text = (
                f"Your TikiWallet moves to {mask(new_number)} on {effective_at:%d.%m. %H:%M} UTC. If it wasn't you, "
                "cancel it in Settings and change your password."
            )
        await self._texts.tell(old_number, text.replace("••••", "..."), now=now)


def _text_to_new(code: str, *, is_taken: bool) -> str:
    if is_taken:
        return (
            "Somebody tried to move a TikiWallet to your phone number, which has one already. There is nothing to do."
        )
    minutes = LIFETIME.seconds // 60
    return f"{code} is your TikiWallet code for this new phone number, for the next {minutes} minutes."


def _text_to_old(code: str, *, new_phone: str) -> str:
    masked = mask(new_phone).replace("••••", "...")
    return (
        f"{code} lets your TikiWallet move to {masked} at once. If it wasn't you who asked, tell it to nobody and "
        "change your password."
    )
