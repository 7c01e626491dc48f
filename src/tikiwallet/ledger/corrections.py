"""Corrections: money that operators move because something went wrong, proposed by one and approved by another.

Two people, because whoever could move money alone would sooner or later be asked to by a thief. What is approved is
decided, posted and written into the audit log in one transaction, so that a crash leaves all of it or nothing, and of
two approvals at once the second finds the first. The correction's id is the transfer's id: even without the lock, the
books take it once. What the accounts can't give or take is refused by the ledger's own rules, with nothing changed.

The money of a voucher belongs to whoever was paid with it, and money in flight to its operation: neither is corrected.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tikiwallet.ledger.service import ATTEMPTS_MAX, DISTURBED, SQL
from tikiwallet.ledger.types import (
    AccountId,
    PostOutcome,
    PostResult,
    TransferKind,
    refusal_of,
)
from tikiwallet.platform.audit import Audit, AuditQueries, By
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import IdempotencyKeyReused

PROPOSAL_TTL: Final = timedelta(hours=24)
REASON_LENGTH_MIN: Final = 8
SHOWN_MAX: Final = 100

AUDIT: Final = Audit(
    "ledger",
    AuditQueries(
        insert_entry=SQL["insert_audit_entry"],
        entries_after=SQL["audit_entries_after"],
        entries_about=SQL["audit_entries_about"],
        head=SQL["audit_head"],
    ),
)


class CorrectionUnknown(Refused):
    """There is no such correction; see the list of corrections."""

    code, kind = "correction_unknown", Kind.MISSING


class CorrectionDecided(Refused):
    """This correction was decided already; see how."""

    code, kind = "correction_decided", Kind.CONFLICT


class CorrectionExpired(Refused):
    """Nobody approved this correction within 24 hours; propose it again if it is still right."""

    code, kind = "correction_expired", Kind.CONFLICT


class CorrectionNeedsAnother(Refused):
    """You proposed this correction, so somebody else has to approve it."""

    code, kind = "correction_needs_another", Kind.FORBIDDEN


class AccountNotCorrectable(Refused):
    """A correction is between wallets and the operator's own accounts, in one currency; never with promised money."""

    code, kind = "account_not_correctable", Kind.UNPROCESSABLE


class Act(StrEnum):
    """What the audit log of the ledger holds. Each word is for ever."""

    CORRECTION_PROPOSED = "correction_proposed"
    CORRECTION_POSTED = "correction_posted"
    CORRECTION_REJECTED = "correction_rejected"


class CorrectionState(StrEnum):
    """Where a correction stands."""

    PROPOSED = "proposed"
    POSTED = "posted"
    REJECTED = "rejected"
    EXPIRED = "expired"  # proposed, and nobody approved it in time


class NewCorrection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be moved, and why. The owner of a wallet reads the reason."""

    correction_id: UUID  # chosen by the caller, so that a retry is the same correction
    debit_account_id: AccountId
    credit_account_id: AccountId
    amount_minor: int
    currency: str
    reason: str


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction as it stands."""

    correction_id: UUID
    debit_account_id: AccountId
    credit_account_id: AccountId
    amount_minor: int
    currency: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    state: CorrectionState
    decided_by: UUID | None
    decided_at: datetime | None

    @property
    def expires_at(self) -> datetime:
        """Until when it can be approved."""
        return self.proposed_at + PROPOSAL_TTL


