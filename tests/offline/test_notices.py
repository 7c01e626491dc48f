"""A first double spend that cost nobody is a notice: the key stays blocked, and its owner may load again. Once."""

from typing import Any

import asyncpg
import msgspec
import pytest

from offline.closes import assert_books_are_right, guarantee, online_of, voucher_ids
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from offline.phone import Phone, double_spend, read_document
from tikiwallet.identity.types import Tier
from world import body_of, refusal


async def close_all(parts: OfflineParts, database_url: str) -> None:
    await let_claims_end(database_url)
    await parts.offline.keep_up()
    await assert_books_are_right(database_url)


async def notices(parts: OfflineParts) -> list[bool]:
    return [item.is_notice for item in await parts.offline.double_spends()]


async def new_phone(owner: Phone) -> Phone:
    return await Phone(owner.owner, owner.world, "a new key").register()


async def spend_twice(cheat: Phone, payees: list[Phone], amount_minor: int) -> None:
    double_spend(cheat, payees[0], payees[1], amount_minor)
    for payee in payees:
        await payee.sync()


async def sentences(phone: Phone) -> list[str]:
    return [line["sentence"] for line in body_of(await phone.owner.get("/v1/offline/money"), 200)["lines"]]


async def test_a_restored_phone_that_made_everybody_good_may_load_on_a_new_key(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = [await phone_of(name, "60.00") for name in ("asha", "ben", "chi")]
    await asha.load("20.00")
    await spend_twice(asha, [ben, chi], 1500)
    assert refusal(await asha.try_load("5.00")) == (403, "loading_stopped")  # until the close has shown what it cost
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben, chi) == (3000, 7500, 7500)
    assert await guarantee(database_url) == 0
    assert await notices(offline_parts) == [True]
    assert any("you may load again" in sentence for sentence in await sentences(asha))
    assert not any("you may load again" in sentence for sentence in await sentences(ben))
    assert refusal(await asha.try_load("5.00")) == (409, "device_retired")
    again = await new_phone(asha)
    await again.load("10.00")
    ben.paid_by(again, 500)
    revocations = read_document((await ben.sync())["revocations"]).body
    assert revocations.entries == (asha.id[:8],)  # the old key, and not the new one
    # A second time, made good just as well, is no notice.
    request = chi.request(500)
    chi.accept(again.sign_payment(request, (again.voucher_piece(0, 500),)), request)
    await chi.sync()
    assert refusal(await again.try_load("5.00")) == (403, "loading_stopped")
    await close_all(offline_parts, database_url)
    assert await notices(offline_parts) == [True, False]
    assert refusal(await (await new_phone(again)).try_load("5.00")) == (403, "loading_stopped")


@pytest.mark.parametrize(
    ("funds", "loaded", "amount_minor", "tier"),
    [
        pytest.param("20.00", "20.00", 1500, Tier.IDENTIFIED, id="the guarantee paid a part"),
        pytest.param("20.00", "20.00", 1000, Tier.PHONE, id="the payees bore a part, and the cover made it good"),
    ],
)
async def test_a_double_spend_that_cost_anybody_else_is_no_notice(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, funds: str, loaded: str, amount_minor: int,
    tier: Tier,
) -> None:  # fmt: skip
    mallory, ben, chi = await phone_of("mallory", funds, tier=tier), await phone_of("ben"), await phone_of("chi")
    await mallory.load(loaded)
    dan = await phone_of("dan")
    request = dan.request(2000 - amount_minor)  # the rest of the voucher is spent too: nothing goes home
    dan.accept(mallory.sign_payment(request, (mallory.voucher_piece(amount_minor, request.amount),)), request)
    await dan.sync()
    await spend_twice(mallory, [ben, chi], amount_minor)
    await close_all(offline_parts, database_url)
    assert await notices(offline_parts) == [False]
    assert refusal(await (await new_phone(mallory)).try_load("1.00")) == (403, "loading_stopped")


