"""Online money becomes offline money: never without escrow behind it, never twice, never above the tier."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from offline.conftest import OfflineParts, PhoneOf, parts, run_sql
from offline.phone import Phone, read_document
from tikiwallet.identity.types import Tier
from tikiwallet.ledger.types import AccountKind, derive_account_id
from world import World, body_of, refusal

VOUCHERS = "/v1/offline/vouchers"


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


async def test_a_voucher_says_what_the_tier_allows_and_hides_the_name(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    loading = await asha.load("50.00")
    voucher = read_document(loading["voucher"]).body
    assert (voucher.payment_max, voucher.cover, voucher.tier, voucher.currency) == (2000, 2000, 2, 702)
    assert voucher.spend_by - voucher.issued_at == 7 * 86_400
    assert voucher.claim_by - voucher.issued_at == 14 * 86_400
    assert voucher.first % 8192 == 0  # aligned to the next power of two
    assert [opening["text"] for opening in loading["openings"]] == ["asha"]


async def test_a_retried_load_moves_money_once(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    answers = await asyncio.gather(*(asha.try_load("20.00", key="tunnel") for _ in range(10)))
    assert len({answer.content for answer in answers}) == 1
    assert body_of(answers[0], 201)["state"] == "open"
    assert (await view_of(asha))["online"] == 8000
    assert refusal(await asha.try_load("30.00", key="tunnel")) == (422, "idempotency_key_reused")


async def test_a_refused_load_may_be_tried_again(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "10.00")
    assert refusal(await asha.try_load("20.00", key="again")) == (422, "insufficient_funds")
    assert await view_of(asha) == {"online": 1000, "offline": 0, "final": 0, "provisional": 0, "underway": 0}
    body_of(await asha.owner.top_up("15.00"), 201)
    assert body_of(await asha.try_load("20.00", key="again"), 201)["state"] == "open"
    assert (await view_of(asha))["offline"] == 2000


async def test_what_may_be_loaded_is_limited(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "300.00")
    assert refusal(await asha.try_load("50.01")) == (422, "voucher_above_limit")
    for amount in (0, -1, 1.5, "100", 10**16):
        order = {"device_id": asha.device_id, "amount": {"amount_minor": amount, "currency": "SGD"}}
        assert refusal(await asha.owner.post(VOUCHERS, order)) == (400, "request_invalid")
    order = {"device_id": asha.device_id, "amount": {"amount_minor": 100, "currency": "EUR"}}
    assert refusal(await asha.owner.post(VOUCHERS, order)) == (422, "currency_not_offline")
    for _ in range(8):
        await asha.load("1.00")
    assert refusal(await asha.try_load("1.00")) == (422, "too_many_vouchers")
    no_key = await world.http.post(VOUCHERS, json=order, headers={"authorization": f"Bearer {asha.owner.token}"})
    assert refusal(no_key) == (400, "idempotency_key_missing")


async def test_a_phone_number_alone_loads_little_and_a_receive_only_phone_nothing(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00", tier=Tier.PHONE)
    assert refusal(await asha.try_load("20.01")) == (422, "voucher_above_limit")
    await asha.load("20.00")
    till = await phone_of("shop", "100.00", tier=Tier.TILL)
    assert refusal(await till.try_load("1.00")) == (422, "device_receive_only")
    box = await phone_of("box", "100.00", receive_only=True)
    assert refusal(await box.try_load("1.00")) == (422, "device_receive_only")


async def test_a_sync_fills_a_phone_up_to_what_it_wants(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "60.00"), await phone_of("ben")
    first = await asha.sync(wanted="30.00")
    assert (first["loading"]["state"], first["loading"]["amount"]["amount_minor"]) == ("open", 3000)
    assert (await asha.sync(wanted="30.00"))["loading"] is None
    ben.paid_by(asha, 1000)
    again = await asha.sync(wanted="30.00")
    assert again["loading"]["amount"]["amount_minor"] == 1000
    assert len(again["vouchers"]) == 2
    short = (await asha.sync(wanted="50.01"))["loading"]
    assert (short["state"], short["code"], short["voucher"]) == ("refused", "insufficient_funds", None)
    above = (await asha.sync(wanted="90.00"))["loading"]
    assert (above["state"], above["code"]) == ("refused", "voucher_above_limit")
    order = {**asha.sync_order(), "offline_balance_wanted": {"amount_minor": 100, "currency": "EUR"}}
    assert refusal(await asha.owner.post("/v1/offline/sync", order)) == (422, "currency_not_offline")


async def test_two_equal_syncs_at_once_load_once(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    order = asha.sync_order(wanted="30.00")
    answers = await asyncio.gather(*(asha.owner.post("/v1/offline/sync", order) for _ in range(5)))
    assert all(answer.status_code == 200 for answer in answers)
    assert await view_of(asha) == {"online": 7000, "offline": 3000, "final": 0, "provisional": 0, "underway": 0}


async def test_loads_and_syncs_at_once_never_make_or_lose_a_cent(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha", "100.00")
    order = asha.sync_order(wanted="30.00")
    answers = await asyncio.gather(
        asha.try_load("7.00"), asha.owner.post("/v1/offline/sync", order), asha.try_load("11.00", key="twice"),
        asha.owner.post("/v1/offline/sync", order), asha.try_load("11.00", key="twice"),
    )  # fmt: skip
    assert [answer.status_code for answer in answers] == [201, 200, 201, 200, 201]
    view = await view_of(asha)
    assert view["online"] + view["offline"] == 10_000
    assert view["offline"] in range(3000, 1800 + 3000 + 1)  # the sync counted whichever loads were there before it
    vouchers = "SELECT sum(amount_minor) FROM offline.voucher WHERE state = 'open'"
    escrow = "SELECT sum(balance_minor) FROM ledger.account WHERE kind = 'escrow'"
    for amounts in (vouchers, escrow):
        assert (await run_sql(database_url, amounts))[0]["sum"] == view["offline"]


async def test_the_escrow_holds_what_the_voucher_says(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha", "100.00")
    loading = await asha.load("50.00")
    (voucher,) = await run_sql(database_url, "SELECT voucher_id, amount_minor FROM offline.voucher")
    assert str(voucher["voucher_id"]) == loading["loading_id"]
    escrow = derive_account_id(voucher["voucher_id"], AccountKind.ESCROW, "SGD")
    (account,) = await run_sql(database_url, "SELECT balance_minor FROM ledger.account WHERE account_id = $1", escrow)
    assert account["balance_minor"] == voucher["amount_minor"] == 5000


async def test_unspent_money_comes_home_at_the_date(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    await asha.load("50.00")
    view = body_of(await asha.owner.get("/v1/offline/money"), 200)
    (line,) = view["lines"]
    claim_by = datetime.fromtimestamp(asha.voucher.body.claim_by, UTC)
    assert (line["line"], line["state"], line["amount"]["amount_minor"]) == ("voucher", "spendable", 5000)
    assert f"{claim_by.day} {claim_by:%B}" in line["sentence"]
    world.clock.move(days=8)
    asha.owner = await world.sign_in_again(asha.owner)
    view = body_of(await asha.owner.get("/v1/offline/money"), 200)
    assert parts(view) == {"online": 5000, "offline": 0, "final": 0, "provisional": 0, "underway": 5000}
    assert view["lines"][0]["state"] == "coming_home"
    assert view["lines"][0]["sentence"].startswith(f"Comes home on {claim_by.day} {claim_by:%B}")


RULES = [
    ("escrow_equals_loaded", "UPDATE offline.voucher SET amount_minor = amount_minor + 1", ""),
    ("never_released_above_escrow", "UPDATE offline.voucher SET released_minor = amount_minor + 1", ""),
    ("signed_when_open", "UPDATE offline.voucher SET signature = NULL", "signed_voucher_never_changes"),
    ("voucher_moves_forward", "UPDATE offline.voucher SET state = 'draft', signature = NULL, opened_at = NULL", ""),
    ("voucher_state_known", "UPDATE offline.voucher SET state = 'spent'", "voucher_moves_forward"),
    ("budget_never_negative", "UPDATE offline.device SET budget_minor = -1", ""),
    ("one_network", "INSERT INTO offline.network (only_row, net, root_key) VALUES (false, 1, '')", ""),
]


async def test_the_database_keeps_each_rule_by_name(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha", "100.00")
    await asha.load("50.00")
    for name, statement, instead in RULES:
        with pytest.raises(asyncpg.CheckViolationError) as found:
            await run_sql(database_url, statement)
        assert found.value.constraint_name == (instead or name), statement
    overlapping = """
        INSERT INTO offline.voucher (
            voucher_id, person_id, device_id, key_id, currency, units, amount_minor, state, document_id, payload, tier,
            cover_minor, issued_at, spend_by, claim_by
        )
        SELECT gen_random_uuid(), person_id, device_id, key_id, currency,
            int8range(upper(units) - 1, upper(units) + 9), 10, 'draft', sha256('other'), payload, tier,
            cover_minor, issued_at, spend_by, claim_by
        FROM offline.voucher
    """
    with pytest.raises(asyncpg.ExclusionViolationError) as clash:
        await run_sql(database_url, overlapping)
    assert clash.value.constraint_name == "no_unit_twice"
    other_currency = overlapping.replace(
        "key_id, currency,\n            int8range", "key_id, 978,\n            int8range"
    )
    await run_sql(database_url, other_currency)  # the same numbers in another currency are other units


async def test_numbers_that_meet_others_are_drawn_again(phone_of: PhoneOf, offline_parts: OfflineParts) -> None:
    asha = await phone_of("asha", "100.00")
    draws = iter([7, 7, 8])
    person = await offline_parts.owner_of(asha)
    device = await offline_parts.device_of(asha)
    for number in range(2):
        await offline_parts.offline.vouchers.load(
            person, device_id=device.device_id, amount=offline_parts.amount("10.00"), key=f"load {number}",
            draw=lambda _: next(draws), now=offline_parts.now,
        )  # fmt: skip
    assert [voucher["voucher"] is not None for voucher in (await asha.sync())["vouchers"]] == [True, True]
    firsts = sorted(item.body.first for item in asha.documents.values())
    assert firsts == [7 * 1024, 8 * 1024]


async def test_history_can_be_added_to_and_nothing_else(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"role": "tikiwallet_offline"})
    try:
        for table in (
            "payment", "piece", "submission", "refusal", "proof", "revocation", "advance", "advance_posted",
            "certificate", "budget_change",
        ):  # fmt: skip
            for statement in (f"DELETE FROM offline.{table}", f"TRUNCATE offline.{table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
            column = await connection.fetchval(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", f"offline.{table}"
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"UPDATE offline.{table} SET {column} = {column}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE offline.voucher SET amount_minor = 1")
    finally:
        await connection.close()
