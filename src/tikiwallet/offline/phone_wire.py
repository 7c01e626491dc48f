"""What the money of one phone looks like in JSON."""

from datetime import datetime
from uuid import UUID

import msgspec

from tikiwallet.offline.phone_money import PhoneMoney
from tikiwallet.offline.types import Blocked
from tikiwallet.offline.wire import LineAnswer, line_answer
from tikiwallet.platform.money import Balance


class PhoneMoneyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is on one phone, what it was paid, and what whoever has it can still do."""

    as_of: datetime
    device_id: UUID
    name: str
    retired_at: datetime | None
    blocked: Blocked | None
    payable: Balance
    payable_until: datetime | None
    received: Balance
    final: Balance
    home_at: datetime | None
    lines: list[LineAnswer]
    sentences: list[str]


def phone_money_answer(found: PhoneMoney) -> PhoneMoneyAnswer:
    """Return what is on one phone."""
    return PhoneMoneyAnswer(
        as_of=found.as_of,
        device_id=found.device.device_id,
        name=found.device.name,
        retired_at=found.device.retired_at,
        blocked=found.blocked,
        payable=found.payable,
        payable_until=found.payable_until,
        received=found.received,
        final=found.final,
        home_at=found.home_at,
        lines=[line_answer(line) for line in found.lines],
        sentences=list(found.sentences),
    )
