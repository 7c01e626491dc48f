"""A voucher says of itself whether anything was paid from it but once, directly; nobody else can say so."""

import asyncpg
import pytest

from offline.conftest import PhoneOf, run_sql
from offline.phone import Phone, double_spend

CONTESTED = "SELECT is_contested FROM offline.voucher ORDER BY issued_at, voucher_id"


async def contested(database_url: str) -> list[bool]:
    return [row["is_contested"] for row in await run_sql(database_url, CONTESTED)]


async def loaded(phone_of: PhoneOf) -> tuple[Phone, Phone, Phone]:
    asha, ben, chi = await phone_of("asha", "60.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    return asha, ben, chi


async def test_what_is_paid_once_from_it_contests_no_voucher(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben, chi = await loaded(phone_of)
    ben.paid_by(asha, 300)
    ben.paid_by(asha, 200)
    chi.paid_by(asha, 100)
    await ben.sync()
    await chi.sync()
    await chi.sync()  # once more
    assert await contested(database_url) == [False]


async def test_what_is_handed_on_contests_the_voucher(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben, chi = await loaded(phone_of)
    ben.paid_by(asha, 300)
    await ben.sync()
    chi.paid_by(ben, 100)
    assert await contested(database_url) == [False]
    await chi.sync()
    assert await contested(database_url) == [True]


@pytest.mark.parametrize("is_brought_at_once", [False, True])
async def test_a_unit_that_is_paid_twice_contests_the_voucher(
    phone_of: PhoneOf, database_url: str, is_brought_at_once: bool
) -> None:
    asha, ben, chi = await loaded(phone_of)
    double_spend(asha, ben, chi, 300)
    if is_brought_at_once:
        await ben.sync(*ben.bundles, *chi.bundles)
    else:
        await ben.sync()
        assert await contested(database_url) == [False]
        await chi.sync()
    assert await contested(database_url) == [True]
    assert len(await run_sql(database_url, "SELECT FROM offline.proof")) == 1


async def test_what_is_contested_stays_so(phone_of: PhoneOf, database_url: str) -> None:
    await loaded(phone_of)
    server = await asyncpg.connect(database_url, server_settings={"role": "tikiwallet_offline"})
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await server.execute("UPDATE offline.voucher SET is_contested = false")
    finally:
        await server.close()
