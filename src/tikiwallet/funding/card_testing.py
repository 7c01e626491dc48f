"""Slow down who tries stolen cards: a wallet that takes any number of tries tells thieves which cards work.

Tries and declines are counted from the operations themselves, for each person and for each address that they come
from, so that all processes see all of them and a restart forgets none. The address is kept as a keyed hash only.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from tikiwallet.funding.queries import SQL
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused

TRIES_SECONDS: Final = 3600
DECLINES_SECONDS: Final = 24 * 3600
TRIES_OF_PERSON_MAX: Final = 20
TRIES_OF_ORIGIN_MAX: Final = 400  # thousands of people may stand behind one address of a carrier
DECLINES_OF_PERSON_MAX: Final = 6
DECLINES_OF_ORIGIN_MAX: Final = 60


class TooManyTopUps(Refused):
    """Too many top-ups were tried or declined lately; wait, or ask your bank why it says no."""

    code, kind = "too_many_top_ups", Kind.TOO_MANY


class CardTesting:
    """The counts. `key` hashes addresses: the same in all processes."""

    def __init__(self, db: Database, *, key: bytes = b"") -> None:
        self._db = db
        self._key = key

    async def check(self, person_id: PersonId, address: str, *, now: datetime) -> bytes:
        """Refuse (`TooManyTopUps`) who tried too often, or return the hash of the address to keep with this try."""
        origin = hashlib.blake2b(address.encode(), key=self._key, digest_size=16, person=b"top-up-origin").digest()
        tries_since, declines_since = now - timedelta(seconds=TRIES_SECONDS), now - timedelta(seconds=DECLINES_SECONDS)
        row = await self._db.pool.fetchrow(SQL["tries_of"], person_id, origin, tries_since, declines_since)
        if row["declines_of_person"] >= DECLINES_OF_PERSON_MAX or row["declines_of_origin"] >= DECLINES_OF_ORIGIN_MAX:
            raise TooManyTopUps(retry_after_seconds=DECLINES_SECONDS)
        if row["tries_of_person"] >= TRIES_OF_PERSON_MAX or row["tries_of_origin"] >= TRIES_OF_ORIGIN_MAX:
            raise TooManyTopUps(retry_after_seconds=TRIES_SECONDS)
        return origin
