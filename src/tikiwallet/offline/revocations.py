"""What every phone should know of today: the time, and the keys to take no money from.

A phone without a network judges by the newest list and the newest time that the operator signed, so every sync
carries both. A phone whose list is old promises its owner nothing (the design says 72 hours).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
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
READ_AGAIN_AFTER: Final = timedelta(minutes=10)


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


class RevocationList:
    """The list of the keys to take no money from.

    It is read again when a key was added, and now and then for those that are old enough to be left out; everybody who
    asks in between is told the same keys.
    """

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._epoch = -1
        self._entries: tuple[bytes, ...] = ()
        self._read_at = datetime.min.replace(tzinfo=UTC)

    async def of_today(self, connection: Connection | Connections, *, epoch: int, now: datetime) -> Signed[Revocations]:
        """Return the list, signed now. `epoch` is what the database says of it; it grows with every key."""
        if self._epoch < epoch or not self._read_at <= now < self._read_at + READ_AGAIN_AFTER:
            since = now - timedelta(seconds=LISTED_SECONDS)
            row = await connection.fetchrow(SQL["newest_revocations"], since, ENTRIES_MAX)
            self._epoch, self._read_at = row["revocation_epoch"], now
            self._entries = tuple(sorted({key_id[:REVOKED_BYTES] for key_id in row["key_ids"]}))
        body = Revocations(
            net=self._issuer.net, issuer=self._issuer.number_at(now), epoch=self._epoch, now=int(now.timestamp()),
            entries=self._entries,
        )  # fmt: skip
        return self._issuer.sign(body)


def sign_time(issuer: Issuer, *, now: datetime) -> Signed[SignedTime]:
    """Return the time as the operator says it."""
    return issuer.sign(SignedTime(net=issuer.net, issuer=issuer.number_at(now), now=int(now.timestamp())))
