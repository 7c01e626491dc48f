"""A wallet folder that is missing, damaged, locked, open to others, copied or put back."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.phones import Phone, pay_offline

from tikiwallet.cli import codes, paying
from tikiwallet.cli.install import Place, Record, Verdict, judge, read_record, record_path
from tikiwallet.cli.problems import StateUnwritable, WalletBusy
from tikiwallet.cli.wallet_folder import Session

HERE = Place(path="/home/asha/wallet", inode=7)
STATE = Record(signed_count=5, mark="e5", path="/home/asha/wallet", inode=7)


@pytest.mark.parametrize(
    ("signed_count", "mark", "mark_before", "place", "verdict"),
    [
        (5, "e5", "e4", HERE, Verdict.SAME),
        (5, "e5", "e4", Place(path="/home/asha/renamed", inode=7), Verdict.SAME),
        (5, "e5", "e4", Place(path="/home/asha/wallet", inode=8), Verdict.SAME),  # put back, and nothing happened since
        (6, "e6", "e5", HERE, Verdict.CRASHED),
        (6, "e6", "xx", HERE, Verdict.RESTORED),
        (7, "e7", "e6", HERE, Verdict.RESTORED),
        (4, "e4", "e3", HERE, Verdict.RESTORED),
        (5, "xx", "e4", HERE, Verdict.RESTORED),
        (5, "e5", "e4", Place(path="/media/stick/wallet", inode=8), Verdict.COPIED),
        (6, "e6", "e5", Place(path="/media/stick/wallet", inode=8), Verdict.COPIED),
    ],
)
def test_two_places_say_whether_this_folder_signed_last(
    signed_count: int, mark: str, mark_before: str, place: Place, verdict: Verdict
) -> None:
    assert verdict == judge(signed_count=signed_count, mark=mark, mark_before=mark_before, place=place, state=STATE)


def test_without_a_second_place_a_folder_is_a_copy() -> None:
    assert judge(signed_count=0, mark="e0", mark_before="e0", place=HERE, state=None) == Verdict.COPIED


def key_of(phone: Phone) -> bytes:
    with phone.wallet() as wallet:
        row = wallet.key()
        assert row is not None
        key_id: bytes = row["key_id"]
        return key_id


def put_back(phone: Phone, copy: Path) -> None:
    shutil.rmtree(phone.folder)
    shutil.copytree(copy, phone.folder)


def test_both_places_count_every_signature(asha: Phone, ben: Phone) -> None:
    pay_offline(asha, ben, "1")
    pay_offline(asha, ben, "1")
    record = read_record(asha.state_dir, key_of(asha))
    assert record is not None
    assert record.signed_count == 2  # two payments
    record = read_record(ben.state_dir, key_of(ben))
    assert record is not None
    assert record.signed_count == 4  # two requests, two receipts


def test_an_older_state_put_back_retires_the_key(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    old_key = key_of(asha)
    shutil.copytree(asha.folder, tmp_path / "backup")
    pay_offline(asha, ben, "20.00")
    asked = ben.does("offline", "request", "5")["code"]
    put_back(asha, tmp_path / "backup")
    assert asha.refused("offline", "pay", asked, "--yes") == "wallet_restored"
    assert asha.refused("offline", "pay", asked, "--yes") == "not_enough_offline_money"
    assert asha.refused("unload") == "nothing_to_hand_back"
    status = asha.does("status")
    assert (status["retired_keys"], status["local"]["spendable_minor"]) == (1, 0)
    (home,) = status["local"]["coming_home"]
    assert home["amount_minor"] == 5000  # by its date; the operator knows that 20.00 of it was paid
    assert key_of(asha) != old_key
    assert not (asha.folder / f"key-{old_key.hex()[:16]}.pem").exists()


def test_the_person_is_told_in_one_sentence_and_what_was_received_still_goes_to_the_operator(
    asha: Phone, ben: Phone, tmp_path: Path
) -> None:
    pay_offline(asha, ben, "1")
    shutil.copytree(ben.folder, tmp_path / "backup")
    pay_offline(asha, ben, "2")
    put_back(ben, tmp_path / "backup")
    told = ben.run("status")
    assert told.exit_code == 0
    assert "This folder is a copy or an older state of a wallet" in " ".join(told.stderr.split())
    assert "wallet_restored" in told.stderr
    assert "wallet_restored" not in ben.run("status").stderr
    assert ben.does("status")["local"]["unbrought"] == 1
    # A payment to the retired key is not taken by the new one, but it is a copy that the payer can bring.
    assert ben.does("offline", "show")["items"][0]["kind"] == "received"


def test_a_state_put_back_with_nothing_signed_since_goes_on(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    pay_offline(asha, ben, "1")
    shutil.copytree(asha.folder, tmp_path / "backup")
    put_back(asha, tmp_path / "backup")
    assert pay_offline(asha, ben, "1")["amount_minor"] == 100


def test_a_copy_elsewhere_retires_its_key_and_the_original_goes_on(asha: Phone, ben: Phone) -> None:
    original = key_of(asha)
    shutil.copytree(asha.folder, asha.home / "copy")
    copy = json.loads(asha.run("--json", "--wallet", str(asha.home / "copy"), "status").stdout)
    assert [notice["code"] for notice in copy["notices"]] == ["wallet_restored"]
    assert copy["local"]["spendable_minor"] == 0
    assert pay_offline(asha, ben, "1")["amount_minor"] == 100
    assert key_of(asha) == original


def test_a_copy_of_another_person_on_the_machine_retires_its_key(asha: Phone, phone: Callable[[str], Phone]) -> None:
    thief = phone("thief")
    shutil.copytree(asha.folder, thief.folder)
    assert thief.offline_balance() == 0
    assert asha.offline_balance() == 5000


def test_a_renamed_folder_is_the_same_wallet(asha: Phone, ben: Phone) -> None:
    key = key_of(asha)
    asha.home.rename(asha.home.with_name("moved"))
    asha.home = asha.home.with_name("moved")
    assert pay_offline(asha, ben, "1")["amount_minor"] == 100
    assert key_of(asha) == key


def test_power_lost_between_the_two_places_is_not_a_restore(asha: Phone, ben: Phone) -> None:
    key = key_of(asha)
    before = record_path(asha.state_dir, key).read_bytes()
    paid = asha.does("offline", "pay", ben.does("offline", "request", "1")["code"], "--yes")
    record_path(asha.state_dir, key).write_bytes(before)
    assert asha.does("offline", "show", paid["payment_id"])["code"] == paid["code"]
    healed = read_record(asha.state_dir, key)
    assert healed is not None
    assert healed.signed_count == 1
    assert key_of(asha) == key


def test_a_second_place_two_steps_behind_is_a_restore(asha: Phone, ben: Phone) -> None:
    before = record_path(asha.state_dir, key_of(asha)).read_bytes()
    for _ in range(2):
        pay_offline(asha, ben, "1")
    record_path(asha.state_dir, key_of(asha)).write_bytes(before)
    assert asha.offline_balance() == 0


def test_a_second_place_that_is_gone_or_garbage_is_a_copy(asha: Phone, ben: Phone) -> None:
    record_path(asha.state_dir, key_of(asha)).write_text('{"signed_count": "many"}')
    assert asha.offline_balance() == 0
    record_path(ben.state_dir, key_of(ben)).unlink()
    assert ben.does("status")["retired_keys"] == 1


def test_nothing_is_shown_when_the_second_place_cannot_be_written(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "1")["code"]
    installs = record_path(asha.state_dir, key_of(asha)).parent
    aside = installs.with_name("aside")
    with asha.wallet() as wallet:
        installs.rename(aside)
        installs.write_text("not a folder")
        with pytest.raises(StateUnwritable) as problem:
            paying.pay(wallet, paying.read_request(wallet, codes.parse_any(asked)), memo="")  # type: ignore[arg-type]
    assert problem.value.code == "state_unwritable"
    installs.unlink()
    aside.rename(installs)
    (stored,) = asha.does("offline", "show")["items"]
    assert asha.does("offline", "pay", asked)["code"] == stored["code"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tikiwallet.cli import codes, install, paying, receiving, wallet_folder

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point, folder, state, what, code = sys.argv[1:]
edge = wallet_folder.Edge(
    state_dir=Path(state), passphrase=lambda _: "", now=lambda: int(os.environ["NOW"]), random_bytes=os.urandom
)
with wallet_folder.open_wallet(Path(folder), edge) as wallet:
    message = codes.parse_any(code)
    if point == "before the commit":
        run = wallet.store.run
        wallet.store.run = lambda query, **values: die() if query == "count_signing" else run(query, **values)
    if point == "between the two places":
        wallet_folder.write_record = die
    if what == "pay":
        paying.pay(wallet, paying.read_request(wallet, message), memo="")
    else:
        receiving.take_payment(wallet, message)
    die()
"""


