"""A new password for who is signed in and knows the old one.

A session alone isn't enough: a phone that lies on a table would give whoever finds it the wallet for good. Who has
forgotten the password and has a passkey signs in by that, or shows it again, which counts as much.
"""

from datetime import datetime

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.passwords import PasswordHasher, check_password
from tikiwallet.identity.proofs import ProofWrong
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.step_up import FRESH_FOR
from tikiwallet.identity.texts import TextMessages
from tikiwallet.identity.throttling import Throttling
from tikiwallet.identity.types import PersonId, Proof
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Database
from tikiwallet.platform.http import Caller


class PasswordChanges:
    """New passwords for people who are signed in."""

    def __init__(self, db: Database, *, hasher: PasswordHasher, texts: TextMessages, throttling: Throttling) -> None:
        self._db = db
        self._hasher = hasher
        self._texts = texts
        self._throttling = throttling

    async def change(self, caller: Caller, *, old_password: str, new_password: str, by: By, now: datetime) -> None:
        """Set the password, end every other session, and forget a new one that waits.

        Refusals: `ProofWrong` (the old password; "" counts after a fresh proof by passkey), `PasswordRefused`,
        `TooManyRequests`, `Overloaded`.
        """
        await self._throttling.proof(PersonId(caller.person_id), now=now)
        person = await self._db.pool.fetchrow(SQL["password_of_person"], caller.person_id)
        check_password(new_password, phone=person["phone"], username=person["username"])
        is_proven = not old_password and await self._has_shown_a_passkey(caller, now)
        if not is_proven and not await self._hasher.matches(old_password, person["password_hash"]):
            raise ProofWrong(field="old_password")
        password_hash = await self._hasher.hash(new_password)
        async with self._db.transaction() as tx:
            await tx.execute(SQL["lock_person"], caller.person_id)
            await tx.execute(SQL["set_password"], caller.person_id, password_hash)
            await tx.execute(SQL["end_waiting_password_reset"], caller.person_id, now, "replaced")
            await tx.execute(SQL["revoke_sessions_of_person"], caller.person_id, caller.session_id, now)
            await AUDIT.record(tx, Act.PASSWORD_CHANGED, by=by, about=caller.person_id, now=now)
        text = "The password of your TikiWallet was changed. If it wasn't you, ask for a new one and tell the operator."
        await self._texts.tell(person["phone"], text, now=now)

    async def _has_shown_a_passkey(self, caller: Caller, now: datetime) -> bool:
        row = await self._db.pool.fetchrow(SQL["session_proof"], caller.session_id, caller.person_id)
        return row is not None and row["proved_by"] == Proof.PASSKEY and now - row["proved_at"] <= FRESH_FOR
