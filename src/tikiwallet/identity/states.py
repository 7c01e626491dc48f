"""How an account may change its state: one place that writes it, with its entry in the audit log.

The trigger `person_state_follows_the_rules` says the same about what may follow what.
"""

from datetime import datetime

import asyncpg

from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.identity.queries import SQL
from tikiwallet.identity.types import FreezeReason, PersonId, PersonState
from tikiwallet.platform.audit import By
from tikiwallet.platform.db import Connection


async def change_state(
    tx: Connection,
    person_id: PersonId,
    before: asyncpg.Record,
    after: PersonState,
    *,
    by: By,
    now: datetime,
    reason: FreezeReason | None = None,
    note: str = "",
) -> None:
    """Write the state of a person whose row (`lock_person`) is locked; nothing if it stands so already.

    The last statement of its transaction. The database refuses what may not follow the state before.
    """
    because = reason.value if reason is not None else ""
    if (before["state"], before["frozen_because"]) == (after, because):
        return
    closed_at = now if after is PersonState.CLOSED else None
    await tx.execute(SQL["set_person_state"], person_id, after, because, closed_at)
    await AUDIT.record(
        tx, Act.STATE_CHANGED, by=by, about=person_id, now=now, before=before["state"], after=after.value,
        reason=because, **noted(note),
    )  # fmt: skip


def noted(note: str) -> dict[str, str]:
    """Return what an operator says about an act as a detail of its entry; none if nothing was said."""
    return {"note": note} if note else {}