def killed(phone: Phone, point: str, what: str, code: str) -> None:
    """Run a use case in a process of its own that is killed at a point: no code was shown."""
    arguments = [sys.executable, "-c", KILLED, point, str(phone.folder), str(phone.state_dir), what, code]
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.run(arguments, env={"PYTHONPATH": source, "NOW": str(phone.clock.now)}, check=False)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["between the two places", "before the code is shown"])
def test_a_payment_killed_after_the_reservation_is_shown_with_the_same_bytes(
    asha: Phone, ben: Phone, point: str
) -> None:
    asked = ben.does("offline", "request", "12.50")["code"]
    killed(asha, point, "pay", asked)
    stored = sqlite3.connect(asha.folder / "wallet.sqlite").execute("SELECT code FROM payment_made").fetchall()
    shown = asha.does("offline", "pay", asked)
    assert [(shown["code"],)] == stored
    assert asha.offline_balance() == 3750
    assert ben.does("offline", "accept", shown["code"])["amount_minor"] == 1250


def test_a_payment_killed_before_the_reservation_never_was(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "12.50")["code"]
    killed(asha, "before the commit", "pay", asked)
    assert asha.offline_balance() == 5000
    assert asha.does("offline", "show")["items"] == []
    assert asha.does("offline", "pay", asked, "--yes")["shown_again"] is False


