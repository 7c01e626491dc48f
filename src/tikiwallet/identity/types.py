"""What other contexts may know of people: an id, a username, a phone number, a tier; and how to ask for a proof."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol
from uuid import UUID

import msgspec

from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller

PersonId = NewType("PersonId", UUID)


class Tier(StrEnum):
    """How well the operator knows a person; other contexts turn it into numbers."""

    PHONE = "phone"  # the phone number is proven
    IDENTIFIED = "identified"  # a document was seen, by an operator
    TILL = "till"  # a registered business, paid at a till


class PersonState(StrEnum):
    """Whether a person may use the wallet."""

    ACTIVE = "active"
    FROZEN = "frozen"  # by an operator: signed out everywhere, and can't sign in


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a wallet."""

    person_id: PersonId
    username: str
    phone: str  # E.164; shown in full only to its owner
    tier: Tier


class PublicPerson(msgspec.Struct, frozen=True, kw_only=True):
    """What everybody may see of a person: enough to be sure whom one pays."""

    person_id: PersonId
    username: str
    phone_masked: str  # +65 •••• 4567


class Directory(Protocol):
    """Find people. All reads; unknown people are absent from the answer."""

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for a known country) or username, if any."""
        ...

    async def find_beside(
        self, person_id: PersonId, *, phone: str = "", username: str = ""
    ) -> tuple[PublicPerson | None, PublicPerson | None]:
        """Return a person, and the one whom he names by phone number or username, in one look."""
        ...

    async def people(self, person_ids: Sequence[PersonId]) -> dict[PersonId, PublicPerson]:
        """Return those of `person_ids` that exist."""
        ...

    async def person(self, person_id: PersonId) -> Person | None:
        """Return one person with the tier, for other contexts (never for other people)."""
        ...


class Proof(StrEnum):
    """How a person shows again that it is them."""

    PASSKEY = "passkey"
    PASSWORD = "password"  # noqa: S105
    RECOVERY_CODE = "recovery_code"
    TEXT_MESSAGE = "text_message"


class Act(StrEnum):
    """What is done only after a fresh proof. `step_up.ACCEPTED` says which proofs count for it."""

    PAYMENT = "payment"  # a large one, to somebody new
    WITHDRAWAL = "withdrawal"
    PHONE_CHANGE = "phone_change"
    PASSKEYS = "passkeys"  # adding or removing one
    RECOVERY_CODES = "recovery_codes"  # making new ones
    EXPORT = "export"  # of personal data


class StepUpRequired(Refused):
    """Show first that it is you: this needs a fresh proof. Then send the same again."""

    code, kind = "step_up_required", Kind.FORBIDDEN


class StepUp(Protocol):
    """Ask for a fresh proof before an act that would hurt if somebody else did it."""

    async def require(self, caller: Caller, act: Act, *, now: datetime) -> None:
        """Return if the caller's session has proven lately who is there, in a way that counts for `act`.

        Refusal: `StepUpRequired`, with the ways that this person has. Nothing may have happened before it.
        """
        ...
