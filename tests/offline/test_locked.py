"""Money locked to one payee's phone: whom it may be locked to, what everybody is told, and that it is always paid."""

from typing import Any

import asyncpg
import pytest

from offline.closes import assert_books_are_right, guarantee, online_of, voucher_ids
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, parts, run_sql
from offline.phone import Phone, Rejected, read_document
from tikiwallet.identity.types import Tier
from world import body_of, refusal


async def view_of(phone: Phone) -> dict[str, Any]:
    view: dict[str, Any] = body_of(await phone.owner.get("/v1/offline/money"), 200)
    return view


async def test_a_load_says_for_whom_and_until_when_and_promises_no_cover(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben", tier=Tier.TILL)
    loading = await asha.load("20.00", audience_key=ben.public_key)
    voucher = read_document(loading["voucher"]).body
    assert (voucher.audience_key, voucher.cover) == (ben.public_key, 0)
    assert (loading["locked_to"], loading["spend_by"] is not None) == ("ben", True)
    synced = await asha.sync()
    assert [item["locked_to"] for item in synced["vouchers"]] == ["ben"]
    (line,) = synced["money"]["lines"]
    assert (line["state"], line["counterparty"]) == ("locked", "ben")
    assert line["sentence"].startswith("Only for ben's phone, until ")
    assert parts(synced["money"]) == {"online": 3000, "offline": 2000, "final": 0, "provisional": 0, "underway": 0}


async def test_money_is_locked_to_a_registered_phone_of_somebody_else(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    stranger = Phone(ben.owner, asha.world, "never registered")
    other = await Phone(asha.owner, asha.world, "asha's second phone").register()
    for key, expected in (
        (stranger.public_key, (404, "audience_unknown")),
        (asha.public_key, (422, "audience_is_you")),
        (other.public_key, (422, "audience_is_you")),
        (b"\x02" + b"\xff" * 32, (400, "public_key_invalid")),
        (ben.public_key[:-1], (400, "public_key_invalid")),
        (asha.issuer_keys[-1].key, (404, "audience_unknown")),
    ):
        assert refusal(await asha.try_load("5.00", audience_key=key)) == expected
    order = {"device_id": asha.device_id, "amount": {"amount_minor": 500, "currency": "SGD"}, "audience_key": "no!"}
    assert refusal(await asha.owner.post("/v1/offline/vouchers", order)) == (400, "request_invalid")
    body_of(await ben.owner.post(f"/v1/offline/devices/{ben.device_id}/retirement"), 200)
    assert refusal(await asha.try_load("5.00", audience_key=ben.public_key)) == (409, "audience_blocked")
    assert parts(await view_of(asha))["online"] == 5000


async def test_for_whom_is_part_of_what_is_ordered(phone_of: PhoneOf) -> None:
    asha, ben, chi = await phone_of("asha", "50.00"), await phone_of("ben"), await phone_of("chi")
    first = await asha.load("5.00", key="tunnel", audience_key=ben.public_key)
    for other in (chi.public_key, None):
        answer = await asha.try_load("5.00", key="tunnel", audience_key=other)
        assert refusal(answer) == (422, "idempotency_key_reused")
    # The answer was lost, and the till was retired meanwhile: the load is the one that was made.
    body_of(await ben.owner.post(f"/v1/offline/devices/{ben.device_id}/retirement"), 200)
    assert (await asha.load("5.00", key="tunnel", audience_key=ben.public_key))["loading_id"] == first["loading_id"]
    assert parts(await view_of(asha))["online"] == 4500


async def test_a_refused_locked_load_is_tried_again_as_it_was(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "1.00"), await phone_of("ben")
    answer = await asha.try_load("5.00", key="again", audience_key=ben.public_key)
    assert refusal(answer) == (422, "insufficient_funds")
    body_of(await asha.owner.top_up("10.00"), 201)
    voucher = read_document((await asha.load("5.00", key="again", audience_key=ben.public_key))["voucher"]).body
    assert (voucher.audience_key, voucher.cover) == (ben.public_key, 0)


async def test_a_wanted_balance_counts_only_money_for_everybody(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("20.00", audience_key=ben.public_key)
    loading = (await asha.sync(wanted="15.00"))["loading"]
    assert (loading["amount"]["amount_minor"], loading["locked_to"]) == (1500, "")


async def test_locked_money_is_final_before_the_close_beside_what_is_protected(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("7.00", audience_key=ben.public_key)
    await asha.load("50.00")
    safe = ben.paid_by(asha, 1000).how_safe
    assert (safe.final, safe.protected, safe.at_risk) == (700, 300, 0)
    safe = ben.paid_by(asha, 2000).how_safe
    assert (safe.final, safe.protected, safe.at_risk) == (0, 1700, 300)
    view = (await ben.sync())["money"]
    assert parts(view) == {"online": 0, "offline": 0, "final": 2700, "provisional": 300, "underway": 0}
    # Whoever finds Ben's phone can't pay anybody with what was locked to it.
    lost = body_of(await ben.owner.get(f"/v1/offline/devices/{ben.device_id}/money"), 200)
    assert (lost["received"]["amount_minor"], lost["payable"]["amount_minor"]) == (3000, 2300)


async def test_a_till_gets_locked_money_at_once_beside_its_budget(phone_of: PhoneOf, database_url: str) -> None:
    asha, till = await phone_of("asha", "100.00"), await phone_of("shop", tier=Tier.TILL)
    await run_sql(database_url, "UPDATE offline.device SET budget_minor = 100 WHERE receive_only")
    await asha.load("30.00", audience_key=till.public_key)
    await asha.load("20.00")
    till.paid_by(asha, 2000)
    till.paid_by(asha, 2000)
    view = (await till.sync())["money"]
    # 30.00 were locked; of the other 10.00 the budget covers 1.00.
    assert parts(view) == {"online": 3100, "offline": 0, "final": 0, "provisional": 900, "underway": 0}
    await let_claims_end(database_url)
    await close(till)
    assert await online_of(asha, till) == (6000, 4000)
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)


async def close(phone: Phone) -> None:
    await phone.world.app.state.offline.keep_up()


async def test_a_payer_who_got_it_back_and_pays_all_the_same_owes_it_and_the_till_loses_nothing(
    phone_of: PhoneOf, database_url: str
) -> None:
    asha, till = await phone_of("asha", "20.00"), await phone_of("shop", tier=Tier.TILL)
    await asha.load("20.00", audience_key=till.public_key)
    before = asha.book
    asha.hand_back(1500)
    assert parts((await asha.sync())["money"])["online"] == 1500
    asha.book = before  # a copy of the phone, put back
    safe = till.paid_by(asha, 2000).how_safe
    assert (safe.final, safe.at_risk) == (2000, 0)
    view = (await till.sync())["money"]
    # 5.00 were left in escrow and are there at once; the rest is as certain, and comes at the close.
    assert parts(view) == {"online": 500, "offline": 0, "final": 1500, "provisional": 0, "underway": 0}
    await let_claims_end(database_url)
    await close(till)
    (debt,) = await run_sql(database_url, "SELECT amount_minor FROM offline.debt")
    assert debt["amount_minor"] == 1500
    assert await online_of(asha, till) == (0, 2000)  # she had it still, so it is paid back
    assert await run_sql(database_url, "SELECT 1 FROM offline.proof") == []
    await assert_books_are_right(database_url)


async def test_both_hand_back_within_their_limits(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00", audience_key=ben.public_key)
    for amount in (1800, 1200):
        ben.paid_by(asha, amount)
    for amount in (1800, 700):
        ben.hand_back(amount)
    assert parts((await ben.sync())["money"])["online"] == 2000  # L of an identified person
    assert parts(await view_of(ben))["final"] == 1000
    asha.hand_back(2000)
    assert parts((await asha.sync())["money"])["online"] == 2000
    await let_claims_end(database_url)
    await close(ben)
    assert await online_of(asha, ben) == (2000, 3000)
    await assert_books_are_right(database_url)


async def test_a_copy_of_the_payers_phone_is_refused_by_the_till_and_named_by_nobody(
    phone_of: PhoneOf, database_url: str
) -> None:
    asha, till = await phone_of("asha", "20.00"), await phone_of("shop", tier=Tier.TILL)
    await asha.load("20.00", audience_key=till.public_key)
    before = asha.book
    till.paid_by(asha, 1200)
    asha.book = before
    request = till.request(1200)
    again = asha.pay(request)
    with pytest.raises(Rejected) as found:
        till.accept(again, request)
    assert found.value.code == "already_held"
    await till.sync()
    await asha.sync(again)
    assert parts(await view_of(till))["online"] == 1200
    assert await run_sql(database_url, "SELECT 1 FROM offline.proof") == []
    await let_claims_end(database_url)
    await close(till)
    assert await online_of(asha, till) == (800, 1200)
    await assert_books_are_right(database_url)


async def test_what_was_locked_to_a_retired_phone_comes_home(phone_of: PhoneOf, database_url: str) -> None:
    asha, till = await phone_of("asha", "20.00"), await phone_of("shop", tier=Tier.TILL)
    await asha.load("20.00", audience_key=till.public_key)
    till.paid_by(asha, 500)
    body_of(await till.owner.post(f"/v1/offline/devices/{till.device_id}/retirement"), 200)
    (line,) = (await view_of(asha))["lines"]
    assert (line["state"], line["amount"]["amount_minor"]) == ("coming_home", 2000)
    assert line["sentence"].startswith("Comes home on ")
    assert line["sentence"].endswith("It is locked to a phone of shop that takes no money any more.")
    asha.hand_back(400)
    await asha.sync()
    assert parts(await view_of(asha))["online"] == 400
    await asha.sync(till.bundles[0])  # anybody may bring what the lost till was paid
    await let_claims_end(database_url)
    await close(till)
    assert await online_of(asha, till) == (1500, 500)
    await assert_books_are_right(database_url)


async def test_locked_money_needs_no_guarantee_and_counts_as_released_early_only(
    phone_of: PhoneOf, offline_parts: OfflineParts
) -> None:
    asha, till = await phone_of("asha", "50.00"), await phone_of("shop", tier=Tier.TILL)
    await asha.load("10.00", audience_key=till.public_key)
    measured = await offline_parts.offline.exposures.measure()
    assert (measured.guarantee_minor, measured.early_release_minor) == (0, 2000)
    await asha.load("10.00")
    measured = await offline_parts.offline.exposures.measure()
    assert (measured.guarantee_minor, measured.early_release_minor) == (2000, 2000)


LOCK = "UPDATE offline.voucher SET cover_minor = 0, audience_key_id = $1, audience_person_id = $2"


async def test_the_database_keeps_each_rule_of_locked_money_by_name(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben, chi = await phone_of("asha", "50.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("20.00", audience_key=ben.public_key)
    for statement, values, name in (
        (LOCK, (ben.id, chi.owner.person_id), "audience_is_registered"),
        (LOCK, (b"nobody's key id.", ben.owner.person_id), "audience_is_registered"),
        (LOCK, (None, ben.owner.person_id), "audience_is_registered"),
        (LOCK, (asha.id, asha.owner.person_id), "audience_is_somebody_else"),
        ("UPDATE offline.voucher SET cover_minor = 1", (), "locked_without_cover"),
    ):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as found:
            await run_sql(database_url, statement, *values)
        assert found.value.constraint_name == name, (statement, values)
    (voucher_id,) = await voucher_ids(database_url)
    share = "INSERT INTO offline.share VALUES ($1, $2, NULL, 0, $3, $4, $5, 0)"
    for key, amounts in ((chi.id, (5, 0, 0)), (ben.id, (5, 1, 0)), (asha.id, (5, 0, 1))):
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await run_sql(database_url, share, voucher_id, key, *amounts)
        assert refused.value.constraint_name == "locked_units_are_never_shared"
    await run_sql(database_url, share, voucher_id, ben.id, 5, 0, 0)
    connection = await asyncpg.connect(database_url, server_settings={"role": "tikiwallet_offline"})
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE offline.voucher SET audience_key_id = NULL, audience_person_id = NULL")
    finally:
        await connection.close()
