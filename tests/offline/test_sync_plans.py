"""What a sync asks of the database is found by an index, however many people, vouchers and payments there are."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from offline.conftest import PhoneOf
from offline.phone import double_spend
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Queries, as_array

# Rows enough that reading all of a table costs more than finding a few; the sums are those of a small town.
LIVED_IN = """
    SET session_replication_role = replica;
    INSERT INTO offline.holder (person_id) SELECT md5('person' || n)::uuid FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.device (
        device_id, person_id, public_key, key_id, name, shown_name, name_salt, receive_only, challenge_id,
        registered_at, budget_renewed_at
    )
    SELECT md5('device' || n)::uuid, md5('person' || n)::uuid, '\\x02' || sha256(n::text::bytea),
        substring(sha256(n::text::bytea) FOR 16), 'phone', 'somebody', '\\x00000000000000000000000000000000', false,
        md5('challenge' || n)::uuid, now(), now()
    FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.certificate
    SELECT sha256(('certificate' || n)::bytea), substring(sha256((n / 2)::text::bytea) FOR 16), 'payload',
        decode(repeat('00', 64), 'hex'), now(), now() + interval '1 day', 0
    FROM generate_series(1, 6000) AS n;
    INSERT INTO offline.voucher (
        voucher_id, person_id, device_id, key_id, currency, units, amount_minor, state, document_id, payload, signature,
        tier, cover_minor, issued_at, spend_by, claim_by, claim_until, opened_at
    )
    SELECT md5('voucher' || n)::uuid, md5('person' || n / 2)::uuid, md5('device' || n / 2)::uuid,
        substring(sha256((n / 2)::text::bytea) FOR 16), 702, int8range(n * 5000, n * 5000 + 5000), 5000, 'open',
        sha256(('voucher' || n)::bytea), 'payload', decode(repeat('00', 64), 'hex'), 2, 0, now(),
        now() + interval '7 days', now() + interval '14 days', now() + interval '14 days', now()
    FROM generate_series(1, 6000) AS n;
    INSERT INTO offline.payment (
        document_id, payload, signature, payer_key_id, payee_key_id, currency, total_minor
    )
    SELECT sha256(('payment' || n)::bytea), 'payload', decode(repeat('00', 64), 'hex'),
        substring(sha256((n / 10)::text::bytea) FOR 16), substring(sha256((n % 3000)::text::bytea) FOR 16), 702, 900
    FROM generate_series(1, 30000) AS n;
    INSERT INTO offline.piece
    SELECT sha256(('payment' || n)::bytea), 1, md5('voucher' || n / 5)::uuid, sha256(('voucher' || n / 5)::bytea),
        int8range(n * 1000, n * 1000 + 900)
    FROM generate_series(1, 30000) AS n;
    INSERT INTO offline.submission SELECT document_id, md5(n::text)::uuid FROM (
        SELECT document_id, row_number() OVER () AS n FROM offline.payment
    ) AS brought;
    INSERT INTO offline.refusal
    SELECT sha256(('refusal' || n)::bytea), sha256(('payment' || n)::bytea), 'key', 'payload',
        decode(repeat('00', 64), 'hex')
    FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.revocation
    SELECT substring(sha256(('revoked' || n)::bytea) FOR 16), n, 'retired' FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.proof
    SELECT least(sha256(('payment' || n)::bytea), sha256(('payment' || n + 1)::bytea)),
        greatest(sha256(('payment' || n)::bytea), sha256(('payment' || n + 1)::bytea)),
        substring(sha256((n / 10)::text::bytea) FOR 16), md5('person' || n / 10)::uuid, 'document'
    FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.advance (transfer_id, voucher_id, person_id, key_id, document_id, reason, amount_minor)
    SELECT md5('advance' || n)::uuid, md5('voucher' || n)::uuid, md5('person' || n)::uuid,
        substring(sha256(n::text::bytea) FOR 16), NULL, 'final', 1
    FROM generate_series(1, 6000) AS n;
    INSERT INTO offline.share (
        voucher_id, key_id, person_id, home_minor, sole_minor, shared_minor, top_minor, claimed_minor
    )
    SELECT md5('closed' || n)::uuid, substring(sha256(n::text::bytea) FOR 16), md5('person' || n)::uuid, 0, 0, 0, 0, 0
    FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.advance_posted SELECT transfer_id, now() FROM offline.advance;
    INSERT INTO offline.settlement
    SELECT md5('closed' || n)::uuid, 1, 0, 0, 0, 0, 0 FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.payout (transfer_id, voucher_id, person_id, amount_minor, posted_at)
    SELECT md5('payout' || n)::uuid, md5('closed' || n)::uuid, md5('person' || n)::uuid, 1, now()
    FROM generate_series(1, 6000) AS n;
    INSERT INTO offline.payout (transfer_id, voucher_id, key_id, amount_minor)
    SELECT md5('waits' || n)::uuid, md5('closed' || n)::uuid, substring(sha256(n::text::bytea) FOR 16), 1
    FROM generate_series(1, 6000) AS n;
    INSERT INTO offline.debt (voucher_id, person_id, amount_minor)
    SELECT md5('closed' || n)::uuid, md5('person' || n)::uuid, 1 FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.liability
    SELECT md5('closed' || n)::uuid, md5('person' || n)::uuid, NULL, 1, 1, 0, 0 FROM generate_series(1, 3000) AS n;
    INSERT INTO offline.notice
    SELECT md5('person' || n)::uuid, md5('closed' || n)::uuid, 1, 1 FROM generate_series(1, 3000) AS n;
    RESET session_replication_role;
    ANALYZE;
