"""Ids that follow from what they name, so that every process finds the same one, for ever."""

import hashlib
from uuid import UUID

from asyncpg.pgproto import pgproto

VERSION_BYTE, VARIANT_BYTE = 6, 8


def derive_uuid(namespace: UUID, name: str) -> UUID:
    """Return the version 5 UUID of `name` (RFC 9562, section 5.5), as `uuid.uuid5` does."""
    # SHA-1 is what version 5 says. Whoever found two names with one id would only have two orders of his own taken for
    # one with another content, which is refused.
    # nosemgrep: only-sound-cryptography  # noqa: ERA001
    made = bytearray(hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    made[VERSION_BYTE] = made[VERSION_BYTE] & 0x0F | 0x50
    made[VARIANT_BYTE] = made[VARIANT_BYTE] & 0x3F | 0x80
    return database_uuid(bytes(made))


def database_uuid(value: bytes) -> UUID:
    """Return the UUID of 16 bytes as the database driver makes it.

    It is a `uuid.UUID` whose making, hash and comparison take a fraction of the time. An id that is looked up in every
    request is worth it.
    """
    made: UUID = pgproto.UUID(value)
    return made
