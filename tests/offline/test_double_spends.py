"""A double spend is found whatever the order of the syncs, proved, and costs honest payees what their screens said."""

import asyncio
import itertools
from typing import Any

import pytest

from offline.conftest import PhoneOf, parts, run_sql
from offline.phone import Phone, double_spend, read_document
from tikicash.cose import KEY_BYTES
from tikicash.messages import parse
from tikicash.settlement import verify_proof
from world import World, body_of, refusal


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


async def proofs(database_url: str) -> list[Any]:
    return await run_sql(database_url, "SELECT key_id, person_id, document FROM offline.proof")


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_a_double_spend_is_named_and_proved(
    world: World, phone_of: PhoneOf, database_url: str, order: tuple[int, ...]
) -> None:
    mallory, ben, chi = await phone_of("mallory", "100.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    accepted = double_spend(mallory, ben, chi, 1500)
    payees = (ben, chi)
    for number in order:
        await payees[number].sync()
    (proof,) = await proofs(database_url)
    assert proof["key_id"] == mallory.id
    assert proof["person_id"] == mallory.owner.person_id
    assert len(ben.root_key) == KEY_BYTES
    assert verify_proof(parse(proof["document"]), root_key=ben.root_key).key_id == mallory.id
    # Both payees are owed what their phones said, and nothing is at their risk below the cover.
    for phone, acceptance in zip(payees, accepted, strict=True):
        view = await view_of(phone)
        assert (view["final"], view["provisional"]) == (acceptance.how_safe.protected, acceptance.how_safe.at_risk)
    assert refusal(await mallory.try_load("10.00")) == (403, "loading_stopped")
    assert (await mallory.sync(wanted="50.00"))["loading"]["code"] == "loading_stopped"
    revocations = read_document((await ben.sync())["revocations"]).body
    assert (revocations.epoch, revocations.entries) == (1, (mallory.id[:8],))
    # The same evidence again names nobody twice.
    await ben.sync(ben.bundle_of(accepted[0].payment))
    assert len(await proofs(database_url)) == 1


async def test_both_halves_in_one_sync_are_found_too(phone_of: PhoneOf, database_url: str) -> None:
    mallory, ben, chi = await phone_of("mallory", "100.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    one, other = double_spend(mallory, ben, chi, 1500)
    await mallory.sync(ben.bundle_of(one.payment), chi.bundle_of(other.payment))
    assert [proof["key_id"] for proof in await proofs(database_url)] == [mallory.id]
    lines = body_of(await ben.owner.get("/v1/offline/money"), 200)["lines"]
    assert [(line["state"], line["counterparty"]) for line in lines] == [("shared", "mallory")]


async def test_above_the_cover_the_rest_is_provisional_and_said_so(phone_of: PhoneOf) -> None:
    mallory, ben, chi = await phone_of("mallory", "200.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    accepted = ben.paid_by(mallory, 1800), ben.paid_by(mallory, 1200)
    assert [item.how_safe.at_risk for item in accepted] == [0, 1000]
    request = chi.request(1200)
    chi.accept(mallory.sign_payment(request, (mallory.voucher_piece(0, 1200),)), request)
    await chi.sync()
    await ben.sync()
    view = await view_of(ben)
    assert (view["final"], view["provisional"]) == (2000, 1000)
    lines = body_of(await ben.owner.get("/v1/offline/money"), 200)["lines"]
    assert sum(line["final"]["amount_minor"] for line in lines) == 2000
    assert any("spent this money twice" in line["sentence"] for line in lines)


async def test_the_middle_man_who_pays_twice_is_named_and_not_the_first_payer(
    phone_of: PhoneOf, database_url: str
) -> None:
    asha, mallory = await phone_of("asha", "100.00"), await phone_of("mallory")
    ben, chi = await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    received = mallory.paid_by(asha, 1500).payment
    piece = received.body.pieces[0]
    for payee in (ben, chi):
        request = payee.request(1500)
        spend = type(piece)(parent_id=received.short_id, first=piece.first, count=1500)
        payee.accept(mallory.sign_payment(request, (spend,)), request)
        await payee.sync()
    assert [proof["key_id"] for proof in await proofs(database_url)] == [mallory.id]
    assert (await view_of(asha))["offline"] == 3500
    body_of(await asha.try_load("10.00"), 201)  # the honest payer loads on
    # Mallory double spent above these units, so that no part of them is his.
    assert (await view_of(mallory))["final"] == 0


async def test_an_honest_retry_names_nobody(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("20.00")
    shown = asha.pay(ben.request(1000))
    # The exchange broke off: under a new request the same phone signs the same units to the same payee.
    again = ben.request(1000)
    ben.accept(asha.sign_payment(again, shown.documents[-1].body.pieces), again)  # type: ignore[union-attr]
    await asha.sync()
    await ben.sync()
    assert await proofs(database_url) == []
    assert (await view_of(ben))["final"] == 1000
    assert (await view_of(asha))["offline"] == 1000


async def test_a_refund_that_is_paid_on_names_nobody(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("20.00")
    ben.paid_by(asha, 1000)
    asha.paid_by(ben, 1000)
    chi.paid_by(asha, 2000)
    for phone in (chi, ben, asha):
        await phone.sync()
    assert await proofs(database_url) == []
    assert (await view_of(chi))["final"] == 2000
    assert await view_of(ben) == {"online": 0, "offline": 0, "final": 0, "provisional": 0, "underway": 0}
    assert await view_of(asha) == {"online": 8000, "offline": 0, "final": 0, "provisional": 0, "underway": 0}


async def test_an_accomplice_of_the_same_person_keeps_nothing_of_the_shared_units(phone_of: PhoneOf) -> None:
    mallory, ben = await phone_of("mallory", "100.00"), await phone_of("ben")
    tablet = await Phone(mallory.owner, mallory.world, "tablet").register()
    await mallory.load("50.00")
    double_spend(mallory, tablet, ben, 1500)
    await tablet.sync()
    await ben.sync()
    assert (await view_of(ben))["final"] == 1500
    lines = body_of(await ben.owner.get("/v1/offline/money"), 200)["lines"]
    assert [line["state"] for line in lines] == ["waiting"]  # the only claim that is kept
    view = await view_of(mallory)
    assert (view["final"], view["provisional"]) == (0, 0)


async def test_two_halves_that_arrive_at_the_same_moment_are_found(phone_of: PhoneOf, database_url: str) -> None:
    mallory, ben, chi = await phone_of("mallory", "100.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    double_spend(mallory, ben, chi, 1500)
    await asyncio.gather(ben.sync(), chi.sync())
    assert len(await proofs(database_url)) == 1
