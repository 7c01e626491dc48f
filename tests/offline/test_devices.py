"""Phones are registered by whoever proves to hold the key, and belong to one person for ever."""

from typing import Any

import asyncpg
import pytest

from offline.conftest import PhoneOf, run_sql
from offline.phone import Phone, read_document
from tikicash.messages import OPENS_NAME, Opening, commitment
from tikiwallet.identity.types import Tier
from tikiwallet.offline.wire import from_base64url, to_base64url
from world import World, body_of, refusal

DEVICES = "/v1/offline/devices"


async def listed(phone: Phone) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = body_of(await phone.owner.get(DEVICES), 200)["items"]
    return items


async def test_a_registered_phone_carries_a_certificate_that_hides_its_owners_name(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    (device,) = await listed(asha)
    assert (device["name"], device["receive_only"], device["retired_at"]) == ("asha's phone", False, None)
    certificate = read_document(device["certificate"]).body
    opening = device["certificate_opening"]
    salt = from_base64url(opening["salt"])
    assert salt is not None
    assert certificate.name_commit == commitment(Opening(opens=OPENS_NAME, salt=salt, text="asha"))
    assert (certificate.cover_budget, certificate.may_hand_on, certificate.tier) == (2000, True, 2)


async def test_the_same_registration_again_is_the_same_phone(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    tablet = Phone(asha.owner, world, "tablet")
    order = await tablet.order()
    first = body_of(await asha.owner.post(DEVICES, order), 201)
    again = body_of(await asha.owner.post(DEVICES, order), 201)  # the answer was lost; the phone asks again
    assert again == first
    assert len(await listed(asha)) == 2


async def test_a_phone_may_register_its_key_again_with_a_new_challenge(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    answer = body_of(await asha.owner.post(DEVICES, await asha.order()), 201)
    assert answer["device_id"] == asha.device_id


async def test_a_challenge_is_used_once(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    tablet, watch = Phone(asha.owner, world, "tablet"), Phone(asha.owner, world, "watch")
    order = await tablet.order()
    body_of(await asha.owner.post(DEVICES, order), 201)
    used = {**await watch.order(), "challenge_id": order["challenge_id"]}
    assert refusal(await asha.owner.post(DEVICES, used)) == (422, "challenge_invalid")


async def test_a_challenge_ends_after_five_minutes(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    order = await Phone(asha.owner, world, "tablet").order()
    world.clock.move(minutes=5, seconds=1)
    assert refusal(await asha.owner.post(DEVICES, order)) == (422, "challenge_invalid")


async def test_a_challenge_of_somebody_else_is_none(world: World, phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben")
    order = await Phone(asha.owner, world, "tablet").order()
    assert refusal(await ben.owner.post(DEVICES, order)) == (422, "challenge_invalid")


async def test_a_phone_that_does_not_hold_the_key_is_refused(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    order = await Phone(asha.owner, world, "tablet").order()
    order["signature"] = to_base64url(bytes(64))
    assert refusal(await asha.owner.post(DEVICES, order)) == (422, "device_signature_wrong")


async def test_a_key_belongs_to_one_person_for_ever(world: World, phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben")
    theft = Phone(ben.owner, world, "copy")
    theft.signer, theft.public_key, theft.id = asha.signer, asha.public_key, asha.id  # Ben copied Asha's key
    assert refusal(await ben.owner.post(DEVICES, await theft.order())) == (409, "device_key_taken")


WRONG_FIELDS: list[tuple[str, object, tuple[int, str]]] = [
    ("public_key", to_base64url(bytes(33)), (400, "public_key_invalid")),
    ("public_key", "not base64url!", (400, "request_invalid")),
    ("public_key", "AAA=", (400, "request_invalid")),
    ("signature", "AAB", (400, "request_invalid")),  # not the only spelling of two bytes
    ("name", "", (400, "device_name_invalid")),
    ("name", "a\u202eb", (400, "device_name_invalid")),
    ("extra", 1, (400, "request_invalid")),
]


async def test_a_registration_is_read_strictly(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    order = await Phone(asha.owner, world, "tablet").order()
    for field, value, expected in WRONG_FIELDS:
        assert refusal(await asha.owner.post(DEVICES, {**order, field: value})) == expected, (field, value)


async def test_nobody_registers_the_operators_key(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    issuer = body_of(await world.http.get("/v1/offline/issuer"), 200)
    order = {**await Phone(asha.owner, world, "tablet").order(), "public_key": issuer["operator_key"]}
    assert refusal(await asha.owner.post(DEVICES, order)) == (400, "public_key_invalid")


async def test_a_retired_phone_gets_nothing_new_and_is_on_the_list(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "50.00")
    path = f"{DEVICES}/{asha.device_id}/retirement"
    retired = body_of(await asha.owner.post(path), 200)
    assert retired["retired_at"] is not None
    assert retired["certificate"] is None
    assert body_of(await asha.owner.post(path), 200)["retired_at"] == retired["retired_at"]
    assert refusal(await asha.try_load("10.00")) == (409, "device_retired")
    assert refusal(await asha.owner.post(DEVICES, await asha.order())) == (409, "device_key_taken")
    synced = await asha.sync()
    assert synced["certificate"] is None
    assert read_document(synced["revocations"]).body.entries == (asha.id[:8],)
    assert read_document(synced["revocations"]).body.epoch == 1


async def test_somebody_elses_phone_does_not_exist(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    assert refusal(await ben.owner.post(f"{DEVICES}/{asha.device_id}/retirement")) == (404, "device_unknown")
    order = {"device_id": asha.device_id, "bundles": [], "refusals": []}
    assert refusal(await ben.owner.post("/v1/offline/sync", order)) == (404, "device_unknown")
    load = {"device_id": asha.device_id, "amount": {"amount_minor": 100, "currency": "SGD"}}
    assert refusal(await ben.owner.post("/v1/offline/vouchers", load)) == (404, "device_unknown")


async def test_a_person_has_a_limited_number_of_phones(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha")
    for number in range(4):
        await Phone(asha.owner, world, f"phone {number}").register()
    sixth = Phone(asha.owner, world, "one more")
    assert refusal(await asha.owner.post(DEVICES, await sixth.order())) == (422, "too_many_devices")


async def test_the_certificates_of_one_person_never_promise_more_than_the_tier(
    world: World, phone_of: PhoneOf, database_url: str
) -> None:
    asha = await phone_of("asha")
    tablet = await Phone(asha.owner, world, "tablet").register()
    budgets = [read_document(device["certificate"]).body.cover_budget for device in await listed(asha)]
    assert sorted(budgets) == [0, 2000]
    with pytest.raises(asyncpg.CheckViolationError, match="certificates_within_tier"):
        await run_sql(database_url, "UPDATE offline.holder SET granted_minor = granted_minor + 1")
    # A lost phone's promise lives on until its certificate has ended and every claim of that time is closed.
    body_of(await asha.owner.post(f"{DEVICES}/{asha.device_id}/retirement"), 200)
    assert (await budget_after_sync(tablet)) == 0
    world.clock.move(days=29)
    tablet.owner = await world.sign_in_again(asha.owner)
    assert (await budget_after_sync(tablet)) == 2000


async def budget_after_sync(phone: Phone) -> int:
    await phone.sync()
    assert phone.certificate is not None
    return phone.certificate.body.cover_budget


async def test_a_till_has_a_budget_of_its_own_renewed_every_14_days(
    world: World, phone_of: PhoneOf, database_url: str
) -> None:
    till = await phone_of("shop", tier=Tier.TILL)
    second = await Phone(till.owner, world, "second till").register()
    for phone in (till, second):
        assert phone.certificate is not None
        assert (phone.certificate.body.cover_budget, phone.certificate.body.may_hand_on) == (50_000, False)
    await run_sql(database_url, "UPDATE offline.device SET budget_minor = 100")  # as if closes had used it
    assert await budget_after_sync(till) == 100
    world.clock.move(days=14)
    till.owner = await world.sign_in_again(till.owner)
    assert await budget_after_sync(till) == 50_000


async def test_a_certificate_is_not_written_anew_at_every_sync(phone_of: PhoneOf, database_url: str) -> None:
    asha = await phone_of("asha")
    for _ in range(3):
        await asha.sync()
    (count,) = await run_sql(database_url, "SELECT count(*) FROM offline.certificate")
    assert count["count"] == 1


async def test_the_policy_is_that_of_my_tier(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben", tier=Tier.PHONE)
    mine = body_of(await asha.owner.get("/v1/offline/policy"), 200)
    his = body_of(await ben.owner.get("/v1/offline/policy"), 200)
    assert (mine["tier"], mine["voucher_max_minor"], mine["budget_minor"]) == ("identified", 5000, 2000)
    assert (his["tier"], his["voucher_max_minor"], his["early_release_minor"]) == ("phone", 2000, 0)
