"""Copies of payments: written out, carried by anybody, and counted for whom they are of."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.cli.operator_of_tests import Operator
from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import RunningServer

from tikicash.encoding import TEXT_MAX
from tikicash.messages import Bundle, parse_code, to_code
from tikiwallet.cli import sync as sync_module

People = Callable[..., list[Phone]]
ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


def received(person: Phone) -> int:
    """Return what somebody was paid as the operator knows it, in minor units."""
    view = person.does("balance")["view"]
    return sum(item["amount_minor"] for part in ("final", "provisional") for item in view[part])


def codes_of(person: Phone) -> list[str]:
    return [item["code"] for item in person.does("offline", "export")["items"]]


def spoiled(code: str) -> str:
    """Return the same payment with a signature that is none: a copy that somebody spoiled."""
    bundle = parse_code(code)
    assert isinstance(bundle, Bundle)
    return to_code(
        replace(bundle, documents=(*bundle.documents[:-1], replace(bundle.documents[-1], signature=bytes(64))))
    )


@pytest.fixture
def paid(people: People) -> tuple[Phone, Phone, Phone]:
    """Asha paid Ben 3.00 and 4.00 with no network; Dan, who has nothing to do with it, will carry it."""
    asha, ben, dan = people("asha", "ben", "dan")
    asha.does("load", "20")
    for amount in ("3", "4"):
        pay_offline(asha, ben, amount, "--memo", "a secret between us")
    return asha, ben, dan


def test_a_courier_brings_a_file_and_the_payee_is_credited(paid: tuple[Phone, ...], tmp_path: Path) -> None:
    _, ben, dan = paid
    file = tmp_path / "payments.txt"
    assert "2 copies in" in " ".join(ben.run("offline", "export", "--file", str(file)).stdout.split())
    assert [line[:4] for line in file.read_text().splitlines()] == ["# Ti", "# An", "TK1:", "TK1:"]
    before = dan.does("balance")["view"]
    carried = dan.does("import", str(file))
    assert (carried["recorded"], carried["known"], carried["rejected"]) == (2, 0, 0)
    assert [(item["line"], item["kind"], item["outcome"]) for item in carried["items"]] == [
        (3, "payment", "recorded"), (4, "payment", "recorded"),
    ]  # fmt: skip
    assert received(ben) == 700
    after = dan.does("balance")["view"]
    assert {**after, "as_of": ""} == {**before, "as_of": ""}  # nothing for the courier
    assert "2 brought to the operator. The operator had 2 of them already." in dan.run("import", str(file)).stdout
    assert ben.does("sync")["known"] == 2


def test_a_courier_learns_neither_names_nor_notes_nor_amounts(paid: tuple[Phone, ...]) -> None:
    asha, ben, dan = paid
    for code in (*codes_of(ben), *codes_of(asha)):
        bundle = parse_code(code)
        assert isinstance(bundle, Bundle)
        assert bundle.openings == ()
        assert b"secret" not in bundle.to_bytes()
    shown = dan.run("import", *codes_of(ben)).output
    assert not any(word in shown for word in ("asha", "ben", "secret", "3.00", "4.00"))


def test_a_pipe_carries_what_an_export_writes(paid: tuple[Phone, ...]) -> None:
    _, ben, dan = paid
    assert dan.does("import", "-", stdin=ben.run("offline", "export").stdout)["recorded"] == 2
    assert ben.run("offline", "export", ben.does("offline", "show")["items"][0]["id"][:8]).stdout.count("TK1:") == 1
    assert ben.refused("offline", "export", "ffffffff") == "nothing_stored"
    assert ben.refused("offline", "export", "ab") == "nothing_stored"


def test_two_processes_carry_through_a_pipe(paid: tuple[Phone, ...]) -> None:
    _, ben, dan = paid

    def env_of(person: Phone) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "LC_ALL": "C.UTF-8",
            "TIKI_WALLET": str(person.folder), "TIKI_STATE_DIR": str(person.state_dir),
        }  # fmt: skip

    tiki = [sys.executable, "-m", "tikiwallet.cli.main"]
    with subprocess.Popen([*tiki, "offline", "export"], env=env_of(ben), stdout=subprocess.PIPE) as export:
        command = [*tiki, "--json", "import", "-"]
        carried = subprocess.run(command, env=env_of(dan), stdin=export.stdout, capture_output=True, check=True)
    assert json.loads(carried.stdout)["recorded"] == 2
    assert received(ben) == 700


def test_pictures_are_carried_too(paid: tuple[Phone, ...], tmp_path: Path) -> None:
    _, ben, dan = paid
    items = ben.does("offline", "export", "--png", str(tmp_path / "pictures"))["items"]
    assert all(Path(item["picture"]).is_file() for item in items)
    assert dan.does("import", *[item["picture"] for item in items])["recorded"] == 2
    both = Image.new("L", (2600, 1300), 255)  # a photograph of two codes side by side
    for number, item in enumerate(items):
        both.paste(Image.open(item["picture"]).convert("L").resize((1200, 1200)), (50 + 1280 * number, 50))
    both.save(tmp_path / "both.png")
    assert dan.does("import", str(tmp_path / "both.png"))["known"] == 2


def test_without_a_network_a_copy_is_stored_and_comes_with_the_next_sync(paid: tuple[Phone, ...]) -> None:
    _, ben, dan = paid
    stored = dan.does("import", *codes_of(ben), "--server", NOWHERE)
    assert (stored["waiting"], [item["code"] for item in stored["notices"]]) == (2, ["server_unreachable"])
    assert dan.does("status")["local"]["unbrought"] == 2
    assert received(ben) == 0
    assert "2 stored here" in dan.run("import", *codes_of(ben), "--server", NOWHERE).stdout
    assert len(codes_of(dan)) == 2  # and another courier can take it from here
    assert dan.does("sync")["recorded"] == 2
    assert received(ben) == 700


def test_who_is_not_signed_in_carries_it_later(paid: tuple[Phone, ...]) -> None:
    _, ben, dan = paid
    dan.does("logout")
    stored = dan.does("import", *codes_of(ben))
    assert (stored["waiting"], [item["code"] for item in stored["notices"]]) == (2, ["not_signed_in"])
    dan.does("login")
    assert dan.does("sync")["recorded"] == 2


def test_a_refusal_is_carried_with_its_payment(people: People) -> None:
    asha, ben, dan = people("asha", "ben", "dan")
    asha.does("load", "20")
    payment = asha.does("offline", "pay", ben.does("offline", "request", "5")["code"], "--yes")["code"]
    ben.does("offline", "refuse", payment)
    items = ben.does("offline", "export")["items"]
    assert [item["kind"] for item in items] == ["payment", "refusal"]
    assert dan.refused("offline", "export", "zzzz") == "nothing_stored"
    early = dan.does("import", items[1]["code"])  # the operator can't void what he has never seen
    assert [(item["outcome"], item["code"]) for item in early["items"]] == [("rejected", "payment_unknown")]
    assert dan.does("import", *[item["code"] for item in reversed(items)])["recorded"] == 2
    assert received(ben) == 0


def test_the_good_part_of_a_bad_file_is_carried_and_each_bad_line_is_explained(
    paid: tuple[Phone, ...], operator: Operator, phone: Callable[[str], Phone], tmp_path: Path
) -> None:
    _, ben, dan = paid
    good, second = codes_of(ben)
    elsewhere, stranger = phone("elsewhere").install(loaded=2000), phone("stranger").install()
    foreign = pay_offline(elsewhere, stranger, "1")
    lines = [
        "# a comment", "", "   ", good, good, second[:-3], spoiled(second), second, "hello", foreign["code"],
        ben.does("offline", "request", "1")["code"], foreign["receipt_code"], "TK1:" + "0" * (TEXT_MAX + 1), "TK1:",
    ]  # fmt: skip
    file = tmp_path / "mixed.txt"
    file.write_text("\n".join(lines))
    told = dan.does("import", str(file))
    assert [(item["line"], item["outcome"], item["code"]) for item in told["items"]] == [
        (4, "recorded", ""),
        (6, "rejected", told["items"][1]["code"]),
        (7, "rejected", "payment_signature_wrong"),
        (8, "recorded", ""),  # the spoiled copy before it stood in nobody's way
        (9, "rejected", "not_a_code"),
        (10, "rejected", "wrong_network"),
        (11, "rejected", "wrong_kind_of_code"),
        (12, "rejected", "wrong_kind_of_code"),
        (13, "rejected", "code_too_long"),
        (14, "rejected", "bad_cbor"),
    ]
    assert told["items"][1]["code"] in {"bad_cbor", "bad_base45"}
    assert all(item["detail"].endswith(".") for item in told["items"] if item["outcome"] == "rejected")
    assert (told["recorded"], told["rejected"], told["repeated"]) == (2, 8, 1)
    assert received(ben) == 700
    shown = " ".join(dan.run("import", str(file)).stdout.split())
    assert "7 rejected: " in shown  # of a payment that is recorded, a spoiled copy is a copy
    assert "mixed.txt:10: This code belongs to another wallet network." in shown


def test_a_spoiled_copy_of_my_own_payment_changes_nothing_for_me(paid: tuple[Phone, ...]) -> None:
    _, ben, _ = paid
    told = ben.does("import", spoiled(codes_of(ben)[0]))
    assert (told["rejected"], told["items"][0]["code"]) == (1, "payment_signature_wrong")
    assert {item["state"] for item in ben.does("offline", "show")["items"]} == {"settled"}
    assert received(ben) == 700


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.encode(), "a byte order mark"),
        (lambda text: text.replace("\n", "\r\n").encode(), "ends of lines as on Windows"),
        (lambda text: text.replace("\n", "\r").encode(), "ends of lines as on old Macs"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: ("  " + text.replace("\n", " \n\t")).encode(), "spaces around"),
    ],
)
def test_a_file_from_any_editor_is_read(
    asha: Phone, ben: Phone, tmp_path: Path, encode: Callable[[str], bytes], name: str
) -> None:
    pay_offline(asha, ben, "1")
    file = tmp_path / "codes.txt"
    file.write_bytes(encode(ben.run("offline", "export").stdout))
    assert asha.does("import", str(file), "--server", NOWHERE)["waiting"] == 1, name


def test_what_is_worth_nothing_is_refused_and_nothing_is_stored(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    taken = pay_offline(asha, ben, "1")
    before = asha.does("status")["local"]["unbrought"]
    request = ben.does("offline", "request", "1")["code"]
    for given, code in (
        (request, "wrong_kind_of_code"), (taken["receipt_code"], "wrong_kind_of_code"), ("TK1:", "bad_cbor"),
        (taken["code"][:-1] + "#", "bad_base45"), ("TK1:" + "0" * 9000, "code_too_long"),
        (str(tmp_path / "missing.txt"), "code_file_unreadable"), (str(tmp_path), "code_file_unreadable"),
    ):  # fmt: skip
        assert asha.refused("import", given) == code
    (tmp_path / "empty.txt").write_text("# nothing here\n")
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "long.txt").write_bytes(b"TK1:" + b"0" * 20_000_001)
    assert asha.refused("import", str(tmp_path / "empty.txt")) == "nothing_to_carry"
    assert asha.refused("import", str(tmp_path / "noise.bin")) == "nothing_to_carry"
    assert asha.refused("import", str(tmp_path / "long.txt")) == "file_too_large"
    assert asha.refused("import", status=2) == "usage"
    assert asha.does("status")["local"]["unbrought"] == before


def test_a_wallet_that_was_never_online_can_judge_nothing(phone: Callable[[str], Phone], asha: Phone) -> None:
    code = asha.does("offline", "export")["items"]
    assert code == []
    new = phone("new")
    assert new.refused("import", "TK1:00") == "wallet_missing"
    with new.wallet(create=True):
        pass
    assert new.refused("import", "TK1:00") == "never_online"


def test_a_file_that_cannot_be_written_says_so(asha: Phone, tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "copies.txt"
    assert asha.refused("offline", "export", "--file", str(nowhere)) == "file_unwritable"
    (tmp_path / "taken").write_text("")
    assert asha.refused("offline", "export", "--png", str(tmp_path / "taken" / "sub")) == "file_unwritable"


def test_ten_thousand_lines_are_brought_in_parts_that_the_server_takes(
    people: People, server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asha, ben, dan = people("asha", "ben", "dan")
    asha.does("load", "20")
    for _ in range(6):
        pay_offline(asha, ben, "1")
    codes = codes_of(ben)
    lines = [codes[number % 6] if number % 5 else f"garbage {number}" for number in range(10_000)]
    file = tmp_path / "many.txt"
    file.write_text("\n".join(lines))
    monkeypatch.setattr(sync_module, "PORTION", 2)
    bodies: list[dict[str, Any]] = []
    body = sync_module._body

    def counted(*args: Any, **named: Any) -> dict[str, object]:
        found = body(*args, **named)
        bodies.append(json.loads(json.dumps(found)))
        return found

    monkeypatch.setattr(sync_module, "_body", counted)
    told = dan.does("import", str(file))
    assert (told["recorded"], told["rejected"], told["repeated"]) == (6, 2000, 7994)
    assert [(len(item["bundles"]), "more_follows" in item) for item in bodies] == [(2, True), (2, True), (2, False)]
    assert "1980 more: see all with --json." in dan.run("import", str(file)).stdout
    assert received(ben) == 600
