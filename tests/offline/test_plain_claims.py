"""What nobody else may have a claim to is appended by one statement; whatever isn't so plain leaves no trace of it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import asyncpg
import pytest

from crashes import Death
from offline.closes import assert_books_are_right
from offline.conftest import OfflineParts, PhoneOf, run_sql, until_waiting
from offline.counted import CountedSteps, counting
from offline.phone import Phone, double_spend
from tikicash.messages import Bundle
from tikiwallet.offline.claims import Appended

KEPT = """
    SELECT (SELECT count(*) FROM offline.payment), (SELECT count(*) FROM offline.piece),
        (SELECT count(*) FROM offline.submission), (SELECT count(*) FROM offline.voucher WHERE is_contested)
"""


async def kept(database_url: str) -> tuple[int, ...]:
    (row,) = await run_sql(database_url, KEPT)
    return tuple(row)


async def append_plain(parts: OfflineParts, phone: Phone, bundles: Iterable[Bundle]) -> Appended | None:
    """Try the short way alone."""
    claims = parts.offline.claims
    judged = await claims.judge([item.to_bytes() for item in bundles])
    chains = [item.chain for item in judged if item.chain is not None]
    assert len(chains) == len(judged)
    return await claims.append_plain(chains, (await parts.owner_of(phone)).person_id)


async def loaded(phone_of: PhoneOf) -> tuple[Phone, Phone, Phone]:
    asha, ben, chi = await phone_of("asha", "60.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("20.00")
    return asha, ben, chi


async def test_payments_straight_from_vouchers_are_appended_by_one_statement(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, _ = await loaded(phone_of)
    await asha.load("20.00")
    for amount_minor in (1500, 1500, 800):  # the last one of both vouchers
        ben.paid_by(asha, amount_minor)
    steps = CountedSteps()
    with counting(offline_parts, steps):
        await offline_parts.sync(ben, *ben.bundles)
    assert steps.done == ["append_plain_claims"]
    assert await kept(database_url) == (3, 4, 0, 0)
    await assert_books_are_right(database_url)


async def test_a_sync_that_dies_after_it_is_only_repeated(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, _ = await loaded(phone_of)
    ben.paid_by(asha, 300)
    with counting(offline_parts, CountedSteps(1)), pytest.raises(Death):
        await offline_parts.sync(ben, *ben.bundles)
    before = await kept(database_url)
    assert [result["outcome"] for result in (await ben.sync())["results"]] == ["known"]
    assert await kept(database_url) == before == (1, 1, 0, 0)


async def test_what_is_known_stays_as_it_is_and_who_brings_it_again_is_noted(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await loaded(phone_of)
    ben.paid_by(asha, 300)
    bundles = ben.bundles
    first = await append_plain(offline_parts, ben, bundles)
    assert first is not None
    assert first.new_ids == {item.documents[-1].id for item in bundles}
    for phone in (ben, chi):
        again = await append_plain(offline_parts, phone, bundles)
        assert again is not None
        assert again.new_ids == frozenset()
    assert await kept(database_url) == (1, 1, 1, 0)


async def test_what_was_handed_on_goes_the_longer_way(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await loaded(phone_of)
    ben.paid_by(asha, 300)
    chi.paid_by(ben, 100)
    assert await append_plain(offline_parts, chi, chi.bundles) is None
    assert await kept(database_url) == (0, 0, 0, 0)


@pytest.mark.parametrize("is_brought_at_once", [False, True])
async def test_units_that_are_paid_twice_go_the_longer_way_and_leave_nothing_of_the_short_one(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, is_brought_at_once: bool
) -> None:
    asha, ben, chi = await loaded(phone_of)
    double_spend(asha, ben, chi, 300)
    bundles = [*ben.bundles, *chi.bundles]
    if not is_brought_at_once:
        await ben.sync()
        bundles = chi.bundles
    before = await kept(database_url)
    assert await append_plain(offline_parts, chi, bundles) is None
    assert await kept(database_url) == before
    assert [result["outcome"] for result in (await chi.sync(*bundles))["results"]] == ["recorded"] * len(bundles)
    assert await kept(database_url) == (2, 2, 0, 1)
    assert len(await run_sql(database_url, "SELECT FROM offline.proof")) == 1


async def test_a_voucher_that_is_contested_already_goes_the_longer_way(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await loaded(phone_of)
    double_spend(asha, ben, chi, 300)
    await ben.sync()
    await chi.sync()
    other = asha.sign_payment(ben.request(100), (asha.voucher_piece(1000, 100),))
    before = await kept(database_url)
    assert await append_plain(offline_parts, ben, [other]) is None
    assert await kept(database_url) == before


async def test_a_voucher_that_the_operator_does_not_know_goes_the_longer_way(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, _ = await loaded(phone_of)
    other = await phone_of("dan", "60.00")
    await other.load("20.00")
    ben.paid_by(asha, 300)
    ben.paid_by(other, 300)
    await run_sql(database_url, "ALTER TABLE offline.voucher DISABLE TRIGGER ALL")
    await run_sql(database_url, "DELETE FROM offline.voucher WHERE document_id = $1", other.voucher.id)
    assert await append_plain(offline_parts, ben, ben.bundles) is None
    assert await kept(database_url) == (0, 0, 0, 0)


async def wait_for_the_vouchers(
    database_url: str, *syncs: Callable[[], Coroutine[Any, Any, None]], meanwhile: str = "SELECT"
) -> None:
    """Let syncs queue up for vouchers that somebody has locked, and let go."""
    holder = await asyncpg.connect(database_url)
    tasks = []
    try:
        async with holder.transaction():
            await holder.execute("SELECT FROM offline.voucher ORDER BY voucher_id FOR NO KEY UPDATE")
            await holder.execute(meanwhile)
            for number, sync in enumerate(syncs, 1):
                tasks.append(asyncio.create_task(sync()))
                await until_waiting(database_url, number)
        await asyncio.gather(*tasks)
    finally:
        await holder.close()


@pytest.fixture
def ways(offline_parts: OfflineParts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which way each claim went, in the order in which they ended."""
    claims, found = offline_parts.offline.claims, list[str]()
    plain, longer = claims.append_plain, claims.append

    async def append_plain(*arguments: Any) -> Any:
        appended = await plain(*arguments)
        found.append("plain" if appended is not None else "not plain")
        return appended

    async def append(*arguments: Any) -> Any:
        found.append("longer")
        return await longer(*arguments)

    monkeypatch.setattr(claims, "append_plain", append_plain)
    monkeypatch.setattr(claims, "append", append)
    return found


async def test_of_two_halves_that_wait_for_one_voucher_the_second_finds_the_first(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, ways: list[str]
) -> None:
    asha, ben, chi = await loaded(phone_of)
    double_spend(asha, ben, chi, 300)
    await wait_for_the_vouchers(
        database_url,
        lambda: offline_parts.sync(ben, *ben.bundles),
        lambda: offline_parts.sync(chi, *chi.bundles),
    )
    assert ways == ["plain", "not plain", "longer"]
    assert await kept(database_url) == (2, 2, 0, 1)
    assert len(await run_sql(database_url, "SELECT FROM offline.proof")) == 1


async def test_what_became_contested_while_a_sync_waited_is_seen(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, ways: list[str]
) -> None:
    asha, ben, _ = await loaded(phone_of)
    ben.paid_by(asha, 300)
    contest = "UPDATE offline.voucher SET is_contested = true"
    await wait_for_the_vouchers(database_url, lambda: offline_parts.sync(ben, *ben.bundles), meanwhile=contest)
    assert ways == ["not plain", "longer"]
