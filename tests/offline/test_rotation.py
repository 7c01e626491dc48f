"""The operator's signing keys change while phones pay each other, and nobody loses a cent or has to be told."""

import multiprocessing
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from crashes import Crash
from offline.closes import assert_books_are_right, guarantee, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from offline.phone import Phone, read_document
from tikicash.errors import Rejected
from tikicash.messages import IssuerKey
from tikicash.validity import check_issued
from tikiwallet.offline import key_folder
from tikiwallet.offline.issuer import ENDS_SOON_SECONDS, Issuer
from tikiwallet.offline.key_folder import ISSUER_KEY_SECONDS, open_key_folder, rotate_issuer_key
from tikiwallet.offline.revocations import sign_time
from tikiwallet.offline.types import VoucherId
from tikiwallet.offline.wire import from_base64url
from tikiwallet.platform.config import ConfigError
from world import World, body_of, refusal

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
OVERLAP = timedelta(days=15)


def rotate(folder: Path, *, now: datetime = NOW, overlap: timedelta = OVERLAP) -> IssuerKey:
    return rotate_issuer_key(
        folder, root_file=folder / "root.pem", now=now, overlap_seconds=int(overlap.total_seconds())
    )  # fmt: skip


async def later(phones: list[Phone], **distance: float) -> None:
    """Let time pass, longer than a session lasts."""
    phones[0].world.clock.move(**distance)
    for phone in phones:
        phone.owner = await phone.world.sign_in_again(phone.owner)


# -- the files -----------------------------------------------------------------------------------------------------


def test_a_new_key_is_known_at_once_and_signs_after_the_overlap(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))  # as a running server has it
    made = rotate(tmp_path)
    assert [item.body.number for item in issuer.documents] == [1, 2]
    second = timedelta(seconds=1)
    signed = {at: sign_time(issuer, now=NOW + at) for at in (timedelta(0), OVERLAP - second, OVERLAP)}
    assert [item.body.issuer for item in signed.values()] == [1, 1, 2]
    for document in signed.values():
        check_issued(document, issuer_keys=issuer.issuer_keys)
    assert issuer.operator_key_at(NOW + OVERLAP) == made.key != issuer.operator_key_at(NOW)
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("issuer-2.*")} == {
        "issuer-2.pem": 0o600, "issuer-2.tk1": 0o600,
    }  # fmt: skip


