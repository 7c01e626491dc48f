"""What an operator changes about a person: the tier and whether the wallet is frozen, each with an audit entry.

A tier decides how much money a person may hold, so that who set it, when and from what must stay readable for ever.
"""

from datetime import datetime

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.directory import People
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.states import change_state, noted
from tikiwallet.identity.types import FreezeReason, Person, PersonState, Tier
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused


class PersonUnknown(Refused):
    """Nobody with a wallet has this username or phone number."""

    code, kind = "person_unknown", Kind.MISSING


class PersonClosed(Refused):
    """This wallet is closed for ever, so there is nothing to freeze."""

    code, kind = "person_closed", Kind.CONFLICT


class Operators:
    """The operators' view of people."""

    def __init__(self, db: Database, *, people: People) -> None:
        self._db = db
        self._people = people

    async def set_tier(self, username_or_phone: str, tier: Tier, *, note: str = "", by: By, now: datetime) -> Person:
        """Give a person a tier; nothing is written if they have it already. Refusal: `PersonUnknown`.

        `note` is what the operator says about it, for the audit log.
        """
        person = await self.find(username_or_phone)
        async with self._db.transaction() as tx:
            before = (await tx.fetchrow(SQL["lock_person"], person.person_id))["tier"]
            if before != tier:
                await tx.execute(SQL["set_person_tier"], person.person_id, tier)
                await AUDIT.record(
                    tx, Act.TIER_CHANGED, by=by, about=person.person_id, now=now, before=before, after=tier.value,
                    **noted(note),
                )  # fmt: skip
        return msgspec.structs.replace(person, tier=tier)

    async def freeze(self, who: str | Person, reason: FreezeReason, *, note: str = "", by: By, now: datetime) -> Person:
        """Let nothing leave a person's wallet any more. Repeatable. Refusals: `PersonUnknown`, `PersonClosed`.

        `who` is somebody who was found before, or a username or phone number.
        The owner is told the `reason`; `note` is what the operator says about it, for the audit log.
        """
        return await self._set_state(who, PersonState.FROZEN, reason, note=note, by=by, now=now)

    async def unfreeze(self, who: str | Person, *, note: str = "", by: By, now: datetime) -> Person:
        """Let a frozen wallet work again: as active, or as closing if its accounts are being closed. Repeatable."""
        return await self._set_state(who, PersonState.ACTIVE, None, note=note, by=by, now=now)

    async def _set_state(
        self,
        who: str | Person,
        after: PersonState,
        reason: FreezeReason | None,
        *,
        note: str,
        by: By,
        now: datetime,
    ) -> Person:
        person = who if isinstance(who, Person) else await self.find(who)
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_person"], person.person_id)
            if row["state"] == PersonState.CLOSED and after is PersonState.FROZEN:
                raise PersonClosed
            if after is PersonState.ACTIVE and row["state"] != PersonState.FROZEN:
                return person  # nothing to let go
            if after is PersonState.ACTIVE and row["accounts_close_at"] is not None:
                after = PersonState.CLOSING
            await change_state(tx, person.person_id, row, after, by=by, now=now, reason=reason, note=note)
        return msgspec.structs.replace(person, state=after, frozen_because=reason or "")

    async def find(self, username_or_phone: str) -> Person:
        """Return the person whom an operator names. Refusal: `PersonUnknown`."""
        if username_or_phone[:1].isalpha():
            person = await self._people.find_in_full(username=username_or_phone)
        else:
            person = await self._people.find_in_full(phone=username_or_phone or "+")
        if person is None:
            raise PersonUnknown
        return person
