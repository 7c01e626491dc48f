"""Money in and out: what a bank must be able to do, and what people see of a top-up or withdrawal.

`Bank` is the port: a real provider becomes one file beside `demo_bank.py`, and nothing else changes.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar, Protocol
from uuid import UUID

import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.money import AMOUNT_MINOR_MAX, Amount


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


class Decision(StrEnum):
    """What the bank says about an order."""

    CONFIRMED = "confirmed"
    DECLINED = "declined"
    PENDING = "pending"
    GO_ON = "go_on"  # it took one step of several, named in `made`: write that down, and ask again at once


class Reason(StrEnum):
    """Why an operation was declined, where it wasn't the bank that said no."""

    NONE = ""
    EXPIRED = "expired"  # nobody paid before the page closed
    CANCELLED = "cancelled"  # the person took it back


class Through(StrEnum):
    """How a person gives the bank what it needs for a top-up."""

    PAGE = "page"  # a page of the provider's, to which the person goes and from which they come back
    NATIVE = "native"  # the provider's own code in an app, which is given a secret
    SAVED = "saved"  # a card that the person saved before


class Made(msgspec.Struct, frozen=True):
    """Something that the provider made for an operation: the one of each step that there may be."""

    step: str
    object_id: str


class BankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank says, and what the person has to do or may expect."""

    decision: Decision
    made: Made | None = None
    go_to_url: str = ""  # where the person has to go before anything else can happen
    client_secret: str = ""  # what the provider's own code in an app needs; never kept
    expires_at: datetime | None = None  # when that is over
    expected_by: datetime | None = None  # when the money will be there, by what the bank says
    reason: Reason = Reason.NONE


class BankOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank is asked to do. `operation_id` makes it the same order every time."""

    operation_id: UUID
    person_id: PersonId
    amount: Amount  # of a withdrawal: what is to arrive
    created_at: datetime
    through: Through = Through.PAGE
    method_id: str = ""  # the saved card
    is_cancelled: bool = False  # the person wants it undone, if that can be
    made: Mapping[str, str] = MappingProxyType({})  # what the provider made so far: its id by step


class Bank(Protocol):
    """A way to move money between people's bank accounts and the operator's.

    Every call is safe to repeat: the first with an operation id starts the order, later ones ask how it stands. An
    answer of `CONFIRMED` or `DECLINED` is final. Any exception means "unknown": the caller asks again. Each call
    changes at most one thing at the provider, so that what a crash leaves behind is one step to repeat.
    """

    name: ClassVar[str]  # kept with each operation
    is_demo: ClassVar[bool]
    takes_cards: ClassVar[bool]  # so that a thief could try stolen numbers here

    def fee_minor(self, amount: Amount) -> int:
        """Return what the operator keeps of a withdrawal of this amount."""
        ...

    def top_up_min_minor(self) -> int:
        """Return the least that can be taken at once."""
        ...

    async def collect(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Take the amount from the person's bank account."""
        ...

    async def require_payee(self, person_id: PersonId) -> None:
        """Refuse (`PayoutAccountMissing`) if it isn't known yet where this person's money would go."""
        ...

    async def pay_out(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Pay the amount to the person's bank account."""
        ...

    async def give_back(self, order: BankOrder, *, now: datetime) -> BankAnswer:
        """Give a collected amount back: `CONFIRMED` when the bank says that it will arrive."""
        ...


class PayoutAccountMissing(Refused):
    """We don't know your bank account yet; add it first, then withdraw."""

    code, kind = "payout_account_missing", Kind.CONFLICT


class WebhookInvalid(Refused):
    """This isn't signed by the provider, or it is too old."""

    code, kind = "webhook_invalid", Kind.INVALID


class SavedCardUnknown(Refused):
    """There is no such saved card of yours."""

    code, kind = "saved_card_unknown", Kind.MISSING


class PayoutAccountState(StrEnum):
    """Whether somebody can be paid."""

    WANTED = "wanted"  # the provider doesn't know yet where to pay
    CHECKED = "checked"  # the provider looks at what it was told
    READY = "ready"
    CLOSED = "closed"  # the provider won't pay there any more


class PayoutAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Whether I can be paid, and the page on which to tell the provider where."""

    state: PayoutAccountState
    go_to_url: str = ""


class SavedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that the provider keeps for a person."""

    method_id: str
    brand: str
    last_digits: str
    expires_month: int
    expires_year: int


class SavedCards(msgspec.Struct, frozen=True, kw_only=True):
    """All of them."""

    cards: list[SavedCard]


class SavingCard(msgspec.Struct, frozen=True, kw_only=True):
    """Where a card is saved: a page to go to, or a secret for the provider's code in an app."""

    go_to_url: str = ""
    client_secret: str = ""


class SavingOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Save a card, on a page or natively."""

    through: Through = Through.PAGE


class FundingAbout(msgspec.Struct, frozen=True, kw_only=True):
    """How money comes in and goes out here."""

    provider: str  # empty: it doesn't
    is_demo: bool
    has_cards: bool  # cards can be saved, and money comes in by a page
    publishable_key: str  # for the provider's code in an app
    top_up_min_minor: int  # of the first currency's minor units


class TopUpOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Top up by this amount."""

    amount: Amount
    through: Through = Through.PAGE
    method_id: Annotated[str, msgspec.Meta(max_length=100)] = ""  # which saved card, for `saved`


class WithdrawalOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Withdraw this amount. `fee_minor` is the fee that the person was shown and agreed to."""

    amount: Amount
    fee_minor: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MINOR_MAX)] = 0


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a withdrawal would cost and bring, before anybody confirms it."""

    amount: Amount
    fee_minor: int
    arriving: Amount


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
    reason: Reason = Reason.NONE
    fee_minor: int = 0  # of a withdrawal: what of the amount doesn't arrive
    go_to_url: str = ""  # where the person has to go now
    client_secret: str = ""  # for the provider's code in an app; only in the answer to the order itself
    expires_at: datetime | None = None  # when `go_to_url` is over
    expected_by: datetime | None = None  # when the money will be there
    can_be_cancelled: bool = False


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
    through: Through
    method_id: str
    fee_minor: int
    is_cancelled: bool
    reason: Reason
    go_to_url: str
    expires_at: datetime | None
    expected_by: datetime | None

    @property
    def amount(self) -> Amount:
        """How much is to be moved."""
        return Amount(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def arriving(self) -> Amount:
        """How much of it arrives."""
        return Amount(amount_minor=self.amount_minor - self.fee_minor, currency=self.currency)

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.state in OVER

    @property
    def waits_for_bank(self) -> bool:
        """Whether it is the provider's turn, or the person's there: that may take days, and is no fault."""
        is_returning = self.state is OperationState.RETURNING and self.kind is OperationKind.TOP_UP
        return is_returning or self.state is OperationState.PENDING
