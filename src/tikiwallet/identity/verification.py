"""Finding out who somebody is: one port, and the adapter that needs no provider, a person who looks at a document.

What was seen is recorded and never a copy of it, nor its number: a copy is what thieves of identities want, and the
operator needs no more than to show that somebody looked, at what, and when. A provider becomes one more class here.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Protocol

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.operators import Operators
from tikiwallet.identity.phones import COUNTRIES
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import Person, Tier
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused


class DocumentKind(StrEnum):
    """What somebody can show."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    DRIVING_LICENCE = "driving_licence"
    BUSINESS_REGISTER = "business_register"  # an extract of it: of a till


class DocumentRefused(Refused):
    """This document proves nothing: it has expired, its country is unknown, or it is of another kind than is needed."""

    code, kind = "document_refused", Kind.UNPROCESSABLE


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What shows who somebody is."""

    document: DocumentKind
    country: str  # ISO 3166 alpha-2, of who issued it
    valid_until: date | None  # None: it doesn't expire


class Verifier(Protocol):
    """A way to find out who somebody is."""

    name: ClassVar[str]  # kept with each verification

    async def verify(self, person: Person, *, now: datetime) -> Evidence:
        """Return what shows who this person is. Raises `DocumentRefused` if nothing does."""
        ...


class SeenByOperator:
    """An operator has the person before him, and looks at the original."""

    name: ClassVar[str] = "seen_by_operator"

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def verify(self, _: Person, *, now: datetime) -> Evidence:
        """Return what the operator saw. Refusal: `DocumentRefused`."""
        seen = self._evidence
        if seen.country not in COUNTRIES:
            raise DocumentRefused(f"{seen.country!r} is no country (ISO 3166, two letters).", field="country")
        if seen.valid_until is not None and seen.valid_until < now.date():
            raise DocumentRefused(f"This document expired on {seen.valid_until}.", field="valid_until")
        return seen


class Verifications:
    """Verified people: what was seen is recorded, and the tier follows."""

    def __init__(self, db: Database, *, operators: Operators) -> None:
        self._db = db
        self._operators = operators

    async def verify(self, who: str, verifier: Verifier, *, by: By, now: datetime) -> Person:
        """Verify the person of this username or phone number and raise the tier: a business becomes a till.

        Refusals: `PersonUnknown`, `DocumentRefused`. Repeating it records that somebody looked again.
        """
        person = await self._operators.find(who)
        evidence = await verifier.verify(person, now=now)
        tier = Tier.TILL if evidence.document is DocumentKind.BUSINESS_REGISTER else Tier.IDENTIFIED
        if person.tier is Tier.TILL and tier is Tier.IDENTIFIED:
            raise DocumentRefused("A till is verified by an extract of the business register.", field="document")
        async with self._db.transaction() as tx:
            before = (await tx.fetchrow(SQL["lock_person"], person.person_id))["tier"]
            if before != tier:
                await tx.execute(SQL["set_person_tier"], person.person_id, tier)
            await AUDIT.record(
                tx, Act.PERSON_VERIFIED, by=by, about=person.person_id, now=now, verifier=verifier.name,
                document=evidence.document.value, country=evidence.country, before=before, after=tier.value,
                valid_until=evidence.valid_until.isoformat() if evidence.valid_until else "",
            )  # fmt: skip
        return msgspec.structs.replace(person, tier=tier)
