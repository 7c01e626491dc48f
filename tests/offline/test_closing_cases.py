"""The close in less simple worlds: advances, debts, late and refused claims, money that has to wait for its owner."""

import asyncio

import pytest

from crashes import Crash
from offline.closes import (
    assert_books_are_right,
    assert_paid_what_the_rule_says,
    guarantee,
    online_of,
    states,
    voucher_ids,
)
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from offline.phone import Phone, double_spend
from tikiwallet.identity.types import Tier
from world import World, body_of, refusal


async def close_all(parts: OfflineParts, database_url: str) -> int:
    await let_claims_end(database_url)
    closed = await parts.offline.keep_up()
    await assert_books_are_right(database_url)
    return closed


async def test_what_was_released_early_is_set_off(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    ben.hand_back(700)
    asha.hand_back(1000)
    await asha.sync()
    await ben.sync()
    assert await online_of(asha, ben) == (1000, 700)
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben) == (3500, 1500)
    assert await guarantee(database_url) == 0


async def test_an_advance_beyond_the_share_is_a_debt_and_repaid_first(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory = await phone_of("mallory", "20.00", tier=Tier.PHONE)
    ben, chi, dan = await phone_of("ben"), await phone_of("chi"), await phone_of("dan")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 1000)
    rest = dan.request(1000)
    dan.accept(mallory.sign_payment(rest, (mallory.voucher_piece(1000, 1000),)), rest)
    ben.hand_back(1000)
    await ben.sync()
    body_of(await ben.owner.pay(dan.owner, "10.00"), 201)  # what was released early is spent at once
    await chi.sync()
    await dan.sync()
    await close_all(offline_parts, database_url)
    # Ben and Chi share 10.00, and he had 10.00 already.
    assert await online_of(mallory, ben, chi, dan) == (0, 0, 500, 2000)
    assert await guarantee(database_url) == 500
    (debt,) = await offline_parts.offline.debts.owed()
    assert (debt.person_id, debt.amount_minor) == (ben.owner.person_id, 500)
    answer = await ben.try_load("1.00")
    assert refusal(answer) == (403, "debt_open")
    assert "5.00 SGD" in answer.json()["detail"]
    body_of(await ben.owner.top_up("3.00"), 201)
    loading = (await ben.sync(wanted="1.00"))["loading"]
    assert (loading["state"], loading["code"]) == ("refused", "debt_open")
    assert await online_of(ben) == (0,)
    body_of(await ben.owner.top_up("9.00"), 201)
    await asyncio.gather(*(offline_parts.offline.keep_up() for _ in range(3)))
    assert await online_of(ben) == (700,)
    await ben.load("1.00")
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)


async def test_tills_that_were_paid_early_are_set_off(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory = await phone_of("mallory", "20.00")
    tills = [await phone_of(f"shop{number}", tier=Tier.TILL) for number in range(2)]
    await mallory.load("20.00")
    double_spend(mallory, *tills, 1500)
    for till in tills:
        await till.sync()
    assert await online_of(*tills) == (1500, 500)
    await close_all(offline_parts, database_url)
    # 15.00 are missing: 5.00 are his own, and the guarantee for him gives 10.00. Neither till loses anything.
    assert await online_of(mallory, *tills) == (0, 1500, 1500)
    assert await guarantee(database_url) == 1000


async def test_the_cover_of_a_retired_phone_stays_until_its_money_is_shared_out(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory = await phone_of("mallory", "20.00")
    payees = [await phone_of(name) for name in ("ben", "chi", "dan", "eli")]
    await mallory.load("20.00")
    for payee in payees:
        request = payee.request(2000)
        payee.accept(mallory.sign_payment(request, (mallory.voucher_piece(0, 2000),)), request)
        await payee.sync()
    ben = payees[0]
    body_of(await ben.owner.post(f"/v1/offline/devices/{ben.device_id}/retirement"), 200)
    world.clock.move(days=60)  # the operator is late with the close
    ben.owner = await world.sign_in_again(ben.owner)
    await Phone(ben.owner, world, "the next phone").register()
    await close_all(offline_parts, database_url)
    mallory.owner, *owners = [await world.sign_in_again(phone.owner) for phone in (mallory, *payees)]
    for payee, owner in zip(payees, owners, strict=True):
        payee.owner = owner
    assert await online_of(mallory, *payees) == (0, 2000, 2000, 2000, 2000)


async def test_a_debt_that_was_collected_and_not_written_down_is_collected_once(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    ben = await phone_of("ben", "10.00")
    await run_sql(database_url, "UPDATE offline.holder SET debt_minor = 400")
    debts = offline_parts.offline.debts
    offline_parts.break_ledger("after")
    with pytest.raises(Crash):
        await debts.collect(ben.owner.person_id)
    assert await online_of(ben) == (600,)
    assert await debts.collect(ben.owner.person_id) == 0
    assert await online_of(ben) == (600,)


async def test_a_late_claim_does_not_count_and_a_refusal_in_time_does(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await phone_of("asha", "50.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    refused = chi.request(800)
    taken_back = asha.pay(refused)
    chi.bundles.append(taken_back)
    await chi.sync(refusals=[chi.refuse(taken_back)])
    await let_claims_end(database_url)
    await ben.sync()
    assert await offline_parts.offline.keep_up() == 1
    assert await online_of(asha, ben, chi) == (5000, 0, 0)
    # The refusal of money that is shared out already changes nothing, and neither does the money itself.
    await ben.sync(*ben.bundles, refusals=[chi.refuse(taken_back)])
    assert await offline_parts.offline.keep_up() == 0
    await assert_books_are_right(database_url)


async def test_one_payment_from_two_vouchers_is_paid_on_two_days(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("10.00")
    await asha.load("10.00")
    paid = ben.paid_by(asha, 1500).payment
    assert len(paid.body.pieces) == 2
    await ben.sync()
    first, second = await voucher_ids(database_url)
    await let_claims_end(database_url, first)
    assert await offline_parts.offline.keep_up() == 1
    some = await online_of(asha, ben)
    assert await states(database_url) == ["closed", "open"]
    assert sum(some) == 3000 + 1000
    await let_claims_end(database_url, second)
    assert await offline_parts.offline.keep_up() == 1
    assert await online_of(asha, ben) == (3500, 1500)
    for voucher_id in (first, second):
        await assert_paid_what_the_rule_says(database_url, voucher_id, [asha, ben])
    await assert_books_are_right(database_url)


async def test_money_refunded_and_paid_on_goes_to_its_last_holder(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await phone_of("asha", "20.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("20.00")
    ben.paid_by(asha, 1000)
    asha.paid_by(ben, 1000)
    chi.paid_by(asha, 2000)
    for phone in (ben, chi):
        await phone.sync()
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben, chi) == (0, 0, 2000)
