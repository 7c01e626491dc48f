"""Ben gives Asha back what she paid, with no network: what both see, what is stored, and what stops him."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tests.cli.phones import Phone, pay_offline

from tikicash.messages import parse_code
from tikiwallet.cli import store as store_module

SRC = str(Path(__file__).parents[2] / "src")


def give_back(by: Phone, to: Phone, sale: dict[str, Any], *args: str) -> dict[str, Any]:
    """Play a whole refund by text: code, verdict and receipt; return what the payer was told."""
    shown = by.does("offline", "refund", sale["payment_id"], *args, "--yes")
    taken = to.does("offline", "accept", shown["code"], "--yes")
    assert by.does("offline", "accept", taken["receipt_code"])["answer"] == "received"
    return taken


def entries(phone: Phone) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in phone.does("offline", "show")["items"]}


def test_a_refund_by_pictures_needs_one_scan_and_names_its_sale_on_both_phones(
    asha: Phone, ben: Phone, tmp_path: Path
) -> None:
    sale = pay_offline(asha, ben, "12.50", "--memo", "coffee")
    shown = ben.run(
        "offline", "refund", sale["payment_id"][:8], "4.00", "--png", str(tmp_path / "refund.png"), stdin="y\n"
    )
    assert "Give 4.00 SGD of 12.50 SGD back to asha?" in shown.stderr
    assert "Given back: 4.00 SGD to asha." in " ".join(shown.stdout.split())
    taken = asha.run("offline", "accept", str(tmp_path / "refund.png"), "--png", str(tmp_path / "receipt.png"), "--yes")
    assert "Refund of 4.00 SGD that you paid to ben on" in " ".join(taken.stdout.replace("│", " ").split())
    assert "PROTECTED  4.00 SGD" in taken.stdout
    answered = ben.does("offline", "accept", str(tmp_path / "receipt.png"))
    assert (answered["answer"], answered["refund_of"]) == ("received", sale["payment_id"])
    assert (asha.offline_balance(), ben.offline_balance()) == (4150, 850)
    of_asha, of_ben = entries(asha), entries(ben)
    assert of_asha[answered["payment_id"]]["refund_of"] == of_ben[answered["payment_id"]]["refund_of"]
    assert of_asha[answered["payment_id"]]["refund_of"] == sale["payment_id"]
    assert of_asha[sale["payment_id"]]["given_back_minor"] == of_ben[sale["payment_id"]]["given_back_minor"] == 400
    listed = " ".join(ben.run("offline", "show").stdout.split())
    assert "gave back to asha" in listed
    assert "4.00 SGD of it given back" in listed
    assert "refund from ben" in asha.run("offline", "show").stdout


def test_all_of_it_goes_back_if_no_amount_is_said_and_is_money_like_any_other(
    asha: Phone, ben: Phone, chi: Phone
) -> None:
    sale = pay_offline(asha, ben, "20.00")
    asha.does("offline", "request", "3.00")  # stays open: the refund doesn't answer it
    taken = give_back(ben, asha, sale)
    assert (taken["amount_minor"], taken["sale"]["payee_name"], taken["is_claim_only"]) == (2000, "ben", False)
    assert (asha.offline_balance(), ben.offline_balance()) == (5000, 0)
    assert [item["state"] for item in entries(asha).values() if item["kind"] == "request"] == ["open"]
    pay_offline(asha, chi, "20.00")
    pay_offline(asha, chi, "20.00")
    assert chi.does("status")["local"]["resting_minor"] in {0, 2000}
    assert ben.refused("offline", "refund", sale["payment_id"], "--yes") == "not_enough_offline_money"


def test_a_sale_goes_back_in_parts_each_once(asha: Phone, ben: Phone) -> None:
    sale = pay_offline(asha, ben, "12.50")
    first = give_back(ben, asha, sale, "4.00")
    asked = ben.run("offline", "refund", sale["payment_id"], "2.00", stdin="n\n")
    assert "4.00 SGD of it was given back before." in asked.stderr
    assert "not_confirmed" in asked.stderr
    assert give_back(ben, asha, sale, "2.00")["payment_id"] != first["payment_id"]
    assert asha.does("offline", "accept", first["code"])["receipt_code"] == first["receipt_code"]
    assert (asha.offline_balance(), ben.offline_balance()) == (4350, 650)
    result = ben.run("offline", "refund", sale["payment_id"], "6.51", "--yes")
    assert "Only 6.50 SGD of this payment is still on this phone." in " ".join(result.stderr.split())
    assert give_back(ben, asha, sale)["amount_minor"] == 650
    assert (asha.offline_balance(), ben.offline_balance()) == (5000, 0)
    assert entries(asha)[sale["payment_id"]]["given_back_minor"] == 1250


def test_asked_twice_shows_the_same_bytes_until_the_receipt_comes(asha: Phone, ben: Phone) -> None:
    sale = pay_offline(asha, ben, "12.50")["payment_id"]
    shown = ben.does("offline", "refund", sale, "4.00", "--yes")
    for again in (["4.00"], []):  # needs no yes: nothing new is signed
        same = ben.does("offline", "refund", sale, *again)
        assert (same["code"], same["shown_again"]) == (shown["code"], True)
    assert ben.refused("offline", "refund", sale, "3.00", "--yes") == "refund_waiting"
    assert ben.does("offline", "show", shown["payment_id"])["code"] == shown["code"]
    assert ben.offline_balance() == 850
    more = ben.does("offline", "refund", sale, "3.00", "--again", "--yes")
    assert (more["shown_again"], ben.offline_balance()) == (False, 550)
    for refund in (more, shown):
        asha.does("offline", "accept", refund["code"])
    assert asha.offline_balance() == 3750 + 700


def test_what_was_handed_on_is_not_given_back(asha: Phone, ben: Phone, chi: Phone) -> None:
    sale = pay_offline(asha, ben, "10.00")
    other = pay_offline(asha, ben, "5.00")
    pay_offline(ben, chi, "7.00")
    assert ben.refused("offline", "refund", sale["payment_id"], "10.00", "--yes") == "not_enough_offline_money"
    assert give_back(ben, asha, sale)["amount_minor"] == 300
    assert give_back(ben, asha, other)["amount_minor"] == 500
    assert (asha.offline_balance(), ben.offline_balance(), chi.offline_balance()) == (4300, 0, 700)


def test_a_refund_of_depth_four_is_a_claim_with_a_receipt(
    asha: Phone, ben: Phone, chi: Phone, phone: Callable[[str], Phone]
) -> None:
    dan = phone("dan").install()
    pay_offline(asha, ben, "9.00")
    pay_offline(ben, chi, "9.00")
    sale = pay_offline(chi, dan, "9.00")
    shown = dan.does("offline", "refund", sale["payment_id"], "4.00", "--yes")
    told = chi.run("offline", "accept", shown["code"], "--yes")
    assert told.exit_code == 0, told.stderr
    assert "It is credited when you go online." in " ".join(told.stdout.replace("│", " ").split())
    taken = chi.does("offline", "accept", shown["code"])
    assert (taken["is_claim_only"], taken["sale"]["payee_name"], taken["shown_again"]) == (True, "dan", True)
    assert dan.does("offline", "accept", taken["receipt_code"])["answer"] == "received"
    held = chi.does("status")["local"]
    assert (held["spendable_minor"], held["resting_minor"], held["unbrought"]) == (0, 400, 3)
    assert give_back(dan, chi, sale)["amount_minor"] == 500
    assert chi.refused("offline", "refund", taken["payment_id"], "--yes") == "too_many_hands"
    assert sum(item["amount_minor"] for item in chi.does("unload")["items"]) == 900


def test_a_refund_can_be_refused_and_nothing_of_it_comes_back_before_the_close(asha: Phone, ben: Phone) -> None:
    sale = pay_offline(asha, ben, "5.00")["payment_id"]
    shown = ben.does("offline", "refund", sale, "--yes")
    refused = asha.does("offline", "refuse", shown["code"])
    assert asha.refused("offline", "accept", shown["code"]) == "already_refused"
    assert ben.does("offline", "accept", refused["code"])["answer"] == "refused"
    assert ben.refused("offline", "refund", sale, "--yes") == "not_enough_offline_money"
    assert asha.refused("offline", "refuse", pay_offline(asha, ben, "1.00")["code"]) == "not_for_you"


def test_nobody_takes_a_refund_of_somebody_elses_payment(asha: Phone, ben: Phone, chi: Phone) -> None:
    shown = ben.does("offline", "refund", pay_offline(asha, ben, "5.00")["payment_id"], "--yes")
    assert chi.refused("offline", "accept", shown["code"], "--yes") == "not_for_me"
    with asha.wallet() as wallet:
        wallet.retire_key("in this test")
    assert asha.refused("offline", "accept", shown["code"], "--yes") == "not_for_me"


def test_only_a_payment_received_can_be_given_back(asha: Phone, ben: Phone) -> None:
    sale = pay_offline(asha, ben, "5.00")["payment_id"]
    asked = ben.does("offline", "request", "1")
    assert asha.refused("offline", "refund", sale, "--yes") == "nothing_stored"
    assert ben.refused("offline", "refund", asked["nonce"], "--yes") == "nothing_stored"
    assert ben.refused("offline", "refund", "ffffffff", "--yes") == "nothing_stored"
    for amount in ("0", "-1", "1.001", "much"):
        assert ben.refused("offline", "refund", sale, amount, "--yes") == "amount_invalid"
    assert ben.offline_balance() == 500


@pytest.mark.parametrize(
    ("terms", "days", "code", "told"),
    [
        ({"may_hand_on": False}, 0, "may_not_hand_on", "Pay it back online"),
        ({"days": 1}, 2, "certificate_expired", "Run `tiki sync`"),
        ({"days": 30}, 8, "spend_by_passed", "too old to be passed on"),
    ],
    ids=["a receive-only till", "a phone that was offline for too long", "money that is too old"],
)
def test_what_stops_a_refund_is_said_before_anything_is_signed(
    asha: Phone, phone: Callable[[str], Phone], terms: dict[str, Any], days: int, code: str, told: str
) -> None:
    till = phone("till").install(certified=False)
    with till.wallet() as wallet:
        till.operator.certify(wallet, **terms)
    sale = pay_offline(asha, till, "5.00")["payment_id"]
    till.clock.now += days * 24 * 3600
    assert till.refused("offline", "refund", sale, "--yes") == code
    said = till.run("offline", "refund", sale, "--yes").stderr
    assert told.replace("`", "") in " ".join(said.split())
    assert [item["kind"] for item in entries(till).values()] == ["received"]
    assert "not_confirmed" in till.run("offline", "refund", sale, stdin="n\n").stderr


def test_a_phone_without_certificate_gives_back_after_a_sync(asha: Phone, phone: Callable[[str], Phone]) -> None:
    ben = phone("ben").install(certified=False)
    sale = pay_offline(asha, ben, "5.00")
    assert ben.refused("offline", "refund", sale["payment_id"], "--yes") == "certificate_missing"
    with ben.wallet() as wallet:
        ben.operator.certify(wallet)
    assert give_back(ben, asha, sale)["amount_minor"] == 500


def test_money_locked_to_a_phone_goes_back_through_the_operator(ben: Phone, phone: Callable[[str], Phone]) -> None:
    with ben.wallet() as wallet:
        key = wallet.signer().public_key
    asha = phone("asha").install(loaded=5000, audience_key=key)
    sale = pay_offline(asha, ben, "7.00")["payment_id"]
    assert ben.refused("offline", "refund", sale, "--yes") == "locked_to_another"
    assert ben.does("unload")["items"][0]["amount_minor"] == 700


def test_a_sale_at_the_limits_of_a_code_says_to_give_it_back_online(asha: Phone, ben: Phone) -> None:
    asha.does("unload")
    with asha.wallet() as wallet:
        for _ in range(7):
            asha.operator.load(wallet, 100)
    sale = pay_offline(asha, ben, "7.00")["payment_id"]
    assert ben.refused("offline", "refund", sale, "--yes") == "too_many_pieces"
    assert "Pay it back online" in " ".join(ben.run("offline", "refund", sale, "--yes").stderr.split())


KILLED = """
import os, signal, sys
from tikiwallet.cli import wallet_folder
from tikiwallet.cli.main import main
from tikiwallet.cli.store import Store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point = sys.argv.pop(1)
if point == "before the commit":
    run = Store.run
    Store.run = lambda self, query, **values: die() if query == "count_signing" else run(self, query, **values)