"""
ONE_ROW = {"network", "exposure"}
UNPACKED = re.compile(r"\(\$[0-9]+\)::")  # a parameter whose type is changed
# Those of a sync that brings payments, a double spend, a refusal and a hand-back, and asks for a balance.
HOT = (
    "signers_of", "device_of_person", "devices_by_key_id", "ensure_holder", "lock_holder", "lock_opened_vouchers",
    "vouchers_of_refused", "vouchers_to_release",
    "insert_certificates", "append_claims", "append_plain_claims", "late_payments", "vouchers_in_conflict",
    "payments_by_short_id",
    "insert_refusal", "pieces_touching", "payments_touching", "vouchers_below", "refused_payments",
    "all_payments_touching", "known_proofs", "certificates_of_keys", "insert_proof", "is_revoked", "next_epoch",
    "insert_revocation", "advanced_to_key", "hand_backs_advanced", "escrow_left", "is_advanced", "insert_advance",
    "add_released", "advance", "insert_advance_posted", "at_hand", "newest_revocations",
    "blocks_of_keys", "open_vouchers_of_device", "devices_of_person", "open_vouchers_of_keys", "claims_of_keys",
    "open_advances_of_person", "owners_of_keys", "closed_for_person", "newest_debt",
    "payouts_waiting_minor", "held",
)  # fmt: skip


@pytest.fixture
async def lived_in(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to a database in which a town has paid for a while, planning as the server does."""
    owner = await asyncpg.connect(database_url, server_settings={"jit": "off", "plan_cache_mode": "force_generic_plan"})
    try:
        await owner.execute(LIVED_IN)
        yield owner
    finally:
        await owner.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def plan_of(owner: asyncpg.Connection, query: str) -> dict[str, Any]:
    """The plan of a query, whatever it is asked."""
    statement = await owner.prepare(query)
    count = len(statement.get_parameters())
    nothing = f"({', '.join(['NULL'] * count)})" if count else ""
    await owner.execute(f"PREPARE asked AS {query}")
    (plan,) = json.loads(await owner.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked {nothing}"))
    await owner.execute("DEALLOCATE asked")
    found: dict[str, Any] = plan["Plan"]
    return found


async def read_through(owner: asyncpg.Connection, query: str) -> set[str]:
    """The tables that the plan of a query reads from the first row to the last."""
    plan = await plan_of(owner, query)
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} - ONE_ROW