@pytest.mark.parametrize("point", ["before the commit", "between the two places", "before the code is shown"])
def test_a_receipt_is_never_given_for_a_payment_that_is_not_stored(asha: Phone, ben: Phone, point: str) -> None:
    paid = asha.does("offline", "pay", ben.does("offline", "request", "1")["code"], "--yes")["code"]
    killed(ben, point, "accept", paid)
    taken = ben.does("offline", "accept", paid)
    assert taken["shown_again"] is (point != "before the commit")
    assert asha.does("offline", "accept", taken["receipt_code"])["answer"] == "received"
    assert ben.offline_balance() == 100


def test_a_missing_wallet_says_so(phone: Callable[[str], Phone]) -> None:
    nobody = phone("nobody")
    for command in (["status"], ["balance"], ["offline", "request", "5"], ["sync"], ["logout"]):
        assert nobody.refused(*command) == "wallet_missing"
    assert not nobody.folder.exists()


def test_a_wallet_that_was_never_online_says_so(phone: Callable[[str], Phone]) -> None:
    fresh = phone("fresh")
    with fresh.wallet(create=True):
        pass
    assert fresh.refused("offline", "request", "5") == "never_online"
    assert fresh.refused("unload") == "never_online"
    assert fresh.refused("unload", "5") == "never_online"
    assert fresh.does("offline", "show")["items"] == []
    assert "never" in fresh.run("status").stdout