class Corrections:
    """All corrections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def propose(self, new: NewCorrection, *, operator_id: UUID, by: By, now: datetime) -> Correction:
        """Write down that an operator wants this; nothing moves. Repeatable.

        Refusals: `AccountNotCorrectable`; `IdempotencyKeyReused` if the id stands for another one.
        """
        try:
            async with self._database.transaction() as tx:
                is_new = await tx.fetchval(
                    SQL["insert_correction"], new.correction_id, new.debit_account_id, new.credit_account_id,
                    new.amount_minor, new.currency, new.reason, operator_id, now,
                )  # fmt: skip
                if is_new:
                    await AUDIT.record(
                        tx, Act.CORRECTION_PROPOSED, by=by, about=new.correction_id, now=now, reason=new.reason,
                        amount=f"{new.amount_minor} {new.currency}",
                    )  # fmt: skip
        except (asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError) as error:
            if error.constraint_name not in NOT_CORRECTABLE:
                raise
            raise AccountNotCorrectable from error
        stored = await self.get(new.correction_id, now=now)
        if any(getattr(stored, name) != getattr(new, name) for name in NewCorrection.__struct_fields__):
            raise IdempotencyKeyReused
        return stored

    async def approve(self, correction_id: UUID, *, operator_id: UUID, by: By, now: datetime) -> Correction:
        """Post a correction that somebody else proposed. Repeatable by who approved it.

        Refusals: `CorrectionUnknown`, `CorrectionDecided`, `CorrectionExpired`, `CorrectionNeedsAnother`,
        `InsufficientFunds`, `LimitExceeded`, `WalletClosed`.
        """
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return await self._approve(correction_id, operator_id=operator_id, by=by, now=now)
            except DISTURBED:  # by another post: nothing has happened
                continue
        return await self._approve(correction_id, operator_id=operator_id, by=by, now=now)

    async def _approve(self, correction_id: UUID, *, operator_id: UUID, by: By, now: datetime) -> Correction:
        async with self._database.transaction() as tx:
            stored = _correction(await tx.fetchrow(SQL["lock_correction"], correction_id), now=now)
            if stored.state is CorrectionState.POSTED and stored.decided_by == operator_id:
                return stored  # the same click again
            _require_undecided(stored)
            if stored.proposed_by == operator_id:
                raise CorrectionNeedsAnother
            if stored.state is CorrectionState.EXPIRED:
                raise CorrectionExpired
            row = await tx.fetchrow(
                SQL["post_one"], stored.correction_id, stored.debit_account_id, stored.credit_account_id,
                stored.amount_minor, stored.currency, TransferKind.CORRECTION, stored.reason,
            )  # fmt: skip
            result = PostResult(outcome=PostOutcome(row["outcome"]), posted_at=row["posted_at"])
            if not result.is_posted:
                raise refusal_of(result.outcome)
            await tx.execute(SQL["decide_correction"], correction_id, CorrectionState.POSTED, operator_id, now)
            await AUDIT.record(
                tx, Act.CORRECTION_POSTED, by=by, about=correction_id, now=now, reason=stored.reason,
                amount=f"{stored.amount_minor} {stored.currency}",
            )  # fmt: skip
        return await self.get(correction_id, now=now)

    async def reject(self, correction_id: UUID, *, operator_id: UUID, by: By, now: datetime) -> Correction:
        """Let a correction never be posted; also who proposed it may. Repeatable by who rejected it.

        Refusals: `CorrectionUnknown`, `CorrectionDecided`.
        """
        async with self._database.transaction() as tx:
            stored = _correction(await tx.fetchrow(SQL["lock_correction"], correction_id), now=now)
            if stored.state is CorrectionState.REJECTED and stored.decided_by == operator_id:
                return stored
            _require_undecided(stored)
            await tx.execute(SQL["decide_correction"], correction_id, CorrectionState.REJECTED, operator_id, now)
            await AUDIT.record(
                tx, Act.CORRECTION_REJECTED, by=by, about=correction_id, now=now, reason=stored.reason
            )  # fmt: skip
        return await self.get(correction_id, now=now)

    async def get(self, correction_id: UUID, *, now: datetime) -> Correction:
        """Return one correction. Refusal: `CorrectionUnknown`."""
        return _correction(await self._database.pool.fetchrow(SQL["correction"], correction_id), now=now)

    async def newest(self, *, now: datetime) -> list[Correction]:
        """Return the newest corrections, at most `SHOWN_MAX`."""
        return [_correction(row, now=now) for row in await self._database.pool.fetch(SQL["corrections"], SHOWN_MAX)]


NOT_CORRECTABLE: Final = frozenset(
    {
        "correction_never_touches_promised_money", "correction_from_an_account", "correction_to_an_account",
        "correction_between_two_accounts",
    }
)  # fmt: skip


def _require_undecided(stored: Correction) -> None:
    if stored.state in {CorrectionState.POSTED, CorrectionState.REJECTED}:
        raise CorrectionDecided


def _correction(row: asyncpg.Record | None, *, now: datetime) -> Correction:
    if row is None:
        raise CorrectionUnknown
    found = Correction(**{**row, "state": CorrectionState(row["state"])})
    if found.state is CorrectionState.PROPOSED and now >= found.expires_at:
        return msgspec.structs.replace(found, state=CorrectionState.EXPIRED)
    return found