async def unpacked_for_each_row(owner: asyncpg.Connection, query: str) -> set[str]:
    """The conditions that turn the text of an array into the array again for each row."""
    plan = await plan_of(owner, query)
    return {node["Filter"] for node in nodes(plan) if UNPACKED.search(node.get("Filter", ""))}


async def test_no_query_of_a_sync_reads_a_whole_table_or_unpacks_an_array_for_each_row(
    lived_in: asyncpg.Connection,
) -> None:
    found = {name: await read_through(lived_in, SQL[name]) for name in HOT}
    assert {name: tables for name, tables in found.items() if tables} == {}
    await lived_in.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")  # as while tables are small
    found = {name: await unpacked_for_each_row(lived_in, SQL[name]) for name in HOT}
    assert {name: conditions for name, conditions in found.items() if conditions} == {}


async def test_a_query_that_does_is_noticed(lived_in: asyncpg.Connection) -> None:
    assert await read_through(lived_in, "SELECT * FROM offline.payment WHERE total_minor = $1") == {"payment"}
    asked = "SELECT FROM offline.certificate WHERE document_id || '' = ANY($1::text::bytea[])"
    assert await unpacked_for_each_row(lived_in, asked)


async def read_through_in(owner: asyncpg.Connection) -> set[str]:
    """The tables that were read from the first row to the last since the transaction began."""
    rows = await owner.fetch(
        "SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'offline' AND seq_scan > 0"
    )
    return {row["relname"] for row in rows}


async def test_what_appends_reads_no_whole_table_either(lived_in: asyncpg.Connection) -> None:
    """The plans within a function, and those of its triggers, are seen by nobody but by what they do."""
    vouchers = await lived_in.fetch("SELECT voucher_id, document_id FROM offline.voucher ORDER BY voucher_id LIMIT 2")
    known = await lived_in.fetchval("SELECT min(document_id) FROM offline.payment")
    ids, payload = sorted([known, bytes(31) + b"\x01"]), "{x,y}"
    async with lived_in.transaction():
        before = await read_through_in(lived_in)
        new_ids, _, contested = await lived_in.fetchrow(
            SQL["append_claims"], uuid4(), b"".join(ids), payload, bytes(128), bytes(32), bytes(32), "{702,702}",
            "{1,1}", "{true,true}", "{1,2}", "{1,1}", b"".join(row["document_id"] for row in vouchers), "{0,0}",
            "{1,1}", as_array([row["voucher_id"] for row in vouchers]),
        )  # fmt: skip
        assert (new_ids, contested) == ([id_ for id_ in ids if id_ != known], [])
        fresh = bytes(31) + b"\x02"
        (plain_ids, _, _) = await lived_in.fetchrow(
            SQL["append_plain_claims"], uuid4(), fresh, "{x}", bytes(64), bytes(16), bytes(16), "{702}", "{1}",
            "{true}", "{1}", "{1}", vouchers[0]["document_id"], "{5}", "{6}",
        )  # fmt: skip
        assert plain_ids == [fresh]
        assert await lived_in.fetchval("SELECT count(*) FROM offline.submission WHERE document_id = $1", known) == 2
        assert await read_through_in(lived_in) == before == set()
        await lived_in.fetchval("SELECT count(*) FROM offline.payment WHERE total_minor = 1")
        assert await read_through_in(lived_in) == {"payment"}


async def test_every_query_of_a_sync_is_looked_at(phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben", "100.00"), await phone_of("chi")
    await mallory.load("50.00")
    await ben.load("20.00")
    double_spend(mallory, ben, chi, 1000)
    await chi.sync()
    unwanted = mallory.sign_payment(ben.request(300), (mallory.voucher_piece(2000, 300),))
    ben.bundles += [unwanted, ben.hand_back(500)]
    asked: set[str] = set()
    real = Queries.__getitem__

    def remember(queries: Queries, name: str) -> str:
        if queries is SQL:
            asked.add(name)
        return real(queries, name)

    monkeypatch.setattr(Queries, "__getitem__", remember)
    await ben.sync(refusals=[ben.refuse(unwanted)])
    await ben.sync()
    assert asked - set(HOT) == set()
