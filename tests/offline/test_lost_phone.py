"""A phone is lost: its owner learns what is gone and what isn't, and every payment is still worth what it was."""

from typing import Any

import pytest

from offline.conftest import OfflineParts, PhoneOf, let_claims_end, parts, run_sql
from offline.phone import Phone, double_spend, read_document
from tikicash.errors import Rejected
from world import World, body_of, refusal

DEVICES = "/v1/offline/devices"


async def lose(phone: Phone) -> dict[str, Any]:
    retired: dict[str, Any] = body_of(await phone.owner.post(f"{DEVICES}/{phone.device_id}/retirement"), 200)
    return retired


async def money_on(phone: Phone) -> dict[str, Any]:
    found: dict[str, Any] = body_of(await phone.owner.get(f"{DEVICES}/{phone.device_id}/money"), 200)
    return found


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


def minor(*found: dict[str, Any]) -> list[int]:
    return [item["amount_minor"] for item in found]


async def test_the_owner_learns_what_is_on_a_lost_phone_and_what_the_finder_can_do(
    world: World, phone_of: PhoneOf
) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben", "100.00")
    await asha.load("50.00")
    await ben.load("20.00")
    ben.paid_by(asha, 700)
    asha.paid_by(ben, 1200)
    for phone in (asha, ben):
        await phone.sync()
    before = await money_on(asha)
    assert minor(before["payable"], before["received"], before["final"]) == [4300 + 1200, 1200, 1200]
    assert before["blocked"] is None
    assert "up to 55.00 SGD" in before["sentences"][0]
    await lose(asha)
    lost = await money_on(asha)
    assert lost["blocked"]["reason"] == "retired"
    assert minor(lost["payable"], lost["received"]) == [5500, 1200]
    assert lost["payable_until"] < lost["home_at"]
    told = " ".join(lost["sentences"])
    assert "could still pay up to 55.00 SGD to somebody who hasn't synced since" in told
    assert "12.00 SGD that it was paid stays yours" in told
    assert {line["device_id"] for line in lost["lines"]} == {asha.device_id}
    assert [(line["line"], line["state"], *minor(line["amount"])) for line in lost["lines"]] == [
        ("voucher", "coming_home", 4300), ("claim", "waiting", 1200),
    ]  # fmt: skip
    world.clock.move(days=8)  # past the last day for paying, before the last day for claims
    asha.owner = await world.sign_in_again(asha.owner)
    later = await money_on(asha)
    assert (minor(later["payable"]), later["payable_until"]) == ([0], None)
    assert "nothing on it can be paid to anybody any more" in " ".join(later["sentences"])


async def test_a_line_of_money_names_its_phone(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    tablet = await Phone(asha.owner, world, "tablet").register()
    await asha.load("20.00")
    await tablet.load("30.00")
    lines = body_of(await asha.owner.get("/v1/offline/money"), 200)["lines"]
    assert {(line["device_id"], *minor(line["amount"])) for line in lines} == {
        (asha.device_id, 2000), (tablet.device_id, 3000),
    }  # fmt: skip
    assert [minor(line["amount"]) for line in (await money_on(tablet))["lines"]] == [[3000]]


async def test_money_of_somebody_elses_phone_is_not_shown(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben")
    assert refusal(await ben.owner.get(f"{DEVICES}/{asha.device_id}/money")) == (404, "device_unknown")


async def test_what_the_finder_pays_is_honoured_until_the_news_arrives(phone_of: PhoneOf) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    await lose(asha)
    await chi.sync()
    ben.paid_by(asha, 1500)  # the finder pays Ben, who hasn't synced since
    request = chi.request(1000)
    bundle = asha.pay(request)
    with pytest.raises(Rejected) as refused:
        chi.accept(bundle, request)
    assert refused.value.code == "key_revoked"
    await ben.sync()
    assert (await view_of(ben))["final"] == 1500
    assert minor((await money_on(asha))["payable"]) == [3500]  # Chi's was never brought
    assert (await view_of(asha))["underway"] == 3500


async def test_a_lost_phones_takings_are_credited_from_any_copy(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    first, second = ben.paid_by(asha, 700).payment, ben.paid_by(asha, 800).payment
    await lose(ben)  # with both payments on it, and neither brought
    assert minor((await money_on(ben))["received"]) == [0]
    await asha.sync(asha.bundle_of(first))  # the payer's copy
    chi.device_id = ""
    await chi.sync(ben.bundle_of(second))  # a courier's
    found = await money_on(ben)
    assert minor(found["received"], found["final"]) == [1500, 1500]
    await let_claims_end(database_url)
    assert await offline_parts.offline.keep_up() == 1
    assert (await view_of(ben))["online"] == 1500
    assert (await view_of(asha))["online"] == 5000 + 3500


async def test_a_retired_phone_that_comes_back_hears_why_and_loses_nothing(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    await lose(ben)
    answer = await ben.sync(wanted="10.00")
    assert [(item["outcome"], item["code"]) for item in answer["results"]] == [("recorded", None)]
    assert (answer["code"], answer["certificate"]) == ("device_retired", None)
    assert "make a new key" in answer["detail"]
    assert answer["loading"]["code"] == "device_retired"
    assert (await view_of(ben))["final"] == 1500
    assert (await asha.sync())["code"] is None


async def test_a_key_that_is_blocked_by_a_proof_tells_its_owner_why(phone_of: PhoneOf) -> None:
    mallory, ben, chi = await phone_of("mallory", "100.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    double_spend(mallory, ben, chi, 1500)
    await ben.sync()
    assert (await mallory.sync())["code"] is None
    await chi.sync()
    answer = await mallory.sync()
    assert answer["code"] == "device_blocked"
    assert "signed the same money to two people" in answer["detail"]
    (device,) = body_of(await mallory.owner.get(DEVICES), 200)["items"]
    assert (device["retired_at"], device["blocked"]["reason"]) == (None, "spent_twice")
    assert "there is a proof of it" in (await money_on(mallory))["sentences"][0]
    assert {line["state"] for line in answer["money"]["lines"]} == {"coming_home"}  # nobody takes it any more
    # Retired afterwards: the proof is still the reason.
    assert (await lose(mallory))["blocked"]["reason"] == "spent_twice"


async def test_the_list_in_every_sync_has_an_epoch_that_only_grows(world: World, phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben")
    lists = [read_document((await ben.sync())["revocations"]).body]
    for number in range(2):
        await lose(await Phone(asha.owner, world, f"old phone {number}").register())
        world.clock.move(minutes=4)
        lists.append(read_document((await ben.sync())["revocations"]).body)
    lists.append(read_document((await ben.sync())["revocations"]).body)  # nothing new: the same epoch
    assert [item.epoch for item in lists] == [0, 1, 2, 2]
    assert [len(item.entries) for item in lists] == [0, 1, 2, 2]
    assert sorted(item.now for item in lists) == [item.now for item in lists]


async def test_a_revocation_is_never_taken_back(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha")
    await lose(asha)
    rows = await run_sql(
        database_url,
        "SELECT has_table_privilege('tikiwallet_offline', 'offline.revocation', 'DELETE') AS may_delete, "
        "has_table_privilege('tikiwallet_offline', 'offline.revocation', 'UPDATE') AS may_update",
    )
    assert [tuple(row) for row in rows] == [(False, False)]