@pytest.mark.parametrize("content", [b"garbage" * 999, b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_store_says_so(asha: Phone, content: bytes) -> None:
    (asha.folder / "wallet.sqlite").write_bytes(content)
    assert asha.refused("status") == "wallet_damaged"


def test_a_store_damaged_in_the_middle_says_so(asha: Phone) -> None:
    path = asha.folder / "wallet.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    assert asha.refused("status") == "wallet_damaged"


def test_a_store_of_a_newer_tiki_is_left_alone(asha: Phone) -> None:
    connection = sqlite3.connect(asha.folder / "wallet.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert asha.refused("status") == "wallet_damaged"


def test_a_store_that_is_a_folder_says_so(phone: Callable[[str], Phone]) -> None:
    odd = phone("odd")
    (odd.folder / "wallet.sqlite").mkdir(parents=True, mode=0o700)
    assert odd.refused("status") == "wallet_unreadable"


def test_one_command_at_a_time(asha: Phone) -> None:
    with asha.wallet():
        assert asha.refused("status") == "wallet_busy"
        with pytest.raises(WalletBusy), asha.wallet():
            pass
    assert asha.run("status").exit_code == 0


def test_secrets_that_others_can_read_are_refused(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "1")["code"]
    (key_file,) = asha.folder.glob("key-*.pem")
    key_file.chmod(0o644)
    assert asha.refused("offline", "pay", asked, "--yes") == "permissions_too_open"
    assert str(key_file) in json.loads(asha.run("--json", "offline", "pay", asked, "--yes").stdout)["detail"]
    key_file.chmod(0o600)
    (asha.folder / "session").write_text("{}")
    (asha.folder / "session").chmod(0o644)
    assert asha.refused("status") == "permissions_too_open"
    (asha.folder / "session").unlink()
    (asha.folder / "wallet.sqlite").chmod(0o666)
    assert asha.refused("status") == "permissions_too_open"


def test_everything_in_the_folder_is_private(asha: Phone) -> None:
    with asha.wallet() as wallet:
        wallet.keep_session(Session(token="t", expires_at="2030-01-01T00:00:00+00:00"))
    assert asha.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in asha.folder.iterdir()} == {0o600}


def test_a_damaged_or_lost_key_says_so_and_can_be_replaced(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "1")["code"]
    (key_file,) = asha.folder.glob("key-*.pem")
    for garbage in (b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        key_file.write_bytes(garbage)
        assert asha.refused("offline", "pay", asked, "--yes") == "key_damaged"
    (other,) = ben.folder.glob("key-*.pem")
    key_file.write_bytes(other.read_bytes())
    assert asha.refused("offline", "pay", asked, "--yes") == "key_damaged"
    key_file.unlink()
    assert asha.refused("offline", "pay", asked, "--yes") == "key_missing"
    assert asha.run("phones", "replace", stdin="n\n").exit_code == 1
    assert asha.does("phones", "replace", "--yes")["retired_keys"] == 1
    assert asha.does("status")["local"]["coming_home"][0]["amount_minor"] == 5000
    assert asha.does("offline", "request", "1")["amount_minor"] == 100


def test_a_key_with_a_passphrase_opens_only_with_it(phone: Callable[[str], Phone], tmp_path: Path) -> None:
    asha = phone("asha")
    asha.env["TIKI_PASSPHRASE"] = "blue umbrella"
    asha.install()
    (key_file,) = asha.folder.glob("key-*.pem")
    assert b"ENCRYPTED" in key_file.read_bytes()
    assert asha.does("offline", "request", "1")["amount_minor"] == 100
    asha.env["TIKI_PASSPHRASE"] = "red umbrella"
    assert asha.refused("offline", "request", "1") == "passphrase_wrong"
    del asha.env["TIKI_PASSPHRASE"]
    assert asha.refused("offline", "request", "1") == "passphrase_missing"
    assert asha.run("status").exit_code == 0  # looking needs no key
    (tmp_path / "secret").write_text("blue umbrella\n")
    assert asha.does("offline", "request", "1", "--passphrase-file", str(tmp_path / "secret"))["amount_minor"] == 100
    missing = str(tmp_path / "missing")
    assert asha.refused("offline", "request", "1", "--passphrase-file", missing) == "secret_unreadable"


def test_the_store_itself_keeps_the_rules_of_money(asha: Phone, ben: Phone) -> None:
    pay_offline(asha, ben, "1")
    with asha.wallet() as wallet:
        run = wallet.store.run
        (held, *_) = [dict(row) for row in run("unit_ranges") if row["held"]]
        with pytest.raises(sqlite3.IntegrityError, match="unit_held_or_handed_on_once"):
            run("add_unit_range", **{**held, "first": held["first"] + held["count"] - 1})
        payment_id = bytes.fromhex(run("offline_list")[0]["id"])
        made = dict(run("payment_made", payment_id=payment_id)[0])
        again = {name: made[name] for name in made if name not in {"answer", "learned_at"}}
        with pytest.raises(sqlite3.IntegrityError, match=r"payment_made\.request_id"):
            run("add_payment_made", **{**again, "payment_id": bytes(16)})
        with pytest.raises(sqlite3.IntegrityError, match="one_key_in_use"):
            run("add_key", key_id=bytes(16), public_key=bytes(33), made_at=1, mark=b"")
        for change in ("UPDATE payment_made SET amount_minor = 1", "DELETE FROM payment_made"):
            with pytest.raises(sqlite3.IntegrityError, match="payment_made_is_"):
                wallet.store._connection.execute(change)
    with ben.wallet() as wallet:
        received = bytes.fromhex(wallet.store.run("offline_list")[0]["id"])
        refusal = {"payment_id": received, "amount_minor": 1, "reason": "x", "refused_at": 1, "code": ""}
        with pytest.raises(sqlite3.IntegrityError, match="refused_is_not_accepted"):
            wallet.store.run("add_payment_refused", **refusal)
