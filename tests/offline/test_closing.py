"""When the time for claims is over, a voucher's money goes to whom it belongs, once and to the cent."""

import asyncio
from uuid import UUID

from crashes import make_jobs_due
from offline.closes import (
    assert_books_are_right,
    assert_paid_what_the_rule_says,
    guarantee,
    online_of,
    states,
    voucher_ids,
)
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from offline.phone import double_spend


async def close_all(parts: OfflineParts, database_url: str) -> int:
    await let_claims_end(database_url)
    return await parts.offline.keep_up()


async def test_two_payees_are_paid_and_the_rest_comes_home(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await phone_of("asha", "50.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    chi.paid_by(ben, 400)
    for phone in (asha, chi):
        await phone.sync()
    assert await close_all(offline_parts, database_url) == 1
    assert await online_of(asha, ben, chi) == (3500, 1100, 400)
    assert await states(database_url) == ["closed"]
    (voucher_id,) = await voucher_ids(database_url)
    await assert_paid_what_the_rule_says(database_url, voucher_id, [asha, ben, chi])
    await assert_books_are_right(database_url)
    assert await guarantee(database_url) == 0


async def test_closing_again_changes_nothing(phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("50.00")
    assert await offline_parts.offline.keep_up() == 0
    assert await states(database_url) == ["open"]
    assert await close_all(offline_parts, database_url) == 1
    assert await offline_parts.offline.keep_up() == 0
    assert await online_of(asha) == (5000,)
    await assert_books_are_right(database_url)


async def test_the_server_closes_what_is_due_by_itself_and_goes_on_watching(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("20.00")
    await let_claims_end(database_url)
    queued = "SELECT payload FROM offline_jobs.pgqueuer WHERE entrypoint = 'watch' AND status = 'queued'"
    for _ in range(2):  # two processes that start in one minute keep one watch
        await offline_parts.offline.watch_again(offline_parts.now)
    (watch,) = await run_sql(database_url, queued)
    await make_jobs_due(database_url, "offline")
    async with asyncio.timeout(30):
        while await online_of(asha) != (5000,):
            pass
    async with asyncio.timeout(30):
        while not (promised := await run_sql(database_url, queued)):
            pass
    assert int(promised[0]["payload"]) == int(watch["payload"]) + 1  # though the clock stands still
    await assert_books_are_right(database_url)


async def test_a_double_spend_is_paid_from_the_cheats_money_first(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 1500)
    await ben.sync()
    await chi.sync()
    assert await close_all(offline_parts, database_url) == 1
    # 15.00 too much: 5.00 from what he never spent, 10.00 from his wallet.
    assert await online_of(mallory, ben, chi) == (3000, 1500, 1500)
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)


async def test_what_the_cheat_has_not_the_guarantee_and_the_cover_give(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, shop = await phone_of("mallory", "50.00"), await phone_of("shop")
    payees = [await phone_of(name) for name in ("ben", "chi", "dan", "eli")]
    await mallory.load("50.00")
    for at in (2000, 4000):
        request = shop.request(min(2000, 5000 - at))
        shop.accept(mallory.sign_payment(request, (mallory.voucher_piece(at, request.amount),)), request)
    for payee in payees:
        request = payee.request(2000)
        payee.accept(mallory.sign_payment(request, (mallory.voucher_piece(0, 2000),)), request)
    for payee in (*payees, shop):
        await payee.sync()
    assert await close_all(offline_parts, database_url) == 1
    # 60.00 are missing. The guarantee for him gives 20.00, which makes 10.00 for each; the cover makes that 20.00.
    assert await online_of(mallory, shop, *payees) == (0, 3000, 2000, 2000, 2000, 2000)
    assert await guarantee(database_url) == 2000 + 4 * 1000
    (voucher_id,) = await voucher_ids(database_url)
    await assert_paid_what_the_rule_says(
        database_url, voucher_id, [mallory, shop, *payees], budgets={payee.id: 2000 for payee in payees},
        guarantees={UUID(str(mallory.owner.person_id)): 2000},
    )  # fmt: skip
    used = await run_sql(database_url, "SELECT budget_minor FROM offline.device ORDER BY registered_at")
    assert [row["budget_minor"] for row in used] == [2000, 2000, 1000, 1000, 1000, 1000]
    changes = await run_sql(database_url, "SELECT amount_minor FROM offline.budget_change WHERE reason = 'used'")
    assert [row["amount_minor"] for row in changes] == [-1000] * 4
    await assert_books_are_right(database_url)
