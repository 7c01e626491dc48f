"""What others may know of offline money on the server: phones, vouchers, and what a person's offline money is worth.

Amounts are whole minor units of the one offline currency. Documents are `tikicash` documents.
"""

from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID, uuid5

import asyncpg
import msgspec

from tikicash.messages import OPENS_NAME, Certificate, Opening, Signed, Voucher
from tikiwallet.identity.types import PersonId

DeviceId = NewType("DeviceId", UUID)
VoucherId = NewType("VoucherId", UUID)


class VoucherState(StrEnum):
    """Where a voucher stands. Money is in escrow from before `OPEN` until `CLOSED`."""

    DRAFT = "draft"  # promised; the money is on its way into escrow
    REFUSED = "refused"  # the money was not there; may be tried again
    OPEN = "open"  # signed: offline money
    CLOSING = "closing"  # the time for claims is over; nothing is released early any more
    CLOSED = "closed"  # shared out


def derive_voucher_id(person_id: PersonId, key: str) -> VoucherId:
    """Return the id that makes a retry of `person_id` with the same idempotency `key` the same voucher."""
    return VoucherId(uuid5(person_id, f"voucher/{key}"))


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A registered phone: one key of one person, for ever."""

    device_id: DeviceId
    person_id: PersonId
    public_key: bytes  # 33 bytes
    key_id: bytes  # 16 bytes
    name: str  # what its owner calls it
    shown_name: str  # what the operator says the person is called; hidden behind a commitment
    name_salt: bytes
    receive_only: bool
    registered_at: datetime
    retired_at: datetime | None
    budget_minor: int  # what is left of its cover budget
    budget_renewed_at: datetime

    @property
    def opening(self) -> Opening:
        """What shows the name behind the commitments of this phone's vouchers and certificates."""
        return Opening(opens=OPENS_NAME, salt=self.name_salt, text=self.shown_name)


def to_device(row: asyncpg.Record) -> Device:
    """Return a row of the table `device` as a struct."""
    return Device(**{name: row[name] for name in Device.__struct_fields__})


class BlockReason(StrEnum):
    """Why a key is on the list that every phone fetches."""

    RETIRED = "retired"  # its owner said so: lost, sold, or restored from a copy
    SPENT_TWICE = "spent_twice"  # a proof says so


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """Since when nobody who hears of it takes money of a key, and why."""

    reason: BlockReason
    blocked_at: datetime


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A phone and the certificate that it should carry; a retired phone gets none."""

    device: Device
    certificate: Signed[Certificate] | None
    blocked: Blocked | None = None


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """The one phone that may be paid with locked money."""

    device: Device
    blocked: Blocked | None


class Loading(msgspec.Struct, frozen=True, kw_only=True):
    """A wish for offline money and what became of it. `voucher` is there once the money stands in escrow.

    `audience` is the only phone that the money may be paid to, None if it may be paid to anybody.
    """

    voucher_id: VoucherId
    device: Device
    audience: Audience | None
    state: VoucherState
    amount_minor: int
    currency: str
    voucher: Signed[Voucher] | None
    refused_code: str | None
