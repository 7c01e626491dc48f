"""What the server answers, as this client reads it. The contract is docs/api.md.

Unknown fields are passed over, so that an older `tiki` still understands a newer server; missing or wrong ones are
`server_unexpected`.
"""

from datetime import datetime

import msgspec

from tikiwallet.platform.money import Amount, Balance


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Myself."""

    person_id: str
    username: str
    phone: str
    tier: str


class PublicPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else, as everybody may see them."""

    person_id: str
    username: str
    phone_masked: str


class RegistrationStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-up that waits for its code."""

    registration_id: str
    code_expires_at: datetime


class SecurityNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that I should know about who is signed in."""

    notice_id: str
    kind: str
    session_id: str
    label: str
    noticed_at: datetime


class SecurityNotices(msgspec.Struct, frozen=True, kw_only=True):
    """What I should know, newest first."""

    items: list[SecurityNotice]


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session."""

    token: str
    token_ttl_seconds: int
    refresh_token: str
    expires_at: datetime
    person: Person
    notices: list[SecurityNotice]


class Balances(msgspec.Struct, frozen=True, kw_only=True):
    """The wallet's currencies and what stands in each; the first is the default."""

    balances: list[Balance]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An online payment."""

    transfer_id: str
    payer: PublicPerson
    payee: PublicPerson
    amount: Amount
    memo: str
    sent_at: datetime


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of the online balance."""

    transfer_id: str
    kind: str
    direction: str
    amount: Amount
    balance: Balance
    counterparty: PublicPerson | str
    memo: str
    at: datetime


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Movements, newest first."""

    items: list[HistoryItem]
    next_cursor: str | None


class MoneyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for money, online."""

    request_id: str
    payer: PublicPerson
    payee: PublicPerson
    amount: Amount
    memo: str
    state: str
    created_at: datetime
    expires_at: datetime
    receipt: Receipt | None


class RequestPage(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, newest first."""

    items: list[MoneyRequest]
    next_cursor: str | None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A top-up or a withdrawal."""

    operation_id: str
    amount: Amount
    state: str
    sentence: str
    is_demo: bool
    changed_at: datetime
    go_to_url: str = ""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What a withdrawal costs and brings."""

    amount: Amount
    fee_minor: int
    arriving: Amount


class OpeningSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What a commitment hides. `salt` is base64url."""

    opens: int
    salt: str
    text: str


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs offline money. Keys and documents are base64url."""

    network_id: int
    root_key: str
    issuer_keys: list[str]
    operator_key: str
    signed_time: str


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What a new phone has to sign."""

    challenge_id: str
    challenge: str
    expires_at: datetime


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """Why nobody takes money of a phone any more ("retired" or "spent_twice"), and since when."""

    reason: str
    blocked_at: datetime


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A registered phone."""

    device_id: str
    public_key: str
    name: str
    receive_only: bool
    registered_at: datetime
    retired_at: datetime | None
    blocked: Blocked | None
    certificate: str | None
    certificate_opening: OpeningSaid | None


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """My phones."""

    items: list[Device]


class Loading(msgspec.Struct, frozen=True, kw_only=True):
    """A wish for offline money and what became of it."""

    loading_id: str | None
    device_id: str
    state: str
    amount: Balance
    voucher: str | None
    openings: list[OpeningSaid]
    code: str | None
    detail: str
    locked_to: str = ""  # the username of the only person whom it may be paid to, "" for anybody
    spend_by: datetime | None = None


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document of a sync."""

    kind: str
    index: int
    outcome: str
    code: str | None
    detail: str


class VoucherSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher of mine."""

    voucher: str | None
    opening: OpeningSaid | None
    state: str
    locked_to: str = ""


class MoneyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the money view: what it is and what happens to it when."""

    line: str
    title: str
    amount: Balance
    state: str
    sentence: str
    claim_by: datetime | None


class MoneyView(msgspec.Struct, frozen=True, kw_only=True):
    """All of a person's money, as the operator knows it."""

    as_of: datetime
    online: list[Balance]
    offline: list[Balance]
    final: list[Balance]
    provisional: list[Balance]
    underway: list[Balance]
    lines: list[MoneyLine]


class PhoneMoney(msgspec.Struct, frozen=True, kw_only=True):
    """What is on one phone, what it was paid, and in sentences what whoever has it can still do."""

    as_of: datetime
    device_id: str
    name: str
    blocked: Blocked | None
    payable: Balance
    payable_until: datetime | None
    received: Balance
    final: Balance
    home_at: datetime | None
    lines: list[MoneyLine]
    sentences: list[str]


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """One place where I am signed in."""

    session_id: str
    label: str
    issued_at: datetime
    last_seen_at: datetime
    is_current: bool


class SignIns(msgspec.Struct, frozen=True, kw_only=True):
    """Everywhere where I am signed in."""

    items: list[SignIn]


class SyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says to a sync; what is None here is taken home with the last portion."""

    results: list[SyncResult]
    vouchers: list[VoucherSaid]
    certificate: str | None
    certificate_opening: OpeningSaid | None
    revocations: str | None
    signed_time: str | None
    issuer_keys: list[str]
    money: MoneyView | None
    loading: Loading | None
    code: str | None  # about the phone itself: device_retired or device_blocked
    detail: str


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """An empty answer."""


class TextSent(msgspec.Struct, frozen=True, kw_only=True):
    """A text message with a code is on its way."""

    request_id: str
    phone_masked: str


class RecoveryCodesMade(msgspec.Struct, frozen=True, kw_only=True):
    """Fresh recovery codes, shown this once."""

    codes: list[str]


class ProblemSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document (RFC 9457)."""

    code: str
    detail: str
    field: str = ""
    incident_id: str = ""
