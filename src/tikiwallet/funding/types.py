"""Money in and out: what a bank must be able to do, and what people see of a top-up or withdrawal.

`Bank` is the port: a real provider becomes one file beside `demo_bank.py`, and nothing else changes.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID

import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.platform.money import Amount


class OperationKind(StrEnum):
    """Which way money goes."""

    TOP_UP = "top_up"
    WITHDRAWAL = "withdrawal"


class OperationState(StrEnum):
    """Where a top-up or withdrawal stands."""

    REQUESTED = "requested"  # recorded; nothing has moved
    REFUSED = "refused"  # the wallet said no before anything moved; the same key is judged anew
    RESERVED = "reserved"  # withdrawal: out of the wallet, not yet with the bank
    PENDING = "pending"  # the bank hasn't decided
    CONFIRMED = "confirmed"  # the bank has done its part; the books follow
    RETURNING = "returning"  # it can't be done; the money is on its way back
    SETTLED = "settled"  # done
    DECLINED = "declined"  # the bank said no, and the money is where it was
    RETURNED = "returned"  # top-up: the bank had paid, the wallet couldn't take it, the bank has it back


OVER = frozenset({OperationState.REFUSED, OperationState.SETTLED, OperationState.DECLINED, OperationState.RETURNED})


class BankAnswer(StrEnum):
    """What the bank says about an order."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"
    PENDING = "pending"


class BankOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank is asked to do. `operation_id` makes it the same order every time."""

    operation_id: UUID
    person_id: PersonId
    amount: Amount
    created_at: datetime


class Bank(Protocol):
    """A way to move money between people's bank accounts and the operator's.

    Every call is safe to repeat: the first with an operation id starts the order, later ones ask how it stands. An
    answer other than `PENDING` is final. Any exception means "unknown": the caller asks again.
    """

    name: ClassVar[str]  # kept with each operation

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take the amount from the person's bank account."""
        ...

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Pay the amount to the person's bank account."""
        ...

    async def give_back(self, order: BankOrder) -> None:
        """Give a collected amount back; returns when the bank has promised to."""
        ...


class OperationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Top up or withdraw this amount."""

    amount: Amount


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A top-up or withdrawal as its owner sees it. `sentence` says what `state` means, `changed_at` since when."""

    operation_id: UUID
    kind: OperationKind
    amount: Amount
    state: OperationState
    sentence: str
    is_demo: bool  # whether the bank is a toy: no real money moves
    created_at: datetime
    changed_at: datetime


class StoredOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `funding.operation`."""

    operation_id: UUID
    person_id: PersonId
    kind: OperationKind
    amount_minor: int
    currency: str
    bank: str
    created_at: datetime
    state: OperationState
    changed_at: datetime
    attempt: int
    leased_until: datetime | None

    @property
    def amount(self) -> Amount:
        """How much is to be moved."""
        return Amount(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.state in OVER
