"""What a sync has to know of a person and of one phone, asked in one question.

Most people who sync have only one thing or two of all that a sync may have to tell: no debt, nothing on its way, no
blocked phone, often no voucher of their own. Asking for each by itself cost as much as everything that they brought.
"""

import asyncpg
import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import DeviceId
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection


class PersonHas(msgspec.Struct, frozen=True, kw_only=True):
    """Which of these a person has any of; what isn't there needn't be read."""

    payouts_waiting: bool  # of closed vouchers, also those to keys that the person registered
    debt: bool
    blocks: bool  # of the person's phones
    open_vouchers: bool  # of the person's own
    advances: bool  # money that was released early, also on vouchers that are closed
    closes: bool  # that brought or took something

    @property
    def anything_closed(self) -> bool:
        """Whether there may be something to tell of closed vouchers."""
        return self.closes or self.advances or self.debt or self.payouts_waiting


class AtHand(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of a person now, and what decides whether the certificate of the phone that asks is still good."""

    has: PersonHas
    revocation_epoch: int  # of the list of blocked keys: it grows with every key that is added
    phone: asyncpg.Record | None  # for `certificates.certificate_at_hand`; None: no phone asks, or it has none yet


async def read_at_hand(connection: Connection | Connections, person_id: PersonId, device_id: DeviceId | None) -> AtHand:
    """Return what there is of a person now, and of one of their phones if `device_id` names one."""
    row = await connection.fetchrow(SQL["at_hand"], person_id, device_id)
    return AtHand(
        has=PersonHas(**{name: row[name] for name in PersonHas.__struct_fields__}),
        revocation_epoch=row["revocation_epoch"],
        phone=row if row["device_id"] is not None else None,
    )


async def person_has(connection: Connection | Connections, person_id: PersonId) -> PersonHas:
    """Return what there is of a person now."""
    return (await read_at_hand(connection, person_id, None)).has
