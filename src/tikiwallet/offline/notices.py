"""Notices: a first double spend that cost nobody but whoever did it.

A phone that was restored from a full image doesn't know what it spent since, and looks like a cheat. Such a phone is
told apart by what came of it: the close made everybody good out of its owner's own money, it was little, and it is the
first. Then the key stays blocked and the proof stays on record, but the owner may load again, on a new key. Once in a
person's life: a second one, or one that cost anybody else anything, stops loading as every other double spend does.
Rule: protocol/spec/05-close.md.
"""

from collections.abc import Mapping
from uuid import UUID

import structlog

from tikiwallet.offline.close_plan import ClosePlan
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection

log = structlog.get_logger()


def harmless(plan: ClosePlan) -> dict[UUID, int]:
    """Return what each person owes in a close in which everybody was made good by those who owed it; else nobody.

    Early releases that a person owes back are money of the operator's, so that such a person isn't among them.
    """
    is_made_good = all(
        item.from_shares_minor + item.from_online_minor == item.owed_minor for item in plan.liabilities
    )  # fmt: skip
    if not is_made_good or any(share.top_minor for share in plan.shares):
        return {}
    in_debt = {debt.person_id for debt in plan.debts}
    return {
        item.person_id: item.owed_minor
        for item in plan.liabilities
        if item.person_id is not None and item.person_id not in in_debt
    }


async def note(tx: Connection, plan: ClosePlan, *, limits_minor: Mapping[UUID, int]) -> None:
    """Write down whose double spend in a close is a notice, and retire the keys that did it.

    `limits_minor` says for each person how little it has to be. The caller holds `lock_holder` of all of them, and has
    written down the liabilities of the close.
    """
    for person_id, owed_minor in sorted(harmless(plan).items()):
        if owed_minor > limits_minor[person_id]:
            continue
        if await tx.fetchval(SQL["insert_notice"], person_id, plan.voucher_id, owed_minor) is not None:
            await tx.execute(SQL["retire_named"], person_id)
            log.info("double spend is a notice", voucher_id=str(plan.voucher_id), owed_minor=owed_minor)
