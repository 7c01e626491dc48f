"""What every phone should know of today: the time, and the keys to take no money from.

A phone without a network judges by the newest list and the newest time that the operator signed, so every sync
carries both. A phone whose list is old promises its owner nothing (the design says 72 hours).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tikicash.fields import REVOKED_BYTES
from tikicash.messages import Revocations, Signed, SignedTime
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import Blocked, BlockReason
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection

ENTRIES_MAX: Final = 256  # 2.3 kB: the newest matter most, and older keys hold nothing that is still open
LISTED_SECONDS: Final = 60 * 24 * 3600  # longer than any certificate and any claim after it


async def revoke(tx: Connection, key_id: bytes, *, reason: BlockReason) -> None:
    """Put a key on the list, once."""
    if not await tx.fetchval(SQL["is_revoked"], key_id):
        epoch = await tx.fetchval(SQL["next_epoch"])
        await tx.execute(SQL["insert_revocation"], key_id, epoch, reason)


async def read_blocked(connection: Connection | Connections, key_ids: Iterable[bytes]) -> dict[bytes, Blocked]:
    """Return which of some keys are blocked, since when and why; the others aren't in the answer."""
    return {
        row["key_id"]: Blocked(reason=BlockReason(row["reason"]), blocked_at=row["recorded_at"])
        for row in await connection.fetch(SQL["blocks_of_keys"], list(key_ids))
    }


async def sign_revocations(
    connection: Connection | Connections, issuer: Issuer, *, now: datetime
) -> Signed[Revocations]:
    """Return the list of today, signed now. Its epoch only grows, and grows with every key that is added."""
    row = await connection.fetchrow(SQL["newest_revocations"], now - timedelta(seconds=LISTED_SECONDS), ENTRIES_MAX)
    entries = sorted({key_id[:REVOKED_BYTES] for key_id in row["key_ids"]})
    body = Revocations(
        net=issuer.net,
        issuer=issuer.number_at(now),
        epoch=row["revocation_epoch"],
        now=int(now.timestamp()),
        entries=tuple(entries),
    )
    return issuer.sign(body)


def sign_time(issuer: Issuer, *, now: datetime) -> Signed[SignedTime]:
    """Return the time as the operator says it."""
    return issuer.sign(SignedTime(net=issuer.net, issuer=issuer.number_at(now), now=int(now.timestamp())))
