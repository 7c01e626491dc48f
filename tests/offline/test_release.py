"""Money leaves escrow early only within limits, never more than the escrow holds, and exactly once."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from crashes import Crash, make_jobs_due
from offline.conftest import OfflineParts, PhoneOf, parts, run_sql
from offline.phone import Phone, double_spend
from tikiwallet.identity.types import Tier
from tikiwallet.ledger.types import TransferId
from tikiwallet.offline.types import VoucherId, VoucherState
from tikiwallet.platform.jobs import NotYet
from world import body_of


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


async def assert_money_is_conserved(database_url: str) -> None:
    """The ledger sums to zero, and each escrow holds its voucher less what was released of it."""
    (total,) = await run_sql(database_url, "SELECT sum(balance_minor) AS minor FROM ledger.account")
    assert total["minor"] == 0
    (escrow,) = await run_sql(
        database_url, "SELECT coalesce(sum(balance_minor), 0) AS minor FROM ledger.account WHERE kind = 'escrow'"
    )
    (vouchers,) = await run_sql(
        database_url,
        """
        SELECT coalesce(sum(voucher.amount_minor), 0) - coalesce((
            SELECT sum(amount_minor) FROM offline.advance JOIN offline.advance_posted USING (transfer_id)
        ), 0) AS minor
        FROM offline.voucher WHERE state = 'open'
        """,
    )
    assert escrow["minor"] == vouchers["minor"]


async def test_handed_back_money_is_released_up_to_the_limit(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("50.00")
    for amount in (1200, 1200):
        asha.hand_back(amount)
        await asha.sync()
    # L is 20.00: 12.00 and then 8.00; the other 4.00 wait for the close.
    assert await view_of(asha) == {"online": 2000, "offline": 2600, "final": 0, "provisional": 0, "underway": 400}
    lines = body_of(await asha.owner.get("/v1/offline/money"), 200)["lines"]
    assert [(line["line"], line["state"], line["amount"]["amount_minor"]) for line in lines] == [
        ("voucher", "spendable", 2600),
        ("voucher", "handed_back", 400),
        ("advance", "posted", 1200),
        ("advance", "posted", 800),
    ]
    await assert_money_is_conserved(database_url)


async def test_received_money_is_handed_back_too(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    ben.hand_back(1500)
    await ben.sync()
    assert await view_of(ben) == {"online": 1500, "offline": 0, "final": 0, "provisional": 0, "underway": 0}
    await assert_money_is_conserved(database_url)


async def test_the_same_hand_back_is_released_once_whoever_brings_it(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00")
    bundle = asha.hand_back(1000)
    answers = await asyncio.gather(
        *(
            phone.owner.post("/v1/offline/sync", ben.sync_order(bundle) | {"device_id": None})
            for phone in (asha, ben, asha)
        )
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    # The same units under another nonce are the same units.
    await asha.sync(asha.sign_payment(_to_operator(asha, 1000), bundle.documents[-1].body.pieces))  # type: ignore[union-attr]
    assert (await view_of(asha))["online"] == 1000
    await assert_money_is_conserved(database_url)


def _to_operator(phone: Phone, amount_minor: int) -> Any:
    request = phone.request(amount_minor)
    return type(request)(
        net=request.net, currency=request.currency, amount=amount_minor, nonce=request.nonce,
        payee_key=phone.issuer_keys[-1].key, asked_at=request.asked_at, name=None,
    )  # fmt: skip


async def test_units_that_somebody_else_claims_wait_for_the_close(phone_of: PhoneOf, database_url: str) -> None:
    mallory, ben, chi = await phone_of("mallory", "50.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    double_spend(mallory, ben, chi, 1000)
    await chi.sync()
    ben.hand_back(1000)
    await ben.sync()
    assert (await view_of(ben))["online"] == 0
    assert (await view_of(ben))["final"] == 1000
    # Units that Mallory paid away and hands back all the same are not his any more.
    await mallory.sync(mallory.sign_payment(_to_operator(mallory, 500), (mallory.voucher_piece(0, 500),)))
    assert (await view_of(mallory))["online"] == 0
    await assert_money_is_conserved(database_url)


async def test_a_phone_number_alone_gets_nothing_back_early(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "20.00", tier=Tier.PHONE)
    await asha.load("20.00")
    asha.hand_back(500)
    await asha.sync()
    assert await view_of(asha) == {"online": 0, "offline": 1500, "final": 0, "provisional": 0, "underway": 500}


async def test_a_till_gets_its_final_part_at_once_whoever_brings_it(phone_of: PhoneOf, database_url: str) -> None:
    asha, till = await phone_of("asha", "100.00"), await phone_of("shop", tier=Tier.TILL)
    await asha.load("50.00")
    for amount in (1500, 1000):
        till.paid_by(asha, amount)
    await asha.sync()  # the till is still offline
    # Cover of one voucher is 20.00: that much is final and paid now, 5.00 wait.
    assert await view_of(till) == {"online": 2000, "offline": 0, "final": 0, "provisional": 500, "underway": 0}
    await till.sync()
    await till.sync()
    assert (await view_of(till))["online"] == 2000
    await assert_money_is_conserved(database_url)


async def test_tills_never_get_more_than_the_escrow_holds(phone_of: PhoneOf, database_url: str) -> None:
    mallory = await phone_of("mallory", "20.00")
    tills = [await phone_of(f"shop{number}", tier=Tier.TILL) for number in range(2)]
    await mallory.load("20.00")
    double_spend(mallory, *tills, 1500)
    for till in tills:
        await till.sync()
    views = [await view_of(till) for till in tills]
    assert [view["online"] for view in views] == [1500, 500]
    assert [view["final"] for view in views] == [0, 1000]
    await assert_money_is_conserved(database_url)


async def test_the_same_units_by_two_ways_are_promised_once(phone_of: PhoneOf, database_url: str) -> None:
    mallory, ben = await phone_of("mallory", "50.00"), await phone_of("ben")
    till = await phone_of("shop", tier=Tier.TILL)
    await mallory.load("50.00")
    double_spend(mallory, till, ben, 1200)
    request = till.request(1200)
    bundle = ben.pay(request)
    till.keep(bundle)  # its own book would notice; the operator hears of it all the same
    await till.sync()
    await till.sync(bundle)
    # Cover is 20.00, and of the voucher the till has 12.00, however often it was paid them.
    assert (await view_of(till))["online"] == 1200
    assert (await view_of(till))["final"] == 0
    await assert_money_is_conserved(database_url)


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_load_that_dies_between_two_steps_is_healed_by_its_job(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, point: str
) -> None:
    asha = await phone_of("asha", "50.00")
    offline = offline_parts.offline
    person = await offline_parts.owner_of(asha)
    device = await offline_parts.device_of(asha)
    offline_parts.break_ledger(point)
    with pytest.raises(Crash):
        await offline.vouchers.load(
            person, device_id=device.device_id, amount=offline_parts.amount("20.00"), key="dies",
            draw=lambda below: below // 3, now=offline_parts.now,
        )  # fmt: skip
    (promise,) = await run_sql(
        database_url, "SELECT payload FROM offline_jobs.pgqueuer WHERE entrypoint = 'open_voucher'"
    )
    voucher_id = VoucherId(UUID(promise["payload"].decode()))
    assert (await offline.vouchers.find(voucher_id)).state is VoucherState.DRAFT
    for _ in range(2):  # the job may itself be repeated
        assert (await offline.vouchers.open(voucher_id, now=offline_parts.now)).state is VoucherState.OPEN
    again = body_of(await asha.try_load("20.00", key="dies"), 201)
    assert again["loading_id"] == str(voucher_id)
    assert await view_of(asha) == {"online": 3000, "offline": 2000, "final": 0, "provisional": 0, "underway": 0}
    await assert_money_is_conserved(database_url)


async def test_a_load_told_no_while_its_twin_moved_the_money_is_opened(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    offline = offline_parts.offline
    person, device = await offline_parts.owner_of(asha), await offline_parts.device_of(asha)
    offline_parts.break_ledger("after")
    with pytest.raises(Crash):
        await offline.vouchers.load(
            person, device_id=device.device_id, amount=offline_parts.amount("20.00"), key="twins",
            draw=lambda below: below // 3, now=offline_parts.now,
        )  # fmt: skip
    # The twin had asked before the money was there, and writes down its no only now.
    await run_sql(database_url, "UPDATE offline.voucher SET state = 'refused', refused_code = 'insufficient_funds'")
    (voucher,) = await run_sql(database_url, "SELECT voucher_id FROM offline.voucher")
    assert (await offline.vouchers.open(voucher["voucher_id"], now=offline_parts.now)).state is VoucherState.OPEN


@pytest.mark.parametrize("point", ["before", "after"])
async def test_a_release_that_dies_between_two_steps_is_healed_by_its_job(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, point: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("50.00")
    bundle = asha.hand_back(1000)
    offline = offline_parts.offline
    offline_parts.break_ledger(point)
    with pytest.raises(Crash):
        await offline_parts.sync(asha, bundle)
    (promise,) = await run_sql(
        database_url, "SELECT payload FROM offline_jobs.pgqueuer WHERE entrypoint = 'post_advance'"
    )
    for _ in range(2):
        await offline.releases.post(TransferId(UUID(promise["payload"].decode())))
    await asha.sync(bundle)
    assert await view_of(asha) == {"online": 1000, "offline": 4000, "final": 0, "provisional": 0, "underway": 0}
    await assert_money_is_conserved(database_url)


async def test_a_release_into_a_full_wallet_waits(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("50.00")
    await run_sql(database_url, "UPDATE ledger.account SET balance_max_minor = 100 WHERE kind = 'wallet'")
    asha.hand_back(1000)
    await asha.sync()
    view = body_of(await asha.owner.get("/v1/offline/money"), 200)
    assert [line["state"] for line in view["lines"] if line["line"] == "advance"] == ["on_its_way"]
    (advance,) = await run_sql(database_url, "SELECT transfer_id FROM offline.advance")
    with pytest.raises(NotYet):
        await offline_parts.offline.releases.post(TransferId(advance["transfer_id"]))
    await run_sql(database_url, "UPDATE ledger.account SET balance_max_minor = NULL WHERE kind = 'wallet'")
    await offline_parts.offline.releases.post(TransferId(advance["transfer_id"]))
    assert (await view_of(asha))["online"] == 1000
    await assert_money_is_conserved(database_url)


async def test_the_worker_of_the_server_keeps_the_promises(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("30.00")
    bundle = asha.hand_back(1000)
    offline = offline_parts.offline
    person, device = await offline_parts.owner_of(asha), await offline_parts.device_of(asha)
    offline_parts.break_ledger("before")
    with pytest.raises(Crash):
        await offline_parts.sync(asha, bundle)
    offline_parts.break_ledger("before")
    with pytest.raises(Crash):
        await offline.vouchers.load(
            person, device_id=device.device_id, amount=offline_parts.amount("5.00"), key="dies",
            draw=lambda below: below // 3, now=offline_parts.now,
        )  # fmt: skip
    await make_jobs_due(database_url, "offline")  # nobody asks again; the server's own worker finds the promises
    async with asyncio.timeout(30):  # each look is a request, so that the worker gets its turn
        while await view_of(asha) != {"online": 2500, "offline": 2500, "final": 0, "provisional": 0, "underway": 0}:
            pass
    await assert_money_is_conserved(database_url)
