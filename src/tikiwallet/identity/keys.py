"""The ES256 keys that sign session tokens, kept in the database so that every process signs and verifies alike.

One key signs; a retired one still verifies until the last token that it signed has ended, so that changing the key
signs nobody out. The next key is made known before it signs: another service that verifies our tokens keeps what it
read of our keys for some minutes.
"""

from datetime import datetime, timedelta

import msgspec
from joserfc.jwk import ECKey

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.config import SESSION_TTL_SECONDS_MAX
from tikiwallet.platform.db import Database

CURVE = "P-256"
ALGORITHM = "ES256"
VERIFIES_AFTER_RETIREMENT = timedelta(seconds=SESSION_TTL_SECONDS_MAX)


class Jwk(msgspec.Struct, frozen=True, kw_only=True):
    """A public key (RFC 7517)."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    alg: str
    use: str


class Jwks(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys that session tokens may be verified with (RFC 7517)."""

    keys: list[Jwk]


def make_signing_key() -> ECKey:
    """Return a fresh P-256 key. Called at the edge only."""
    return ECKey.generate_key(CURVE, private=True)


class KeyRing:
    """The signing keys. The database says which one is at work; parsed keys are remembered by their id."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._by_kid: dict[str, ECKey] = {}

    async def ensure(self, candidate: ECKey, *, now: datetime) -> None:
        """Put `candidate` to work if no key is."""
        await self._db.pool.execute(
            SQL["insert_signing_key"], candidate.thumbprint(), candidate.as_pem(private=True).decode(), now
        )

    async def rotate(self, candidate: ECKey, *, now: datetime, overlap: timedelta = timedelta()) -> None:
        """Make `candidate` known now, and let it sign in place of the key at work after `overlap`, in every process."""
        async with self._db.transaction() as tx:
            await tx.execute(SQL["retire_signing_keys"], now + overlap)
            await tx.execute(
                SQL["insert_signing_key"],
                candidate.thumbprint(), candidate.as_pem(private=True).decode(), now,
            )  # fmt: skip

    async def at_work(self, *, now: datetime) -> tuple[str, ECKey]:
        """Return the id and the key that signs now. Read each time, so that no process signs with a retired key."""
        row = await self._db.pool.fetchrow(SQL["signing_key_at_work"], now)
        assert row is not None, "no signing key: ensure() runs when the application starts"
        return row["kid"], self._parsed(row["kid"], row["private_pem"])

    async def verifying(self, kid: str, *, now: datetime) -> ECKey | None:
        """Return the key of this id if it may verify now. A key once seen is remembered for this process's life.

        That a retired key is remembered does no harm: the session that a token names ends all the same.
        """
        if kid not in self._by_kid:
            await self._load(now)
        return self._by_kid.get(kid)

    async def published(self, *, now: datetime) -> Jwks:
        """Return the public halves of the keys that verify now, oldest first."""
        return Jwks(keys=[_public(kid, self._by_kid[kid]) for kid in await self._load(now)])

    async def _load(self, now: datetime) -> list[str]:
        rows = await self._db.pool.fetch(SQL["verifying_keys"], now - VERIFIES_AFTER_RETIREMENT)
        for row in rows:
            self._parsed(row["kid"], row["private_pem"])
        return [row["kid"] for row in rows]

    def _parsed(self, kid: str, private_pem: str) -> ECKey:
        if kid not in self._by_kid:
            self._by_kid[kid] = ECKey.import_key(private_pem)
        return self._by_kid[kid]


def _public(kid: str, key: ECKey) -> Jwk:
    numbers = key.as_dict(private=False)
    return Jwk(kty="EC", crv=CURVE, x=str(numbers["x"]), y=str(numbers["y"]), kid=kid, alg=ALGORITHM, use="sig")
