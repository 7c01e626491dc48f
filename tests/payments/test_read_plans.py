"""What a payment, a balance and a history ask of the database stays a few looks into indexes, however much there is.

Plans are those of the server's connections (generic, made once), on tables that are large and were analysed.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from databases import database_of, execute
from tikiwallet.identity.queries import SQL as IDENTITY
from tikiwallet.ledger.service import POSTING_NO_MAX
from tikiwallet.ledger.service import SQL as LEDGER
from tikiwallet.payments.wallets import SQL as PAYMENTS
from tikiwallet.platform.http import PAGE_SIZE_DEFAULT

PEOPLE = 10_000
WITH_HISTORY = 1000
POSTINGS_EACH = 30
FILL = (
    """INSERT INTO identity.person (person_id, username, phone, password_hash, tier, created_at)
       SELECT md5('person' || n)::uuid, 'person' || n, '+6591' || lpad(n::text, 6, '0'), '$argon2id$', 'phone', now()
       FROM generate_series(1, $1::integer) AS n""",
    """INSERT INTO identity.session (session_id, person_id, issued_at, expires_at)
       SELECT md5('session' || n)::uuid, md5('person' || n)::uuid, now(), now() + interval '1 hour'
       FROM generate_series(1, $1::integer) AS n""",
    """INSERT INTO payments.wallet (account_id, person_id, currency)
       SELECT md5('account' || n)::uuid, md5('person' || n)::uuid, 'SGD' FROM generate_series(1, $1::integer) AS n""",
    """INSERT INTO ledger.account (account_id, kind, currency, balance_minor, balance_min_minor, posting_count)
       SELECT md5('account' || n)::uuid, 'wallet', 'SGD', 0, 0, 0 FROM generate_series(1, $1::integer) AS n""",
)
FILL_POSTINGS = """INSERT INTO ledger.posting
    SELECT md5('account' || n)::uuid, no, md5(n || '/' || no)::uuid, md5('account' || n % $1::integer + 1)::uuid,
        CASE WHEN no % 2 = 0 THEN -5 ELSE 5 END, 0, now(), 'payment', 'tea'
    FROM generate_series(1, $2::integer) AS n, generate_series(1, $3::integer) AS no"""
SERVER_SETTINGS = {"plan_cache_mode": "force_generic_plan", "jit": "off"}


@pytest.fixture(scope="module")
def city_url(cluster: str, template: str) -> Iterator[str]:
    """The URL of a database with a few thousand people, made once for all tests here, which only read it."""
    name = f"city_{uuid4().hex}"

    async def fill() -> None:
        await execute(cluster, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        connection = await asyncpg.connect(database_of(cluster, name))
        for statement in FILL:
            await connection.execute(statement, PEOPLE)
        await connection.execute(FILL_POSTINGS, PEOPLE, WITH_HISTORY, POSTINGS_EACH)
        await connection.execute("ANALYZE")
        await connection.close()

    asyncio.run(fill())
    yield database_of(cluster, name)
    asyncio.run(execute(cluster, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def city(city_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection like the server's."""
    connection = await asyncpg.connect(city_url, server_settings=SERVER_SETTINGS)
    yield connection
    await connection.close()


def ids(kind: str, numbers: range) -> list[UUID]:
    """The ids that `FILL` makes, asked of nobody: md5 as a UUID."""
    return [UUID(hashlib.md5(f"{kind}{n}".encode(), usedforsecurity=False).hexdigest()) for n in numbers]


async def plan_of(connection: asyncpg.Connection, query: str, *values: object) -> dict[str, Any]:
    rows = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query}", *values)
    plan: dict[str, Any] = json.loads(rows)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def assert_no_scan(plan: dict[str, Any]) -> None:
    scans = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    assert not scans, json.dumps(plan, indent=1)


def buffers(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


async def test_sessions_and_people_are_a_few_looks_each(city: asyncpg.Connection) -> None:
    sessions, people = ids("session", range(1, 41)), ids("person", range(1, 21))
    phones = [f"+6591{n:06d}" for n in range(101, 121)]
    names = [f"person{n}" for n in range(201, 221)]
    for asked, rows, buffers_max in (
        ((sessions, [], [], []), 40, 40 * 8),
        (([], people, phones, names), 60, 60 * 5),
        ((sessions, people, phones, names), 100, 40 * 8 + 60 * 5),
        ((sessions[:1], [], [], names[:1]), 2, 8 + 5),  # a payment alone
    ):
        plan = await plan_of(city, IDENTITY["sessions_and_people"], *asked)
        assert_no_scan(plan)
        assert plan["Actual Rows"] == rows
        assert buffers(plan) <= buffers_max


async def test_owners_of_wallets_and_balances_are_one_look_each(city: asyncpg.Connection) -> None:
    for query in (PAYMENTS["wallet_owners"], LEDGER["accounts"]):
        plan = await plan_of(city, query, ids("account", range(1, 41)))
        assert_no_scan(plan)
        assert plan["Actual Rows"] == 40
        assert buffers(plan) <= 40 * 4


@pytest.mark.parametrize("pages", [1, 50])
async def test_the_first_page_of_a_history_is_one_range_each(city: asyncpg.Connection, pages: int) -> None:
    accounts = ids("account", range(1, pages + 1))
    plan = await plan_of(
        city, LEDGER["pages"], accounts, [POSTING_NO_MAX] * pages, [PAGE_SIZE_DEFAULT] * pages
    )  # fmt: skip
    assert_no_scan(plan)
    assert plan["Actual Rows"] == pages * PAGE_SIZE_DEFAULT
    assert buffers(plan) <= pages * (PAGE_SIZE_DEFAULT + 4) + 12


async def test_a_filtered_history_is_a_range_too(city: asyncpg.Connection) -> None:
    (account,) = ids("account", range(1, 2))
    since = datetime(2000, 1, 1, tzinfo=UTC)
    plan = await plan_of(city, LEDGER["statement"], account, POSTING_NO_MAX, since, None, ["payment"], -1, 20)
    assert_no_scan(plan)
    assert buffers(plan) <= POSTINGS_EACH + 60
