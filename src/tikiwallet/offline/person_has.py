"""What there is of a person at all, asked in one question.

Most people who sync have only one thing or two of all that a sync may have to tell: no debt, nothing on its way, no
blocked phone, often no voucher of their own. Asking for each by itself cost as much as everything that they brought.
"""

import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.offline.queries import SQL
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


async def person_has(connection: Connection | Connections, person_id: PersonId) -> PersonHas:
    """Return what there is of a person now."""
    row = await connection.fetchrow(SQL["person_has"], person_id)
    return PersonHas(**dict(row))
