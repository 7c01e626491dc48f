"""Ask again who is there before an act that would hurt if somebody else did it.

A session lasts for hours on a phone that lies on a table or a computer that several people use. So a large payment to
somebody new, a withdrawal or a change of what proves who one is needs a proof that is minutes old and belongs to this
very session. Signing in is one. The client gives it when it is refused, and then sends the same order again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import GuardedAct, PersonId, Proof, StepUpRequired
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.http import Caller, SessionInvalid

FRESH_FOR: Final = timedelta(minutes=5)

# A phone number can be moved to another SIM card by talking to a shop: a text message never moves money, nor gives
# anybody another way to prove who they are. A recovery code neither: on paper it lies beside the phone.
STRONG: Final = (Proof.PASSKEY, Proof.PASSWORD)
ACCEPTED: Final[Mapping[GuardedAct, tuple[Proof, ...]]] = {
    GuardedAct.PAYMENT: STRONG,
    GuardedAct.WITHDRAWAL: STRONG,
    GuardedAct.PASSKEYS: STRONG,
    GuardedAct.RECOVERY_CODES: STRONG,
    GuardedAct.PHONE_CHANGE: (*STRONG, Proof.RECOVERY_CODE),
    GuardedAct.EXPORT: (*STRONG, Proof.RECOVERY_CODE, Proof.TEXT_MESSAGE),
}


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has proven, and until when that counts."""

    proved_by: Proof
    fresh_until: datetime


class StepUps:
    """The proofs of everybody's sessions (`types.StepUp`)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def require(self, caller: Caller, act: GuardedAct, *, now: datetime) -> None:
        """Return if the caller's session has proven lately who is there, in a way that counts for `act`.

        Refusal: `StepUpRequired`, with the ways that this person has.
        """
        # Asked each time and never remembered: the proof may have been given to another process a moment ago.
        row = await self._db.pool.fetchrow(SQL["session_proof"], caller.session_id, caller.person_id)
        if row is None:
            raise SessionInvalid
        is_fresh = row["proved_at"] is not None and now - row["proved_at"] <= FRESH_FOR
        if not is_fresh or Proof(row["proved_by"]) not in ACCEPTED[act]:
            raise StepUpRequired(methods=await ways(self._db, PersonId(caller.person_id), ACCEPTED[act]))

    async def record(self, tx: Connection, caller: Caller, proof: Proof, *, now: datetime) -> Proven:
        """Write down that the session has proven who is there. Refusal: `SessionInvalid` if it ended meanwhile."""
        proved_at = await tx.fetchval(SQL["prove_session"], caller.session_id, caller.person_id, now, proof)
        if proved_at is None:
            raise SessionInvalid
        return Proven(proved_by=proof, fresh_until=proved_at + FRESH_FOR)


async def ways(db: Database, person_id: PersonId, proofs: Sequence[Proof]) -> list[Proof]:
    """Return those of `proofs` that a person can give, in the same order; everybody has a password and a phone."""
    row = await db.pool.fetchrow(SQL["means_of_proof"], person_id)
    assert row is not None, person_id
    lacking = {Proof.PASSKEY: not row["has_passkey"], Proof.RECOVERY_CODE: not row["has_recovery_code"]}
    return [proof for proof in proofs if not lacking.get(proof, False)]