def test_of_two_rotations_in_a_row_the_newer_one_that_has_begun_signs(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    rotate(tmp_path)
    rotate(tmp_path, overlap=timedelta(0))  # key 2 was stolen before it began
    assert [issuer.number_at(NOW + at) for at in (timedelta(0), OVERLAP, 2 * OVERLAP)] == [3, 3, 3]
    rotate(tmp_path)
    assert [issuer.number_at(NOW + at) for at in (timedelta(0), OVERLAP)] == [3, 4]
    assert len(issuer.operator_ids) == 4


def test_a_key_that_signs_no_more_may_be_destroyed(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    rotate(tmp_path, overlap=timedelta(0))
    (tmp_path / "issuer-1.pem").unlink()
    assert issuer.number_at(NOW) == 2
    again = Issuer(open_key_folder(tmp_path, now=NOW))
    assert (again.number_at(NOW), again.operator_ids) == (2, issuer.operator_ids)


@pytest.mark.parametrize("point", ["the key", "the document"])
def test_a_rotation_that_dies_changes_nothing_and_its_key_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    links = iter([True, point == "the document", False])
    link = os.link

    def dying_link(draft: Path, path: Path) -> None:
        if path.suffix == {"the key": ".pem", "the document": ".tk1"}[point] and next(links):
            raise KeyboardInterrupt
        link(draft, path)

    monkeypatch.setattr(key_folder.os, "link", dying_link)
    with pytest.raises(KeyboardInterrupt):
        rotate(tmp_path)
    monkeypatch.undo()
    left = tmp_path / "issuer-2.pem"
    assert left.exists() == (point == "the document")
    before = left.read_bytes() if left.exists() else b""
    assert [item.body.number for item in issuer.documents] == [1]
    assert Issuer(open_key_folder(tmp_path, now=NOW)).number_at(NOW + OVERLAP) == 1
    assert rotate(tmp_path).number == 2
    assert left.read_bytes() != before
    assert issuer.number_at(NOW + OVERLAP) == 2


def _rotate_in_a_process(folder: str) -> int:
    return rotate(Path(folder), overlap=timedelta(0)).number


def test_rotations_in_several_processes_make_a_key_each_while_another_signs(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    signed = 0
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map_async(_rotate_in_a_process, [str(tmp_path)] * 4)
        while not made.ready():
            document = sign_time(issuer, now=NOW)
            check_issued(document, issuer_keys=issuer.issuer_keys)
            signed += 1
        assert sorted(made.get()) == [2, 3, 4, 5]
    assert signed > 0
    assert issuer.number_at(NOW) == 5


def test_a_root_key_that_is_missing_wrong_or_readable_by_others_makes_no_key(tmp_path: Path) -> None:
    folder, root = tmp_path / "keys", tmp_path / "safe.pem"
    issuer = Issuer(open_key_folder(folder, now=NOW))
    (folder / "root.pem").rename(root)
    open_key_folder(tmp_path / "other", now=NOW)
    (tmp_path / "garbage.pem").write_text("garbage")
    (tmp_path / "garbage.pem").chmod(0o600)
    for path, sentence in [
        (folder / "root.pem", "The root key isn't at"),
        (tmp_path / "other" / "root.pem", "root key of another network"),
        (folder / "issuer-1.pem", "root key of another network"),
        (tmp_path / "garbage.pem", "holds no private key"),
    ]:
        with pytest.raises(ConfigError, match=sentence):
            rotate_issuer_key(folder, root_file=path, now=NOW, overlap_seconds=0)
    root.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        rotate_issuer_key(folder, root_file=root, now=NOW, overlap_seconds=0)
    assert [item.body.number for item in issuer.documents] == [1]
    root.chmod(0o600)
    assert rotate_issuer_key(folder, root_file=root, now=NOW, overlap_seconds=0).number == 2
    assert issuer.number_at(NOW) == 2


def test_a_running_server_goes_on_with_its_keys_when_new_ones_are_wrong_and_takes_them_when_they_are_mended(
    tmp_path: Path,
) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    other = tmp_path / "other"
    open_key_folder(other, now=NOW)
    with capture_logs() as logs:
        rotate(tmp_path, overlap=timedelta(0))
        (tmp_path / "issuer-2.pem").chmod(0o644)
        assert [sign_time(issuer, now=NOW).body.issuer for _ in range(3)] == [1, 1, 1]
        (tmp_path / "issuer-2.pem").chmod(0o600)
        assert issuer.number_at(NOW) == 2
        (tmp_path / "root.pub").write_bytes((other / "root.pub").read_bytes())
        assert [issuer.number_at(NOW) for _ in range(3)] == [2, 2, 2]
    errors = [log["reason"] for log in logs if log["log_level"] == "error"]
    assert len(errors) == 2  # each said once
    assert "chmod 600" in errors[0]
    assert "isn't signed by the root key" in errors[1] or "another one than at the start" in errors[1]


def test_the_end_of_the_keys_counts_those_that_begin_in_time(tmp_path: Path) -> None:
    issuer = Issuer(open_key_folder(tmp_path, now=NOW))
    first_end = issuer.ends_at(NOW)
    assert issuer.can_issue(first_end)
    assert not issuer.can_issue(first_end + timedelta(seconds=1))
    rotate(tmp_path, overlap=timedelta(seconds=ISSUER_KEY_SECONDS + 1))  # too late: a gap between the two
    assert issuer.ends_at(NOW) == first_end
    rotate(tmp_path)
    assert issuer.ends_at(NOW) == NOW + OVERLAP + timedelta(seconds=ISSUER_KEY_SECONDS)


# -- the drill -----------------------------------------------------------------------------------------------------


async def test_the_drill_phones_pay_each_other_before_during_and_after_a_rotation(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, data_dir: Path
) -> None:
    asha, ben, chi, hermit = [await phone_of(name, "50.00") for name in ("asha", "ben", "chi", "hermit")]
    everybody = [asha, ben, chi, hermit]
    await asha.load("20.00")
    ben.paid_by(asha, 500)  # before
    rotate(data_dir / "keys", now=world.clock.now)
    await later(everybody, days=14)
    # During: still the old key, for nobody has to know the new one yet. The hermit stays away from the network.
    loaded = read_document((await asha.load("10.00"))["voucher"])
    for phone in (asha, ben, chi):
        await phone.sync()
    assert (loaded.body.issuer, [key.number for key in ben.issuer_keys]) == (1, [1, 2])
    ben.paid_by(asha, 400)
    await later(everybody, days=1, seconds=1)
    loaded = read_document((await ben.load("20.00"))["voucher"])  # after
    certificate = read_document((await ben.sync())["certificate"])
    assert (loaded.body.issuer, certificate.body.issuer) == (2, 2)
    chi.paid_by(ben, 300)
    chi.paid_by(ben, 1000)
    issuer = body_of(await world.http.get("/v1/offline/issuer"), 200)
    assert from_base64url(issuer["operator_key"]) != chi.operator_key
    # Money of key 1 and of key 2 in one payment, handed on with certificates of both.
    request = asha.request(1200)
    mixed = chi.pay(request)
    asha.accept(mixed, request)
    signed = [item.body.issuer for item in (*mixed.documents, *mixed.certificates) if hasattr(item.body, "issuer")]
    assert set(signed) == {1, 2}
    asked = hermit.request(100)
    shown = ben.pay(asked)
    with pytest.raises(Rejected) as refused:
        hermit.accept(shown, asked)
    assert refused.value.code == "issuer_unknown"
    assert "Go online once" in refused.value.sentence
    await hermit.sync()
    hermit.accept(shown, asked)  # the same code, after having been online
    chi.hand_back(100)  # to the old key: nobody told it of another
    for phone in everybody:
        assert {item["outcome"] for item in (await phone.sync())["results"]} <= {"recorded", "known"}
    await let_claims_end(database_url)
    assert await offline_parts.offline.keep_up() == 3
    assert await states(database_url) == ["closed"] * 3
    # asha -900 +1200; ben +900 -1300 -100; chi +1300 -1200; hermit +100
    assert await online_of(*everybody) == (5300, 4500, 5100, 5100)
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)


async def test_a_draft_of_the_old_key_is_signed_with_the_new_one_and_dated_anew(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, data_dir: Path
) -> None:
    asha = await phone_of("asha", "50.00")
    offline_parts.break_ledger("after")
    with pytest.raises(Crash):
        await offline_parts.offline.vouchers.load(
            await offline_parts.owner_of(asha),
            device_id=(await offline_parts.device_of(asha)).device_id, amount=offline_parts.amount("20.00"),
            key="killed", draw=lambda below: below // 3, now=world.clock.now,
        )  # fmt: skip
    rotate(data_dir / "keys", now=world.clock.now, overlap=timedelta(0))
    (data_dir / "keys" / "issuer-1.pem").unlink()
    world.clock.move(minutes=1)
    (row,) = await run_sql(database_url, "SELECT voucher_id FROM offline.voucher")
    loading = await offline_parts.offline.vouchers.open(VoucherId(row["voucher_id"]), now=world.clock.now)
    assert loading.voucher is not None
    assert (loading.voucher.body.issuer, loading.voucher.body.issued_at) == (2, int(world.clock.now.timestamp()))
    check_issued(loading.voucher, issuer_keys=offline_parts.offline.issuer.issuer_keys)
    (kept,) = await run_sql(database_url, "SELECT document_id, claim_by, claim_until FROM offline.voucher")
    assert kept["document_id"] == loading.voucher.id
    assert kept["claim_by"] == kept["claim_until"]
    assert int(kept["claim_by"].timestamp()) == loading.voucher.body.claim_by
    assert (await asha.sync())["vouchers"] != []


async def test_a_key_that_ends_is_said_long_before_and_then_stops_loading_and_nothing_else(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, data_dir: Path
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("20.00")
    ben.paid_by(asha, 500)
    offline = offline_parts.offline
    soon = offline.issuer.ends_at(world.clock.now) - timedelta(seconds=ENDS_SOON_SECONDS - 1)
    with capture_logs() as logs:
        offline._tell_key_end(soon)
        offline._tell_key_end(soon + timedelta(hours=1))
        offline._tell_key_end(soon + timedelta(days=100))
    assert [log["log_level"] for log in logs] == ["warning", "error"]
    world.clock.now = offline.issuer.ends_at(world.clock.now) + timedelta(seconds=1)
    await later([asha, ben])
    assert refusal(await asha.try_load("5.00")) == (503, "offline_paused")
    order = ben.sync_order()
    answer = body_of(await ben.owner.post("/v1/offline/sync", order), 200)
    assert [item["outcome"] for item in answer["results"]] == ["recorded"]
    rotate(data_dir / "keys", now=world.clock.now, overlap=timedelta(0))
    body_of(await asha.try_load("5.00"), 201)


async def test_another_process_on_the_folder_takes_what_the_new_key_signed_at_once(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, data_dir: Path
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    rotate(data_dir / "keys", now=world.clock.now, overlap=timedelta(0))
    await asha.load("20.00")
    await ben.sync()
    ben.paid_by(asha, 500)
    judged = await offline_parts.offline.claims.judge([item.to_bytes() for item in ben.bundles])
    assert [(item.code, item.chain is not None) for item in judged] == [(None, True)]
