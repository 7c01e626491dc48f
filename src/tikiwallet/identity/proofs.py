"""Show again who is there, while signed in: whatever a person can give is judged here.

A try counts before it is judged, and a code is used up in the transaction that writes the proof down.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from tikiwallet.identity.passkeys import Assertion, Passkeys, Purpose
from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.step_up import Proven, StepUps
from tikiwallet.identity.text_proofs import Asker, TextCode, TextProofs, TextPurpose, TextSent
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import PersonId, Proof
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller

Secret = Annotated[str, msgspec.Meta(max_length=1024)]
RecoveryCode = Annotated[str, msgspec.Meta(max_length=40)]


class ProofWrong(Refused):
    """This doesn't prove that it is you; try again, or another way."""

    code, kind = "proof_wrong", Kind.UNPROCESSABLE


class GivenProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What shows that it is me: exactly one of these."""

    password: Secret | None = None
    passkey: Assertion | None = None
    recovery_code: RecoveryCode | None = None
    text_message: TextCode | None = None

    def __post_init__(self) -> None:
        if (
            sum(given is not None for given in (self.password, self.passkey, self.recovery_code, self.text_message))
            != 1
        ):
            raise ValueError("Give one proof: a password, a passkey, a recovery code or a text message")


class Proofs:
    """Whatever people can show, judged."""

    def __init__(
        self,
        db: Database,
        *,
        hasher: PasswordHasher,
        passkeys: Passkeys,
        recovery_codes: RecoveryCodes,
        texts: TextProofs,
        step_up: StepUps,
        throttling: Throttling,
    ) -> None:
        self._db = db
        self._hasher = hasher
        self._passkeys = passkeys
        self._recovery_codes = recovery_codes
        self._texts = texts
        self._step_up = step_up
        self._throttling = throttling

    async def prove(self, caller: Caller, given: GivenProof, *, now: datetime) -> Proven:
        """Let the caller's session prove who is there.

        Refusals: `ProofWrong`, `TooManyRequests`, `Overloaded`; those of `Passkeys.recognise` and `TextProofs.check`.
        """
        person_id = PersonId(caller.person_id)
        await self._throttling.proof(person_id, now=now)
        if given.password is not None:
            row = await self._db.pool.fetchrow(SQL["credentials_of_person"], person_id)
            if not await self._hasher.matches(given.password, row["password_hash"]):
                raise ProofWrong(field="password")
            proof = Proof.PASSWORD
        elif given.passkey is not None:
            await self._passkeys.recognise(given.passkey, Purpose.STEP_UP, caller, now=now)
            proof = Proof.PASSKEY
        else:
            return await self._prove_by_code(caller, given, now=now)
        async with self._db.transaction() as tx:
            return await self._step_up.record(tx, caller, proof, now=now)

    async def _prove_by_code(self, caller: Caller, given: GivenProof, *, now: datetime) -> Proven:
        asker = _in_session(caller)
        if given.text_message is not None and not await self._texts.check(asker, given.text_message, now=now):
            raise ProofWrong(field="text_message")
        async with self._db.transaction() as tx:
            await self._use(tx, asker, given, now=now)
            proof = Proof.TEXT_MESSAGE if given.text_message is not None else Proof.RECOVERY_CODE
            return await self._step_up.record(tx, caller, proof, now=now)

    async def send_text(self, caller: Caller, *, request_id: UUID, code: str, now: datetime) -> TextSent:
        """Send the caller a code that proves who is there. Refusals: `TooManyRequests`, `SmsUnavailable`."""
        row = await self._db.pool.fetchrow(SQL["credentials_of_person"], caller.person_id)
        return await self._texts.send(
            _in_session(caller), phone=row["phone"], request_id=request_id, code=code, now=now
        )

    async def _use(self, tx: Connection, asker: Asker, given: GivenProof, *, now: datetime) -> None:
        if given.text_message is not None:
            await self._texts.use(tx, asker, given.text_message, now=now)
            return
        assert given.recovery_code is not None, "exactly one proof is given"
        if not await self._recovery_codes.use(tx, asker.person_id, given.recovery_code, now=now):
            raise ProofWrong("This is none of your recovery codes, or it was used already.", field="recovery_code")


def _in_session(caller: Caller) -> Asker:
    return Asker(PersonId(caller.person_id), TextPurpose.STEP_UP, str(caller.session_id))
