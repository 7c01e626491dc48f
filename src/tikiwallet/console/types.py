"""What the console shows and takes, as it travels. Amounts are whole minor units."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec

from tikiwallet.console.rights import Right
from tikiwallet.funding.reconciliation import Held, Line
from tikiwallet.identity.operator_accounts import Operator, OperatorRole
from tikiwallet.identity.types import FreezeReason, Tier
from tikiwallet.ledger.corrections import REASON_LENGTH_MIN, CorrectionState
from tikiwallet.ledger.types import NOTE_LENGTH_MAX
from tikiwallet.platform.money import Amount

WHO_LENGTH_MAX = 40

Reason = Annotated[
    str,
    msgspec.Meta(
        min_length=REASON_LENGTH_MIN, max_length=NOTE_LENGTH_MAX,
        description="why, in a few words; kept for ever, so no names, numbers or secrets",
    ),
]  # fmt: skip
Who = Annotated[str, msgspec.Meta(min_length=1, max_length=WHO_LENGTH_MAX, description="a username or a phone number")]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The operator who is signed in, and what they may do."""

    operator_id: UUID
    name: str
    roles: list[OperatorRole]
    rights: list[Right]
    expires_at: datetime


class LookupOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Show me this person, because of that."""

    who: Who
    reason: Reason


class ReasonOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do it, because of that."""

    reason: Reason


class FreezeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let nothing leave a wallet. The owner is told `because`; `reason` is for the audit log."""

    because: FreezeReason
    reason: Reason


class TierOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give this person a tier."""

    who: Who
    tier: Tier
    reason: Reason


class TierSet(msgspec.Struct, frozen=True, kw_only=True):
    """What tier a person has now."""

    username: str
    tier: Tier


class RolesOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give an operator these roles instead of those before."""

    roles: Annotated[list[OperatorRole], msgspec.Meta(min_length=1, max_length=len(OperatorRole))]
    reason: Reason


class OperatorsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All operators, also those who were."""

    items: list[Operator]


class StuckItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits or fails, in a sentence. `needs_a_person` if it won't end by itself."""

    what: str  # "top-up 1f2e..."
    username: str  # whose; "" if it is nobody's
    amount: Amount | None
    sentence: str
    since: datetime
    needs_a_person: bool


class StuckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What waits or fails, what needs a person first."""

    items: list[StuckItem]


class PersonSession(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person is signed in."""

    label: str
    issued_at: datetime
    last_seen_at: datetime


class PersonView(msgspec.Struct, frozen=True, kw_only=True):
    """A person as operators see them: never the whole phone number, never the balance."""

    person_id: UUID
    username: str
    phone_masked: str
    tier: Tier
    state: str
    frozen_because: str  # "" unless frozen
    sessions: list[PersonSession]
    stuck: list[StuckItem]


class OwnAccount(StrEnum):
    """An account of the operator that a correction may give to or take from."""

    BANK = "bank"  # the world outside: money that came in or went out and isn't booked
    GUARANTEE = "guarantee"  # the operator's own money


class Side(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One side of a correction: a person's wallet, or an account of the operator. One of the two is given."""

    person: Annotated[str, msgspec.Meta(max_length=WHO_LENGTH_MAX, description="a username or a phone number")] = ""
    own: OwnAccount | None = None


class CorrectionOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Move money because something went wrong. The owner of a wallet reads the reason in the history."""

    debit: Side
    credit: Side
    amount: Amount
    reason: Reason


class CorrectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A correction as operators see it. The sides are usernames, or "bank" and "guarantee" in brackets."""

    correction_id: UUID
    debit: str
    credit: str
    amount: Amount
    reason: str
    state: CorrectionState
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    decided_by: str
    decided_at: datetime | None
    is_mine: bool  # proposed by who asks


class CorrectionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The newest corrections."""

    items: list[CorrectionView]


class DoubleSpendView(msgspec.Struct, frozen=True, kw_only=True):
    """Money that a phone spent twice, with the proof."""

    found_at: datetime
    username: str
    phone_name: str
    key_id: str
    amount_minor: int
    is_notice: bool  # nobody lost by it
    proof: str  # a code that anybody can check


class RiskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's own money that is promised, and the double spends, newest first. Minor units of `currency`."""

    currency: str
    promised_minor: int
    cover_minor: int
    guarantee_minor: int
    early_release_minor: int
    limit_minor: int | None
    is_paused: bool
    paid_guarantee_minor: int
    paid_cover_minor: int
    debt_minor: int
    vouchers_open: int
    closes_stuck: int
    double_spends: list[DoubleSpendView]


class ReconciliationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Our books against the provider. `is_compared` is false where nobody is there to compare with."""

    is_compared: bool
    is_right: bool
    as_of: datetime
    since: datetime
    lines: list[Line]
    lines_left_out: int
    held: list[Held]
