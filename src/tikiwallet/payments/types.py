"""What others may know of payments: the orders people give and the receipts they get.

These structs are the wire format of `/v1/transfers`, `/v1/history` and `/v1/requests`; they are decoded once at the
edge, and what passes is sensible in shape. Whether it is allowed is for the use cases to say.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from tikiwallet.identity.types import PublicPerson
from tikiwallet.ledger.types import Direction, TransferKind
from tikiwallet.platform.http import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from tikiwallet.platform.money import Amount, Balance, CurrencyCode

Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, with its offset from UTC")]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=PAGE_SIZE_MAX)]
# base64url of the 16 bytes of a key's id and the 8 bytes of the nonce that its phone drew.
Reference = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{32}$")]
PostingNo = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class PersonRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody, named by phone number or by username: exactly one of the two."""

    phone: Annotated[str, msgspec.Meta(max_length=32)] = ""
    username: Annotated[str, msgspec.Meta(max_length=64)] = ""

    def __post_init__(self) -> None:
        if bool(self.phone) == bool(self.username):
            raise ValueError("Give a phone number or a username, one of the two")


class SendOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send this amount to that person."""

    to: PersonRef
    amount: Amount
    memo: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The proof of a payment, the same for both parties and at every time."""

    transfer_id: UUID
    payer: PublicPerson
    payee: PublicPerson
    amount: Amount
    memo: str
    sent_at: datetime


class Balances(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a person's wallet, in every currency that it can hold."""

    balances: list[Balance]


class Counterparty(StrEnum):
    """Who was on the other side when it wasn't a person."""

    BANK = "bank"
    OFFLINE = "offline"  # the person's own offline money, or a payment that was made offline
    OPERATOR = "operator"


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a history to show. Empty fields don't narrow it."""

    currency: CurrencyCode | None = None  # None: the first currency of the settings
    kind: TransferKind | None = None
    direction: Direction | None = None
    since: Instant | None = None  # inclusive
    until: Instant | None = None  # exclusive
    cursor: PostingNo | None = None
    limit: PageSize = PAGE_SIZE_DEFAULT


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the wallet, and what stood in it afterwards."""

    transfer_id: UUID
    kind: TransferKind
    direction: Direction
    amount: Amount
    balance: Balance
    counterparty: PublicPerson | Counterparty
    memo: str
    at: datetime


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Movements, newest first. A page may be short while more remains: the end is where `next_cursor` is null."""

    items: list[HistoryItem]
    next_cursor: str | None


class RequestState(StrEnum):
    """Where a request for money stands. `open` and `accepted` can still change; the others are for ever."""

    OPEN = "open"
    ACCEPTED = "accepted"  # the payer said yes, the money is being moved
    PAID = "paid"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Role(StrEnum):
    """Which side of a request somebody is on."""

    PAYER = "payer"
    PAYEE = "payee"


class RequestOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask that person for this amount."""

    payer: PersonRef
    amount: Amount
    memo: str = ""


class MoneyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for money as both parties see it. The receipt is there once it is paid."""

    request_id: UUID
    payer: PublicPerson
    payee: PublicPerson
    amount: Amount
    memo: str
    state: RequestState
    created_at: datetime
    expires_at: datetime
    changed_at: datetime
    receipt: Receipt | None


class RequestQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests to list."""

    role: Role | None = None
    state: RequestState | None = None
    cursor: Annotated[str, msgspec.Meta(max_length=80)] = ""
    limit: PageSize = PAGE_SIZE_DEFAULT


class RequestPage(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, newest first."""

    items: list[MoneyRequest]
    next_cursor: str | None


class ShownOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """My phone shows this request code, for this amount."""

    reference: Reference
    amount: Amount


class ShownPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pay the code that I scanned."""

    memo: str = ""


class ShownRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request code on a payee's screen: payable online until `payable_until`, which moves on while it is shown.

    `payer` and `receipt` are there once it is paid, for the two parties; `payee_told_at` since the payee's phone knows.
    """

    reference: str
    payee: PublicPerson
    payer: PublicPerson | None
    amount: Amount
    state: RequestState
    payable_until: datetime
    payee_told_at: datetime | None
    receipt: Receipt | None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What left a wallet in a day or month, and what still can until it begins anew. None: no limit."""

    out_minor: int
    out_max_minor: int | None
    left_minor: int | None
    resets_at: datetime


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet may hold and send in one currency. Days and months are those of UTC."""

    currency: CurrencyCode
    balance_minor: int
    balance_max_minor: int | None
    day: Span
    month: Span


class Allowances(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller may do, in the order of the wallet's currencies."""

    items: list[Allowance]
