"""A sync that dies anywhere is only repeated, and ends as if nothing had happened."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from crashes import Death
from offline.closes import assert_books_are_right
from offline.conftest import OfflineParts, PhoneOf, parts, run_sql
from offline.counted import CountedSteps, counting
from offline.phone import Phone, double_spend
from tikicash.messages import Bundle, Refusal, Signed
from tikiwallet.ledger.types import TransferId
from tikiwallet.offline.release import POST_ADVANCE
from tikiwallet.offline.types import VoucherId
from tikiwallet.offline.vouchers import OPEN_VOUCHER
from world import body_of

JOBS = "SELECT entrypoint, payload FROM offline_jobs.pgqueuer WHERE entrypoint = ANY($1::text[]) ORDER BY id"
COUNTS = """
    SELECT
        (SELECT count(*) FROM offline.payment) AS payments,
        (SELECT count(*) FROM offline.refusal) AS refusals,
        (SELECT count(*) FROM offline.proof) AS proofs,
        (SELECT count(*) FROM offline.revocation) AS blocked,
        (SELECT count(*) FROM offline.advance_posted) AS releases,
        (SELECT count(*) FROM offline.voucher WHERE state = 'open') AS vouchers,
        (SELECT count(*) FROM offline.voucher WHERE state <> 'open') AS others
"""


@dataclass(kw_only=True)
class Order:
    """Everything that one sync can bring and ask for."""

    ben: Phone
    bundles: tuple[Bundle, ...]
    refusal: Signed[Refusal]

    async def sync(self, offline_parts: OfflineParts) -> None:
        await offline_parts.sync(self.ben, *self.bundles, refusals=[self.refusal], wanted="25.00")


async def a_full_sync(phone_of: PhoneOf) -> Order:
    """Ben brings half of a double spend, a payment that he refuses, and money to hand back; and he wants more."""
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben", "100.00"), await phone_of("chi")
    await mallory.load("50.00")
    await ben.load("20.00")
    double_spend(mallory, ben, chi, 1000)
    await chi.sync()
    unwanted = mallory.sign_payment(ben.request(300), (mallory.voucher_piece(2000, 300),))
    back = ben.hand_back(500)
    received = next(item for item in ben.bundles if item is not back)
    return Order(ben=ben, bundles=(received, unwanted, back), refusal=ben.refuse(unwanted))


async def keep_promises(offline_parts: OfflineParts, database_url: str) -> None:
    """Do what the queue says, as the worker would when their time has come; what it has no job for stays undone."""
    for row in await run_sql(database_url, JOBS, [OPEN_VOUCHER, POST_ADVANCE]):
        key = UUID(bytes(row["payload"]).decode())
        if row["entrypoint"] == OPEN_VOUCHER:
            await offline_parts.offline.vouchers.open(VoucherId(key), now=offline_parts.now)
        else:
            await offline_parts.offline.releases.post(TransferId(key))


async def outcome(order: Order, database_url: str) -> tuple[dict[str, Any], dict[str, int]]:
    (counts,) = await run_sql(database_url, COUNTS)
    return dict(counts), parts(body_of(await order.ben.owner.get("/v1/offline/money"), 200))


# 20.00 loaded and 5.00 handed back and released at once; 10.00 fill the phone up to 25.00, the other 75.00 are online.
# Of the 10.00 that were spent twice, all is within Ben's cover.
COUNTED = {
    "payments": 4, "refusals": 1, "proofs": 1, "blocked": 1, "releases": 1, "vouchers": 3, "others": 0,
}  # fmt: skip
MONEY = {"online": 7500, "offline": 2500, "final": 1000, "provisional": 0, "underway": 0}
STEPS = [
    "transaction", "post", "insert_advance_posted", "transaction", "transaction", "open_account", "post", "transaction",
]  # fmt: skip


async def test_the_steps_of_a_sync_are_all_counted(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    order = await a_full_sync(phone_of)
    steps = CountedSteps()
    with counting(offline_parts, steps):
        await order.sync(offline_parts)
    # A new step belongs into this list, and so gets crashes of its own below.
    assert steps.done == STEPS
    assert await outcome(order, database_url) == (COUNTED, MONEY)
    await assert_books_are_right(database_url)


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1), ids=lambda at: f"{at}-{STEPS[at - 1]}")
async def test_a_sync_that_dies_after_a_step_is_only_repeated(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, number: int
) -> None:
    order = await a_full_sync(phone_of)
    with counting(offline_parts, CountedSteps(number)), pytest.raises(Death):
        await order.sync(offline_parts)
    await keep_promises(offline_parts, database_url)
    await order.sync(offline_parts)
    await keep_promises(offline_parts, database_url)
    assert await outcome(order, database_url) == (COUNTED, MONEY)
    await assert_books_are_right(database_url)
