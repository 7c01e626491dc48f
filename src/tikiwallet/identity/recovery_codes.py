"""Recovery codes: ten codes on paper, for the day when the phone is lost.

Without them, whoever loses the phone that receives text messages and holds the passkey is locked out, and has to talk
somebody at the operator into opening the wallet again, which a thief can do as well. A code has 50 random bits, so that
it can't be guessed from the hash even by whoever has the key of the hashes.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import GuardedAct, PersonId, StepUp
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.http import Caller

CODES: Final = 10  # the constraint ten_recovery_codes says the same
LENGTH: Final = 10
# Capitals and digits that nobody takes for each other on paper: neither I, 1, O nor 0.
ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class RecoveryCodesLeft(msgspec.Struct, frozen=True, kw_only=True):
    """How many recovery codes a person can still use, and since when they have them."""

    left: int
    made_at: datetime | None


def make_recovery_codes() -> list[str]:
    """Return fresh random codes, as they are shown ("ABCDE-FGHJK"). Called at the edge only."""
    return [_shown("".join(secrets.choice(ALPHABET) for _ in range(LENGTH))) for _ in range(CODES)]


class RecoveryCodes:
    """The recovery codes of everybody, stored as keyed hashes only."""

    def __init__(self, db: Database, *, key: bytes, step_up: StepUp) -> None:
        self._db = db
        self._key = key
        self._step_up = step_up

    async def replace(self, caller: Caller, codes: Sequence[str], *, by: By, now: datetime) -> RecoveryCodesLeft:
        """Put `codes` in the place of those that the caller had, which open nothing any more.

        Refusal: `StepUpRequired`.
        """
        assert len(set(codes)) == CODES, "the edge makes ten different codes"
        await self._step_up.require(caller, GuardedAct.RECOVERY_CODES, now=now)
        person_id = PersonId(caller.person_id)
        async with self._db.transaction() as tx:
            # Locked, so that of two who make new ones at once only one set is left.
            await tx.fetchrow(SQL["lock_person"], person_id)
            await tx.execute(SQL["delete_recovery_codes"], person_id)
            await tx.execute(SQL["insert_recovery_codes"], person_id, [self._hash(person_id, c) for c in codes], now)
            await AUDIT.record(tx, Act.RECOVERY_CODES_MADE, by=by, about=person_id, now=now)
        return RecoveryCodesLeft(left=CODES, made_at=now)

    async def left(self, caller: Caller) -> RecoveryCodesLeft:
        """Return how many the caller has left."""
        row = await self._db.pool.fetchrow(SQL["recovery_codes_of_person"], caller.person_id)
        assert row is not None, "an aggregate has one row"
        return RecoveryCodesLeft(left=row["left"], made_at=row["made_at"])

    async def use(self, tx: Connection, person_id: PersonId, code: str, *, now: datetime) -> bool:
        """Use a code up in the transaction of what it is for; False if it is none, or used already."""
        used = await tx.fetchval(SQL["use_recovery_code"], person_id, self._hash(person_id, code), now)
        return used is not None

    def _hash(self, person_id: PersonId, code: str) -> bytes:
        # However it was typed: people copy it from paper.
        plain = "".join(letter for letter in code.upper() if letter in ALPHABET)
        return hmac.digest(self._key, f"recovery/{person_id}/{plain}".encode(), hashlib.sha256)


def _shown(code: str) -> str:
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"
