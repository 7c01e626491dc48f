"""Ask again who is there before an act that would hurt if somebody else did it.

A session lasts for hours on a phone that lies on a table or a computer that several people use. So a large payment to
somebody new, a withdrawal or a change of what proves who one is needs a proof that is minutes old and belongs to this
very session. Signing in is one. The client gives it when it is refused, and then sends the same order again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import Act, PersonId, Proof, StepUpRequired
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, SessionInvalid

FRESH_FOR: Final = timedelta(minutes=5)

# A phone number can be moved to another SIM card by talking to a shop: a text message never moves money, nor gives
# anybody another way to prove who they are. A recovery code neither: on paper it lies beside the phone.
STRONG: Final = (Proof.PASSKEY, Proof.PASSWORD)
ACCEPTED: Final[Mapping[Act, tuple[Proof, ...]]] = {
    Act.PAYMENT: STRONG,
    Act.WITHDRAWAL: STRONG,
    Act.PASSKEYS: STRONG,
    Act.RECOVERY_CODES: STRONG,
    Act.PHONE_CHANGE: (*STRONG, Proof.RECOVERY_CODE),
    Act.EXPORT: (*STRONG, Proof.RECOVERY_CODE, Proof.TEXT_MESSAGE),
}


class ProofWrong(Refused):
    """This doesn't prove that it is you; try again, or another way."""

    code, kind = "proof_wrong", Kind.UNPROCESSABLE


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has proven, and until when that counts."""

    proved_by: Proof
    fresh_until: datetime


class StepUps:
    """The proofs of everybody's sessions (`types.StepUp`)."""

    def __init__(self, db: Database, *, hasher: PasswordHasher, throttling: Throttling) -> None:
        self._db = db
        self._hasher = hasher
        self._throttling = throttling

    async def require(self, caller: Caller, act: Act, *, now: datetime) -> None:
        """Return if the caller's session has proven lately who is there, in a way that counts for `act`.

        Refusal: `StepUpRequired`, with the ways that this person has.
        """
        # Asked each time and never remembered: the proof may have been given to another process a moment ago.
        row = await self._db.pool.fetchrow(SQL["session_proof"], caller.session_id, caller.person_id)
        if row is None:
            raise SessionInvalid
        is_fresh = row["proved_at"] is not None and now - row["proved_at"] <= FRESH_FOR
        if not is_fresh or Proof(row["proved_by"]) not in ACCEPTED[act]:
            means = await self._means(PersonId(caller.person_id))
            raise StepUpRequired(methods=[proof for proof in ACCEPTED[act] if has(means, proof)])

    async def prove_by_password(self, caller: Caller, password: str, *, now: datetime) -> Proven:
        """Refusals: `ProofWrong`, `TooManyRequests`, `Overloaded`."""
        await self._throttling.proof(PersonId(caller.person_id), now=now)
        means = await self._means(PersonId(caller.person_id))
        if not await self._hasher.matches(password, means["password_hash"]):
            raise ProofWrong(field="password")
        async with self._db.transaction() as tx:
            return await self.record(tx, caller, Proof.PASSWORD, now=now)

    async def record(self, tx: Connection, caller: Caller, proof: Proof, *, now: datetime) -> Proven:
        """Write down that the session has proven who is there. Refusal: `SessionInvalid` if it ended meanwhile."""
        proved_at = await tx.fetchval(SQL["prove_session"], caller.session_id, caller.person_id, now, proof)
        if proved_at is None:
            raise SessionInvalid
        return Proven(proved_by=proof, fresh_until=proved_at + FRESH_FOR)

    async def _means(self, person_id: PersonId) -> asyncpg.Record:
        row = await self._db.pool.fetchrow(SQL["means_of_proof"], person_id)
        assert row is not None, person_id  # a session belongs to a person, by a foreign key
        return row


def has(means: asyncpg.Record, proof: Proof) -> bool:
    """Return whether a person has this way to prove who they are; everybody has a password and a phone."""
    if proof is Proof.PASSKEY:
        return bool(means["has_passkey"])
    return proof is not Proof.RECOVERY_CODE or bool(means["has_recovery_code"])
