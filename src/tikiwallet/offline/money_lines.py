"""One line of somebody's money: something that is on its way, or arrived lately, and a sentence that says why.

Lines of open vouchers and of closed ones are made in different places and shown in one list.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from tikiwallet.platform.money import Balance


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is on its way, and what becomes of it when."""

    line: str  # "voucher", "claim", "advance", "closed" or "debt"
    title: str
    amount: Balance
    state: str
    counterparty: str
    spend_by: datetime | None
    claim_by: datetime | None
    voucher_id: UUID
    payment_id: bytes | None
    final: Balance
    provisional: Balance
    sentence: str
    device_id: UUID | None = None  # the phone whose money it is; None for what closes brought to all phones together
