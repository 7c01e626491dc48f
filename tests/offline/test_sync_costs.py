"""What a sync costs grows with what is brought, and not with what was brought before."""

import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from offline.conftest import PhoneOf, run_sql
from offline.phone import Phone
from tikicash.messages import Bundle
from tikiwallet.offline import documents
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Queries


class Counted:
    """What one sync after the other asks the database, and how many kept documents are read again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[str] = []
        self.documents = 0
        look_up, signed = Queries.__getitem__, documents.signed

        def remember(queries: Queries, name: str) -> str:
            if queries is SQL:
                self.queries.append(name)
            return look_up(queries, name)

        def count(payload: bytes, signature: bytes) -> Any:
            self.documents += 1
            return signed(payload, signature)

        monkeypatch.setattr(Queries, "__getitem__", remember)
        monkeypatch.setattr(documents, "signed", count)

    async def sync(self, phone: Phone, *bundles: Bundle) -> tuple[list[str], int]:
        self.queries, self.documents = [], 0
        await phone.sync(*bundles)
        return self.queries, self.documents


def payments(payer: Phone, payee: Phone, count: int) -> list[Bundle]:
    """Some payments of one cent, each in a bundle of its own."""
    return [payee.bundle_of(payee.paid_by(payer, 1).payment) for _ in range(count)]


@pytest.mark.parametrize("receive_only", [False, True])
async def test_a_sync_asks_as_much_however_many_payments_it_brings_and_there_are(
    phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch, receive_only: bool
) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben", receive_only=receive_only)
    await asha.load("50.00")
    await ben.sync(*payments(asha, ben, 1))
    counted = Counted(monkeypatch)
    few = await counted.sync(ben, *payments(asha, ben, 2))
    await counted.sync(ben, *payments(asha, ben, 100))
    many = await counted.sync(ben, *payments(asha, ben, 60))
    assert many == few
    assert len(few[0]) <= (32 if receive_only else 5), few[0]
    assert few[1] == 0  # no payment and no voucher is read again


async def test_what_was_spent_twice_or_handed_on_is_judged_from_the_documents(
    phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    ben.paid_by(asha, 1000)
    chi.paid_by(ben, 400)
    counted = Counted(monkeypatch)
    queries, read = await counted.sync(chi)
    assert "payments_touching" in queries
    assert read > 1


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


OLD_CLAIMS = """
    SET session_replication_role = replica;
    INSERT INTO offline.payment (
        document_id, payload, signature, payer_key_id, payee_key_id, currency, total_minor, recorded_at
    )
    SELECT sha256(('old' || n)::bytea), 'payload', decode(repeat('00', 64), 'hex'), payer_key_id, payee_key_id, 702, 1,
        now() - interval '100 days'
    FROM generate_series(1, 3000) AS n, (SELECT * FROM offline.payment LIMIT 1) AS payment;
    INSERT INTO offline.piece
    SELECT sha256(('old' || n)::bytea), 1, md5('closed' || n)::uuid, sha256(('closed' || n)::bytea), int8range(n, n + 1)
    FROM generate_series(1, 3000) AS n;
    RESET session_replication_role;
    ANALYZE;
"""


async def test_what_closed_long_ago_is_not_looked_at(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    await ben.sync(*payments(asha, ben, 5))
    owner = await asyncpg.connect(database_url, server_settings={"plan_cache_mode": "force_generic_plan"})
    try:
        await owner.execute(OLD_CLAIMS)
        explained = await owner.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {SQL['claims_of_keys']}", [ben.id]
        )  # fmt: skip
        found = await owner.fetch(SQL["claims_of_keys"], [ben.id])
    finally:
        await owner.close()
    assert len(found) == 5
    plan = json.loads(explained)[0]["Plan"]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in nodes(plan)) < 50


async def test_retries_are_not_compared_with_each_other(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    retries = [asha.sign_payment(ben.request(100), (asha.voucher_piece(0, 100),)) for _ in range(120)]
    await ben.sync(*retries[:60])
    await ben.sync(*retries[60:])
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("ANALYZE")
        new_ids = [item.documents[-1].id for item in retries[60:]]
        touched = [row["voucher_id"] for row in await owner.fetch("SELECT voucher_id FROM offline.voucher")]
        explained = await owner.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {SQL['vouchers_in_conflict']}", new_ids, touched
        )  # fmt: skip
    finally:
        await owner.close()
    rows = sum(node["Actual Rows"] * node["Actual Loops"] for node in nodes(json.loads(explained)[0]["Plan"]))
    assert rows < 20 * len(retries)  # each new one with each other would be 60 x 119, twice
    assert await run_sql(database_url, "SELECT 1 FROM offline.proof") == []
