"""People with phones, ready to pay each other without a network."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crashes import FailingLedger, open_database, open_ledger
from offline.phone import Phone
from tikicash.messages import Bundle, Refusal, Signed
from tikiwallet.identity.directory import People
from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.rows import rows_of
from tikiwallet.identity.types import Person, PersonId, Tier
from tikiwallet.offline.service import Offline
from tikiwallet.offline.sync import SyncOrder
from tikiwallet.offline.types import Device, DeviceId
from tikiwallet.platform.audit import By
from tikiwallet.platform.money import Amount
from world import World, money, settings_for_tests

PhoneOf = Callable[..., Awaitable[Phone]]


async def run_sql(database_url: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Run a statement as the owner of the database."""
    connection = await asyncpg.connect(database_url)
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return found
    finally:
        await connection.close()


async def until(database_url: str, question: str, *arguments: object) -> None:
    """Return when the answer to a question to the database is yes."""
    async with asyncio.timeout(30):
        while not (await run_sql(database_url, question, *arguments))[0][0]:
            pass


async def until_waiting(database_url: str, count: int) -> None:
    """Return when so many sessions of a database wait for locks that others hold."""
    waiting = (
        "SELECT count(*) = $1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    await until(database_url, waiting, count)


async def let_claims_end(database_url: str, *voucher_ids: UUID, at: str = "now") -> None:
    """Let the time for claims on vouchers (default: all) end at an instant: what was brought until then is in time."""
    owner = await asyncpg.connect(database_url)
    try:
        async with owner.transaction():
            await owner.execute("SET LOCAL session_replication_role = replica")  # the trigger lets time only grow
            await owner.execute(
                """
                UPDATE offline.voucher SET claim_by = ended.at, claim_until = ended.at,
                    spend_by = ended.at - interval '1 day', issued_at = ended.at - interval '2 days'
                FROM (SELECT CASE $1
                    WHEN 'now' THEN clock_timestamp()
                    WHEN 'soon' THEN clock_timestamp() + interval '2 s'
                    ELSE $1::text::timestamptz END AS at) AS ended
                WHERE $2::uuid[] = '{}' OR voucher_id = ANY($2::uuid[])
                """,
                at, list(voucher_ids),
            )  # fmt: skip
    finally:
        await owner.close()


async def identify(world: World, username: str, tier: Tier) -> None:
    await world.identity.operators.set_tier(username, tier, by=By.operator("tests"), now=world.clock.now)


@pytest.fixture
def phone_of(world: World) -> PhoneOf:
    """Sign somebody up and register a phone: `await phone_of("asha", "100.00")`."""

    async def make(
        username: str, funds: str = "0.00", *, tier: Tier = Tier.IDENTIFIED, receive_only: bool = False
    ) -> Phone:
        (owner,) = await world.people(**{username: funds})
        if tier is not Tier.PHONE:
            await identify(world, username, tier)
        return await Phone(owner, world, f"{username}'s phone").register(receive_only=receive_only)

    return make


def balance(view: dict[str, Any], part: str) -> int:
    """One sum of a money view, in minor units."""
    return sum(item["amount_minor"] for item in view[part])


def parts(view: dict[str, Any]) -> dict[str, int]:
    """All sums of a money view, in minor units."""
    return {part: balance(view, part) for part in ("online", "offline", "final", "provisional", "underway")}


async def stop_watching(database_url: str) -> None:
    """Take the server's watch away: a test that closes by hand must not meet it when a minute begins."""
    queue = "offline_jobs.pgqueuer WHERE entrypoint = 'watch'"
    async with asyncio.timeout(30):
        while await run_sql(database_url, f"SELECT 1 FROM {queue} AND status IN ('queued', 'picked')"):
            await run_sql(database_url, f"DELETE FROM {queue} AND status = 'queued'")


class OfflineParts:
    """The offline context beside the one of the application: for jobs run by hand, and for a ledger that dies."""

    def __init__(self, offline: Offline, now: datetime) -> None:
        self.offline = offline
        self.now = now

    def break_ledger(self, point: str, *, nth: int = 1) -> None:
        """Let the n-th post from now on die `before` or `after` it happened."""
        for part in (self.offline.vouchers, self.offline.releases, self.offline.debts):
            part._ledger = FailingLedger(part._ledger, point, nth=nth)

    async def device_of(self, phone: Phone) -> Device:
        return await self.offline.devices.find(DeviceId(UUID(phone.device_id)), PersonId(phone.owner.person_id))

    async def owner_of(self, phone: Phone) -> Person:
        person = await self.offline._directory.person(PersonId(phone.owner.person_id))
        assert person is not None
        return person

    async def sync(
        self, phone: Phone, *bundles: Bundle, refusals: Iterable[Signed[Refusal]] = (), wanted: str = ""
    ) -> None:
        """What the route does with a sync, on this side of the application."""
        await self.offline.syncs.sync(
            SyncOrder(
                device_id=DeviceId(UUID(phone.device_id)),
                bundles=tuple(item.to_bytes() for item in bundles),
                refusals=tuple(item.to_bytes() for item in refusals),
                offline_balance_wanted=self.amount(wanted) if wanted else None,
                more_follows=False,
            ),
            await self.owner_of(phone),
            draw=lambda below: below // 3,
            now=self.now,
        )

    def amount(self, text: str) -> Amount:
        return Amount(**money(text))


@pytest.fixture
async def offline_parts(world: World, database_url: str, data_dir: Path) -> AsyncIterator[OfflineParts]:
    async with (
        open_database(database_url, "offline") as db,
        open_database(database_url, "identity") as identity,
        open_ledger(database_url) as ledger,
    ):
        people = People(identity, rows=rows_of(identity), phones=PhoneRules(countries=(), default_country=""))
        offline = Offline(db, settings_for_tests(data_dir), ledger=ledger, directory=people)
        await offline.start(now=world.clock.now)
        await stop_watching(database_url)
        yield OfflineParts(offline, world.clock.now)