if point == "between the two places":
    wallet_folder.write_record = die
if point == "before the code is shown":
    from tikiwallet.cli import commands_offline
    commands_offline._save = die
main()
"""


def killed(phone: Phone, point: str, *args: str) -> None:
    """Run `tiki` in a process of its own that is killed at a point."""
    env = {
        **os.environ, **phone.env, "PYTHONPATH": SRC, "TIKI_WALLET": str(phone.folder),
        "TIKI_STATE_DIR": str(phone.state_dir),
    }  # fmt: skip
    process = subprocess.run([sys.executable, "-c", KILLED, point, *args], env=env, capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize("point", ["before the commit", "between the two places", "before the code is shown"])
def test_a_refund_killed_at_any_point_is_given_once(asha: Phone, ben: Phone, point: str) -> None:
    sale = pay_offline(asha, ben, "12.50")["payment_id"]
    killed(ben, point, "offline", "refund", sale, "4.00", "--yes")
    shown = ben.does("offline", "refund", sale, "4.00", "--yes")
    assert shown["shown_again"] is (point != "before the commit")
    assert ben.offline_balance() == 850
    killed(asha, point, "offline", "accept", shown["code"], "--yes")
    taken = asha.does("offline", "accept", shown["code"], "--yes")
    assert taken["shown_again"] is (point != "before the commit")
    assert (asha.offline_balance(), ben.offline_balance()) == (4150, 850)
    assert ben.does("offline", "accept", taken["receipt_code"])["answer"] == "received"


def test_the_store_itself_refuses_more_than_the_sale(asha: Phone, ben: Phone) -> None:
    sale = pay_offline(asha, ben, "5.00")
    give_back(ben, asha, sale, "4.00")
    more = {"payment_id": bytes(16), "refund_of": bytes.fromhex(sale["payment_id"]), "amount_minor": 101}
    made = {
        "request_id": bytes(24), "payee_key": b"", "payee_name": "", "memo": "", "made_at": 1, "claim_by": 1,
        "is_hand_back": 0, "code": "",
    }  # fmt: skip
    received = {
        "nonce": None, "is_claim_only": 0, "payer_name": "", "memo": "", "final_minor": 101, "protected_minor": 0,
        "at_risk_minor": 0, "spend_by": 1, "claim_by": 1, "accepted_at": 1, "code": "", "receipt_code": "",
    }  # fmt: skip
    with ben.wallet() as wallet, pytest.raises(sqlite3.IntegrityError, match="refunds_made_within_the_sale"):
        wallet.store.run("add_payment_made", **more, **made)
    with asha.wallet() as wallet:
        with pytest.raises(sqlite3.IntegrityError, match="refunds_received_within_the_sale"):
            wallet.store.run("add_payment_received", **more, **received)
        with pytest.raises(sqlite3.IntegrityError, match="answers_a_request_or_gives_a_payment_back"):
            wallet.store.run("add_payment_received", **{**more, "refund_of": None}, **received)


def test_a_wallet_made_before_refunds_keeps_everything_and_can_give_back(
    asha: Phone, phone: Callable[[str], Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = phone("ben")
    monkeypatch.setattr(store_module, "STEPS", store_module.STEPS[:1])
    ben.install()
    asked = ben.does("offline", "request", "5.00")
    monkeypatch.undo()
    taken = ben.does("offline", "accept", asha.does("offline", "pay", asked["code"], "--yes")["code"])
    assert entries(ben)[taken["payment_id"]]["amount_minor"] == 500
    assert give_back(ben, asha, taken)["amount_minor"] == 500


def test_a_payment_received_before_refunds_were_known_is_still_there(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    taken = pay_offline(asha, ben, "5.00")
    old = sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)
    steps = resources.files("tikiwallet.cli").joinpath("sql/migrations")
    old.executescript(steps.joinpath("0001_wallet.sql").read_text("utf-8"))
    new = sqlite3.connect(ben.folder / "wallet.sqlite")
    columns = [row[1] for row in old.execute("PRAGMA table_info(payment_received)")]
    row = new.execute(f"SELECT {', '.join(columns)} FROM payment_received").fetchone()
    old.execute(f"INSERT INTO payment_received VALUES ({', '.join('?' * len(columns))})", row)
    old.executescript(steps.joinpath("0002_refunds.sql").read_text("utf-8"))
    kept = old.execute("SELECT hex(payment_id), amount_minor, refund_of, is_claim_only FROM payment_received")
    assert kept.fetchall() == [(taken["payment_id"].upper(), 500, None, 0)]
    for table in ("payment_received", "payment_refused"):  # the rules that the step had to make again
        assert any(table in name[0] or "accepted" in name[0] for name in old.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
        ))  # fmt: skip
    assert parse_code(taken["code"])
