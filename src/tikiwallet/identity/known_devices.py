"""Is this a device on which this person signed in before?

Whoever has somebody's password signs in from a device of his own. So a browser (by a cookie) and a folder of `tiki` (by
a header) keep a long random secret of their own, and a sign-in without a secret that we know is a new device: its owner
is told. Of the secret only a hash is kept. Knowing a device proves nothing by itself: it is asked beside the password.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Final

from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Connection, Database

SECRET_BYTES: Final = 32
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of `SECRET_BYTES`
DEVICES_PER_PERSON_MAX: Final = 50  # those not seen for longest are forgotten first
FORGOTTEN_AFTER: Final = timedelta(days=400)  # unseen; no browser keeps a cookie for longer


def make_device_secret() -> str:
    """Return the secret of a new device. Called at the edge only."""
    return secrets.token_urlsafe(SECRET_BYTES)


def read_device_secret(text: str) -> str:
    """Return what a client shows as its secret, or "" if it can't be one."""
    return text if SECRET.fullmatch(text) else ""


class KnownDevices:
    """The devices on which people signed in. A device is named by its secret; "" is one that nobody knows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def is_known(self, person_id: PersonId, device: str) -> bool:
        """Return whether this person signed in on this device before."""
        return bool(device) and bool(await self._db.pool.fetchval(SQL["device_is_known"], person_id, _hash(device)))

    async def remember(self, tx: Connection, person_id: PersonId, device: str, *, label: str, now: datetime) -> bool:
        """Remember that the person signs in on this device now; return whether it was known before.

        A device without a secret isn't remembered, so that each of its sign-ins is on a new device.
        """
        if not device:
            return False
        was_known = bool(await tx.fetchval(SQL["device_is_known"], person_id, _hash(device)))
        await tx.execute(SQL["remember_device"], person_id, _hash(device), label, now)
        await tx.execute(SQL["forget_devices_beyond"], person_id, DEVICES_PER_PERSON_MAX)
        return was_known

    async def forget_all(self, tx: Connection, person_id: PersonId) -> None:
        """Forget all devices of a person, e.g. because the password was taken back from somebody."""
        await tx.execute(SQL["forget_devices_of"], person_id)


def _hash(device: str) -> bytes:
    return hashlib.sha256(device.encode()).digest()
