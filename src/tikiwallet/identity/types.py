"""What other contexts may know of people: an id, a username, a phone number, a tier; and how to ask for a proof."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol, TypeAlias
from uuid import UUID

import msgspec

from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller
from tikiwallet.platform.money import Amount, Balance

PersonId = NewType("PersonId", UUID)


class Tier(StrEnum):
    """How well the operator knows a person; other contexts turn it into numbers."""

    PHONE = "phone"  # the phone number is proven
    IDENTIFIED = "identified"  # a document was seen, by an operator
    TILL = "till"  # a registered business, paid at a till


class PersonState(StrEnum):
    """Whether a person may use the wallet."""

    ACTIVE = "active"
    FROZEN = "frozen"  # by an operator: receives, reads and settles, and nothing leaves
    CLOSING = "closing"  # by its owner: nothing new comes in, and it is emptied
    CLOSED = "closed"  # for ever


class FreezeReason(StrEnum):
    """Why a wallet is frozen, as its owner is told."""

    ASKED = "asked"  # by its owner
    UNUSUAL = "unusual"  # something looks wrong; the operator looks at it
    LAW = "law"  # the operator has to


class PersonFrozen(Refused):
    """This wallet is frozen: it receives and settles, and nothing can leave it; ask the operator."""

    code, kind = "person_frozen", Kind.FORBIDDEN


class WalletCloses(Refused):
    """You are closing this wallet, so nothing new comes in; empty it, or keep it after all."""

    code, kind = "wallet_closes", Kind.CONFLICT


def require_giving(state: str) -> None:
    """Return if money may leave a wallet in this state by its owner's order. Refusal: `PersonFrozen`."""
    if state == PersonState.FROZEN:
        raise PersonFrozen


def require_taking(state: str) -> None:
    """Return if its owner may bring money into a wallet in this state. Refusals: `PersonFrozen`, `WalletCloses`."""
    require_giving(state)
    if state == PersonState.CLOSING:
        raise WalletCloses


class ObstacleKind(StrEnum):
    """What stands in the way of closing a wallet."""

    BALANCE = "balance"  # there is money in it
    OFFLINE_MONEY = "offline_money"  # on a phone, or in payments that aren't decided
    DEBT = "debt"  # from a double spend
    OPERATION = "operation"  # a top-up or withdrawal that isn't over
    PAYMENT = "payment"  # of a request, that isn't over


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that stands in the way of closing a wallet; `until` when it goes by itself."""

    kind: ObstacleKind
    amount: Balance | None = None
    until: datetime | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody with a wallet. On the wire `state` is absent while it is active."""

    person_id: PersonId
    username: str
    phone: str  # E.164; shown in full only to its owner
    tier: Tier
    state: PersonState = PersonState.ACTIVE
    frozen_because: str = ""  # a `FreezeReason`, while frozen


class PublicPerson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What everybody may see of a person: enough to be sure whom one pays."""

    person_id: PersonId
    username: str
    phone_masked: str  # +65 •••• 4567
    takes_money: bool = True  # not while the wallet closes; absent on the wire while it does


def caller_in_full(caller: Caller) -> Person:
    """Return who is asking, as they are in this request."""
    return Person(
        person_id=PersonId(caller.person_id),
        username=caller.username,
        phone=caller.phone,
        tier=Tier(caller.tier),
        state=PersonState(caller.state),
        frozen_because=caller.frozen_because,
    )


# What was asked and may be awaited, once.
Asked: TypeAlias = Callable[[], Awaitable[PublicPerson | None]]


class Directory(Protocol):
    """Find people. All reads; unknown people are absent from the answer."""

    async def find(self, *, phone: str = "", username: str = "") -> PublicPerson | None:
        """Return the person with this phone number (E.164, or local for a known country) or username, if any."""
        ...

    def ask(self, *, phone: str = "", username: str = "") -> Asked:
        """Ask what `find` asks now; who never awaits the answer has lost nothing. Refusal: `Overloaded`."""
        ...

    def seen(self, caller: Caller) -> PublicPerson:
        """Return the caller as everybody may see them."""
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


class GuardedAct(StrEnum):
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

    async def require(self, caller: Caller, act: GuardedAct, *, now: datetime) -> None:
        """Return if the caller's session has proven lately who is there, in a way that counts for `act`.

        Refusal: `StepUpRequired`, with the ways that this person has. Nothing may have happened before it.
        """
        ...


class OutgoingCapped(Refused):
    """Your phone number or password has just changed, so that only a little leaves your wallet for a day."""

    code, kind = "outgoing_capped", Kind.UNPROCESSABLE


class OutgoingCap(Protocol):
    """Keep within its cap what leaves the wallet of somebody whose phone number or password has just changed."""

    def held(
        self, caller: Caller, order_id: UUID, amount: Amount, *, is_done: Callable[[], Awaitable[bool]], now: datetime
    ) -> AbstractAsyncContextManager[None]:
        """Take `amount` from what may still leave, while the order is carried out; give it back if it is refused.

        An order that `is_done` already takes nothing. Refusals: `OutgoingCapped`, `IdempotencyKeyReused`.
        """
        ...
