"""Beside the password, on a device where its owner hasn't signed in before: show in a second way who is there.

One password opens every lock of whoever learns it. On a new device it takes something besides: the phone that receives
text messages, or a recovery code on paper. Who has a passkey needs no password: it is both at once.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tikiwallet.identity.proofs import ProofWrong, RecoveryCode
from tikiwallet.identity.recovery_codes import RecoveryCodes
from tikiwallet.identity.step_up import ways
from tikiwallet.identity.text_proofs import Asker, TextCode, TextProofs, TextPurpose, TextSent
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import Person, PersonId, Proof
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

SECOND: Final = (Proof.PASSKEY, Proof.TEXT_MESSAGE, Proof.RECOVERY_CODE)


class SecondProofRequired(Refused):
    """You haven't signed in on this device before: show in a second way that it is you."""

    code, kind = "second_proof_required", Kind.FORBIDDEN


class SecondProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What shows beside the password that it is me: one of the two. (By passkey one signs in without a password.)"""

    recovery_code: RecoveryCode | None = None
    text_message: TextCode | None = None

    def __post_init__(self) -> None:
        if (self.recovery_code is None) == (self.text_message is None):
            raise ValueError("Give a recovery code or the code from a text message")


class SecondProofs:
    """The second proofs of everybody who signs in on a new device."""

    def __init__(
        self, db: Database, *, recovery_codes: RecoveryCodes, texts: TextProofs, throttling: Throttling
    ) -> None:
        self._db = db
        self._recovery_codes = recovery_codes
        self._texts = texts
        self._throttling = throttling

    async def send_text(self, person: Person, *, request_id: UUID, code: str, now: datetime) -> TextSent:
        """Send a code to somebody who gave the right password. Refusals: `TooManyRequests`, `SmsUnavailable`."""
        return await self._texts.send(
            _asker(person.person_id), phone=person.phone, request_id=request_id, code=code, now=now
        )

    async def check(self, person_id: PersonId, given: SecondProof | None, *, now: datetime) -> SecondProof:
        """Count a try, and return what was given if it may be used beside the password; `use` then decides.

        Refusals: `SecondProofRequired` with the ways that the person has, `TooManyRequests`, `ProofWrong`, those of
        `TextProofs.check`.
        """
        if given is None:
            raise SecondProofRequired(methods=await ways(self._db, person_id, SECOND))
        await self._throttling.proof(person_id, now=now)
        text = given.text_message
        if text is not None and not await self._texts.check(_asker(person_id), text, now=now):
            raise ProofWrong(field="proof")
        return given

    async def use(self, tx: Connection, person_id: PersonId, given: SecondProof, *, now: datetime) -> None:
        """Use a second proof up in the transaction of the sign-in: of several at once, only one gets past here.

        Refusals: `ProofWrong`, those of `TextProofs.use`.
        """
        if given.text_message is not None:
            await self._texts.use(tx, _asker(person_id), given.text_message, now=now)
            return
        assert given.recovery_code is not None, "exactly one proof is given"
        if not await self._recovery_codes.use(tx, person_id, given.recovery_code, now=now):
            raise ProofWrong("This is none of your recovery codes, or it was used already.", field="recovery_code")


def _asker(person_id: PersonId) -> Asker:
    # No session yet: only who asked for the text message knows the id of its request.
    return Asker(person_id, TextPurpose.SIGN_IN, "")
