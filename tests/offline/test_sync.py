"""A sync may be cut, repeated, reordered, brought by anybody and half wrong; the result is always the same."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from offline.conftest import PhoneOf, let_claims_end, parts, run_sql
from offline.phone import Phone, read_document
from tikicash.cose import PrivateKeySigner, verify_signature
from tikicash.messages import Bundle, Payment, Signed, parse, sign
from tikiwallet.offline import claims, revocations
from tikiwallet.offline import sync as sync_module
from tikiwallet.offline.wire import to_base64url
from tikiwallet.platform.db import Queries
from world import World, body_of, refusal

SYNC = "/v1/offline/sync"


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


def outcomes(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(result["outcome"], result["code"]) for result in answer["results"]]


async def test_a_sync_repeated_says_known_and_changes_nothing(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    bundles = [ben.bundle_of(ben.paid_by(asha, amount).payment) for amount in (500, 300)]
    first = await ben.sync(*bundles)
    again = await ben.sync(*bundles, bundles[0])
    assert outcomes(first) == [("recorded", None), ("recorded", None)]
    assert outcomes(again) == [("known", None)] * 3
    assert again["money"] == first["money"]
    assert again["vouchers"] == first["vouchers"]


async def test_anybody_may_bring_a_payment_and_the_payee_is_credited(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    payment = ben.paid_by(asha, 1500).payment
    chi.device_id = ""  # Chi's sync names no phone of hers: she only carries Ben's money
    answer = await chi.sync(ben.bundle_of(payment))
    assert outcomes(answer) == [("recorded", None)]
    assert (answer["certificate"], answer["vouchers"], answer["money"]["lines"]) == (None, [], [])
    assert (await view_of(ben))["final"] == 1500
    assert await brought_by(database_url) == {(payment.id, chi.owner.person_id)}
    await chi.sync(ben.bundle_of(payment))
    assert await brought_by(database_url) == {(payment.id, chi.owner.person_id)}
    await ben.sync(ben.bundle_of(payment))
    await ben.sync(ben.bundle_of(payment))
    assert await brought_by(database_url) == {(payment.id, chi.owner.person_id), (payment.id, ben.owner.person_id)}


async def test_what_is_below_a_payment_was_brought_by_nobody_until_somebody_does(
    phone_of: PhoneOf, database_url: str
) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    below = ben.paid_by(asha, 1500).payment
    above = chi.paid_by(ben, 700).payment
    await chi.sync()
    assert await brought_by(database_url) == {(above.id, chi.owner.person_id)}
    assert outcomes(await ben.sync(ben.bundle_of(below))) == [("known", None)]
    assert await brought_by(database_url) == {(above.id, chi.owner.person_id), (below.id, ben.owner.person_id)}


async def test_a_sync_that_brings_nothing_appends_nothing(phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    ben = await phone_of("ben")
    monkeypatch.setattr(claims.Claims, "append", None)
    monkeypatch.setattr(claims.Claims, "_signers", None)
    assert (await ben.sync())["results"] == []


async def test_the_list_of_blocked_keys_is_read_again_when_a_key_was_added_and_now_and_then(
    world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ben = await phone_of("asha"), await phone_of("ben")
    await ben.sync()
    read = 0
    real = Queries.__getitem__

    def count(queries: Queries, name: str) -> str:
        nonlocal read
        read += name == "newest_revocations"
        return real(queries, name)

    monkeypatch.setattr(Queries, "__getitem__", count)
    monkeypatch.setattr(revocations, "READ_AGAIN_AFTER", timedelta(minutes=1))  # less than an access token lives
    await ben.sync()
    assert (read, ben.revocations.entries) == (0, ())
    await asha.owner.post(f"/v1/offline/devices/{asha.device_id}/retirement", {})
    before = ben.revocations.epoch
    await ben.sync()
    assert (read, ben.revocations.entries, ben.revocations.epoch) == (1, (asha.id[:8],), before + 1)
    world.clock.now += timedelta(seconds=59)
    await ben.sync()
    assert (read, ben.revocations.now) == (1, int(world.clock.now.timestamp()))
    world.clock.now += timedelta(seconds=1)
    await ben.sync()
    assert (read, ben.revocations.entries) == (2, (asha.id[:8],))


async def brought_by(database_url: str) -> set[tuple[bytes, UUID]]:
    """Who brought which payment, and each of them once."""
    rows = await run_sql(
        database_url,
        """
        SELECT document_id, brought_by FROM offline.payment WHERE brought_by IS NOT NULL
        UNION ALL SELECT document_id, person_id FROM offline.submission
        """,
    )
    found = [(row[0], row[1]) for row in rows]
    assert len(found) == len(set(found))
    return set(found)


async def test_the_good_part_of_a_sync_is_settled_and_the_rest_is_explained(phone_of: PhoneOf) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    good = ben.bundle_of(ben.paid_by(asha, 1500).payment)
    last = good.documents[-1]
    forged = Bundle(documents=(good.documents[0], replace(last, signature=bytes(63) + b"\x01")))
    too_much = sign(replace(last.body, total=1, pieces=(asha.voucher_piece(4900, 200),)), asha.signer)
    wrong_total = sign(replace(last.body, total=7), asha.signer)
    strange = sign(replace(asha.voucher.body, issuer=9), PrivateKeySigner(asha.signer._private_key))
    unknown_issuer = Bundle(documents=(strange, _pay_all(asha, strange, last)))
    texts = [to_base64url(item.to_bytes()) for item in (good, forged)]
    texts += ["@@@", to_base64url(b"\x00"), to_base64url(last.to_bytes())]
    texts += [
        to_base64url(item.to_bytes())
        for item in (
            Bundle(documents=(last,)),
            Bundle(documents=(asha.voucher, too_much)),
            Bundle(documents=(asha.voucher, wrong_total)),
            unknown_issuer,
            Bundle(documents=()),
        )
    ]
    refused = ["@@@", to_base64url(b"\x00"), to_base64url(good.to_bytes())]
    refused += [to_base64url(chi.refuse(good).to_bytes()), to_base64url(ben.refuse(unknown_issuer).to_bytes())]
    order = {"device_id": None, "bundles": texts, "refusals": refused, "offline_balance_wanted": None}
    answer = body_of(await ben.owner.post(SYNC, order), 200)
    assert outcomes(answer) == [
        ("recorded", None),
        ("rejected", "payment_signature_wrong"),
        ("rejected", "not_base64url"),
        ("rejected", "unknown_document"),
        ("rejected", "not_a_payment"),
        ("rejected", "parent_missing"),
        ("rejected", "piece_outside_parent"),
        ("rejected", "total_differs"),
        ("rejected", "issuer_unknown"),
        ("rejected", "not_a_payment"),
        ("rejected", "not_base64url"),
        ("rejected", "unknown_document"),
        ("rejected", "not_a_refusal"),
        ("rejected", "answer_signature_wrong"),
        ("rejected", "payment_unknown"),
    ]
    assert all(result["detail"] for result in answer["results"] if result["code"])
    assert (await view_of(ben))["final"] == 1500
    # A document is what was signed: once it is recorded, a copy with a broken signature is a copy.
    assert outcomes(await ben.sync(forged)) == [("known", None)]


def _pay_all(payer: Phone, voucher: Signed[Any], like: Signed[Any]) -> Signed[Payment]:
    piece = replace(like.body.pieces[0], parent_id=voucher.short_id)
    return sign(replace(like.body, pieces=(piece,)), payer.signer)


async def test_a_forged_signature_is_rejected(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    bundle = ben.bundle_of(ben.paid_by(asha, 1500).payment)
    forged = Bundle(documents=(bundle.documents[0], replace(bundle.documents[-1], signature=bytes(63) + b"\x01")))
    assert outcomes(await ben.sync(forged)) == [("rejected", "payment_signature_wrong")]
    assert (await view_of(ben))["final"] == 0
    assert outcomes(await ben.sync(bundle)) == [("recorded", None)]


async def test_money_of_a_voucher_that_the_operator_does_not_know_is_no_claim(
    phone_of: PhoneOf, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    # A database restored from before the load: the voucher is genuine and nobody knows its escrow.
    await run_sql(database_url, "ALTER TABLE offline.voucher DISABLE TRIGGER ALL")
    await run_sql(database_url, "DELETE FROM offline.voucher")
    assert outcomes(await ben.sync()) == [("rejected", "voucher_unknown")]


async def test_a_payment_to_an_unregistered_phone_waits_for_its_key(world: World, phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    tablet = Phone(ben.owner, world, "tablet")
    tablet.net = ben.net
    payment = asha.pay(tablet.request(1000))
    await asha.sync()
    assert (await view_of(ben))["provisional"] == 0
    refused = await asha.sync(payment, refusals=[tablet.refuse(payment)])
    assert outcomes(refused) == [("known", None), ("rejected", "payee_unregistered")]
    await tablet.register()
    assert (await view_of(ben))["provisional"] == 1000  # no budget is left for the second phone, so none of it is final


async def test_a_refusal_gives_the_units_back_to_the_payer(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    bundle = asha.pay(ben.request(1500))
    declined = ben.refuse(bundle)
    assert outcomes(await ben.sync(refusals=[declined])) == [("rejected", "payment_unknown")]
    assert outcomes(await ben.sync(bundle, refusals=[declined])) == [("recorded", None), ("recorded", None)]
    assert outcomes(await ben.sync(bundle, refusals=[declined])) == [("known", None), ("known", None)]
    assert (await view_of(ben))["final"] == 0
    assert (await view_of(asha))["offline"] == 5000


async def test_a_refusal_takes_nothing_from_those_who_were_paid_on(phone_of: PhoneOf) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    payment = ben.paid_by(asha, 1500).payment
    chi.paid_by(ben, 1000)
    await chi.sync()
    await ben.sync(ben.bundle_of(payment), refusals=[ben.refuse(ben.bundle_of(payment))])
    assert (await view_of(chi))["final"] == 1000
    assert (await view_of(ben))["final"] == 0
    assert (await view_of(asha))["offline"] == 4000


def never(*_: bytes) -> bool:
    raise AssertionError("a signature was verified, or a bundle read, too early")


async def test_a_sync_that_is_too_large_is_refused_before_it_is_read(
    phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = await phone_of("ben")
    monkeypatch.setattr(claims, "verify_signature", never)
    monkeypatch.setattr(claims, "parse", never)
    for changed in (
        {"bundles": ["AA"] * (sync_module.BUNDLES_MAX + 1)},
        {"bundles": ["AA"] * 10_000},
        {"bundles": ["A" * sync_module.BODY_BYTES_MAX]},
        {"refusals": ["AA"] * (sync_module.REFUSALS_MAX + 1)},
    ):
        answer = await ben.owner.post(SYNC, {**ben.sync_order(), **changed})
        assert refusal(answer) == (413, "sync_too_large")
        assert "at most 500 payments and 750 000 bytes" in answer.text


async def test_a_bundle_above_the_limits_costs_nothing_and_the_one_beside_it_is_recorded(
    phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    good = ben.bundle_of(ben.paid_by(asha, 1500).payment)
    read: list[int] = []
    verified: list[bytes] = []

    def reads(data: bytes) -> Any:
        read.append(len(data))
        return parse(data)

    def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
        verified.append(signature)
        return verify_signature(public_key, message, signature)

    monkeypatch.setattr(claims, "parse", reads)
    monkeypatch.setattr(claims, "verify_signature", verifies)
    many = Bundle(documents=(*good.documents[:1] * 12, good.documents[-1]))
    huge = b"\x99\xff\xff" + b"\x80" * 400_000
    order = {**ben.sync_order(good, many), "device_id": None}
    order["bundles"] = [to_base64url(huge), *order["bundles"]]
    answer = body_of(await ben.owner.post(SYNC, order), 200)
    assert outcomes(answer) == [
        ("rejected", "bundle_too_large"), ("recorded", None), ("rejected", "too_many_documents"),
    ]  # fmt: skip
    assert max(read) < 4096
    # The voucher is one that the operator signed itself, and whose document it keeps.
    assert verified == [good.documents[-1].signature]


async def test_a_sync_is_read_strictly(phone_of: PhoneOf) -> None:
    ben = await phone_of("ben")
    for field in ("bundles", "device_id", "surprise"):
        assert refusal(await ben.owner.post(SYNC, {**ben.sync_order(), field: 7})) == (400, "request_invalid")


async def test_fifty_payments_fit_in_one_small_sync(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    bundles = [ben.bundle_of(ben.paid_by(asha, 100).payment) for _ in range(50)]
    size = len(msgspec.json.encode(ben.sync_order(*bundles)))
    assert size < 21_500  # 314 bytes a bundle, 419 characters as base64url; 15.7 kB before that
    answer = await ben.sync(*bundles)
    assert outcomes(answer) == [("recorded", None)] * 50
    assert (await view_of(ben))["final"] == 2000
    assert (await view_of(ben))["provisional"] == 3000


async def test_a_sync_brings_time_list_and_keys(world: World, phone_of: PhoneOf) -> None:
    ben = await phone_of("ben")
    answer = await ben.sync()
    assert read_document(answer["signed_time"]).body.now == int(world.clock.now.timestamp())
    assert read_document(answer["revocations"]).body.entries == ()
    assert len(answer["issuer_keys"]) == 1
    assert answer["loading"] is None


async def test_a_portion_that_is_not_the_last_is_answered_by_its_results_alone(phone_of: PhoneOf) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    first, last = (ben.bundle_of(ben.paid_by(asha, 100).payment) for _ in range(2))
    answer = body_of(await ben.owner.post(SYNC, {**ben.sync_order(first), "more_follows": True}), 200)
    assert outcomes(answer) == [("recorded", None)]
    assert {name: value for name, value in answer.items() if value} == {"results": answer["results"]}
    assert answer["money"] is None
    again = body_of(await ben.owner.post(SYNC, {**ben.sync_order(first), "more_follows": True}), 200)
    assert outcomes(again) == [("known", None)]
    answer = await ben.sync(last)
    assert outcomes(answer) == [("recorded", None)]
    assert [line["amount"]["amount_minor"] for line in answer["money"]["lines"]] == [100, 100]


async def test_the_offline_balance_is_asked_for_with_the_last_portion(phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    order = {**asha.sync_order(wanted="30.00"), "more_follows": True}
    answer = await asha.owner.post(SYNC, order)
    assert refusal(answer) == (400, "request_invalid")
    assert answer.json()["field"] == "offline_balance_wanted"
    assert (await view_of(asha))["offline"] == 0
    assert (await asha.sync(wanted="30.00"))["loading"]["state"] == "open"


async def test_a_payment_that_comes_too_late_is_recorded_and_said_so(phone_of: PhoneOf, database_url: str) -> None:
    asha, ben = await phone_of("asha", "100.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    await let_claims_end(database_url, at="2026-01-03T12:00:00Z")
    (result,) = (await ben.sync())["results"]
    assert (result["outcome"], result["code"]) == ("recorded", None)
    assert "3 January" in result["detail"]
    assert (await view_of(ben))["final"] == 0