async def test_above_the_limit_of_the_policy_it_is_no_notice(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = [await phone_of(name, "60.00") for name in ("asha", "ben", "chi")]
    await asha.load("20.00")
    await spend_twice(asha, [ben, chi], 1500)
    tiers = offline_parts.offline.policy.tiers
    assert tiers[Tier.IDENTIFIED].notice_limit_minor == 2000
    tiers[Tier.IDENTIFIED] = msgspec.structs.replace(tiers[Tier.IDENTIFIED], notice_max_minor=1499)
    await close_all(offline_parts, database_url)
    assert await notices(offline_parts) == [False]
    assert refusal(await (await new_phone(asha)).try_load("5.00")) == (403, "loading_stopped")


async def test_two_vouchers_at_once_or_somebody_who_came_too_late_are_no_notice(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = [await phone_of(name, "60.00") for name in ("asha", "ben", "chi")]
    await asha.load("10.00")
    await spend_twice(asha, [ben, chi], 500)
    await close_all(offline_parts, database_url)
    late = await phone_of("late")
    request = late.request(300)
    late.accept(asha.sign_payment(request, (asha.voucher_piece(0, 300),)), request)
    again = await new_phone(asha)
    await again.load("1.00")
    await late.sync()  # gets nothing: so it cost somebody after all
    assert refusal(await again.try_load("1.00")) == (403, "loading_stopped")

    eva = await phone_of("eva", "60.00")
    await eva.load("5.00")
    await eva.load("5.00")
    pieces = tuple(
        type(eva.voucher_piece(0, 1))(parent_id=item.short_id, first=item.body.first, count=300)
        for item in eva.documents.values()
    )
    for payee in (ben, chi):
        request = payee.request(600)
        payee.accept(eva.sign_payment(request, pieces), request)
        await payee.sync()
    await close_all(offline_parts, database_url)
    assert refusal(await (await new_phone(eva)).try_load("1.00")) == (403, "loading_stopped")


async def test_the_database_refuses_a_notice_that_cost_somebody_and_a_second_one(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    insert = "INSERT INTO offline.notice (person_id, voucher_id, owed_minor, proof_count) VALUES ($1, $2, $3, 1)"

    async def refused(*arguments: Any) -> str:
        """Try a notice inside the close, before its settlement."""
        connection = await asyncpg.connect(database_url)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("ALTER TABLE offline.notice DISABLE TRIGGER settled_once")
            with pytest.raises(asyncpg.IntegrityConstraintViolationError) as raised:  # noqa: PT012 -- the commit too
                await connection.execute(insert, *arguments)
                await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            await transaction.rollback()
            return str(raised.value.constraint_name)
        finally:
            await connection.close()

    asha, mallory, ben, chi = [await phone_of(name, "30.00") for name in ("asha", "mallory", "ben", "chi")]
    await asha.load("20.00")
    await mallory.load("20.00")
    body_of(await mallory.owner.pay(ben.owner, "10.00"), 201)  # nothing is left to make anybody good
    await spend_twice(asha, [ben, chi], 1000)
    dan = await phone_of("dan")
    request = dan.request(1000)
    dan.accept(mallory.sign_payment(request, (mallory.voucher_piece(1000, 1000),)), request)
    await dan.sync()
    await spend_twice(mallory, [ben, chi], 1000)
    await close_all(offline_parts, database_url)
    ashas, mallorys = await voucher_ids(database_url)
    assert sorted(await notices(offline_parts)) == [False, True]
    assert await refused(mallory.owner.person_id, mallorys, 1000) == "notice_cost_nobody"
    assert await refused(mallory.owner.person_id, ashas, 1000) == "notice_cost_nobody"
    assert await refused(asha.owner.person_id, ashas, 1000) == "one_notice_per_person"
    with pytest.raises(asyncpg.CheckViolationError) as late:
        await run_sql(database_url, insert, mallory.owner.person_id, mallorys, 1000)
    assert late.value.constraint_name == "settled_once"
