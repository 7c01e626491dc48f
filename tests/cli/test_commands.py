"""The command line itself: options anywhere, exit statuses, one sentence for every problem, and no traceback."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.phones import Phone

from tikiwallet.cli import paying
from tikiwallet.cli.main import tiki
from tikiwallet.cli.problems import Problem
from tikiwallet.cli.store import QUERIES

ROOT = Path(__file__).parents[2]
CLI = ROOT / "src" / "tikiwallet" / "cli"


def every_problem() -> list[type[Problem]]:
    found, left = set(), [Problem]
    while left:
        left += left.pop().__subclasses__()
        found |= {item for item in left if item.__module__.startswith("tikiwallet.") and "code" in vars(item)}
    return sorted(found, key=lambda item: item.code)


def commands(group: click.Group, *path: str) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, *path, name)
    return found


def in_a_process(phone: Phone, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `tiki` as a person does, in a process of its own."""
    surroundings = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "TIKI_WALLET": str(phone.folder),
        "TIKI_STATE_DIR": str(phone.state_dir), "COLUMNS": "60", "LC_ALL": "C.UTF-8", **env,
    }  # fmt: skip
    command = [sys.executable, "-m", "tikiwallet.cli.main", *args]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, input="")


def test_two_processes_play_a_whole_meeting(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    request, payment, receipt = (str(tmp_path / f"{name}.png") for name in ("request", "payment", "receipt"))
    assert in_a_process(ben, "offline", "request", "12.50", "--png", request).returncode == 0
    paid = in_a_process(asha, "offline", "pay", request, "--yes", "--png", payment)
    assert paid.returncode == 0
    assert "Paid: 12.50 SGD to ben." in paid.stdout
    taken = in_a_process(ben, "offline", "accept", payment, "--png", receipt)
    assert "PROTECTED  12.50 SGD" in taken.stdout
    assert "ben has your 12.50 SGD" in in_a_process(asha, "offline", "accept", receipt).stdout
    assert all(len(line) <= 60 for line in taken.stdout.splitlines() if not line.startswith("Let the payer"))


def test_json_stands_before_or_after_the_command(asha: Phone) -> None:
    for args in (
        ("--json", "status"),
        ("status", "--json"),
        ("offline", "--json", "show"),
        ("offline", "show", "--json"),
    ):
        assert "items" in (found := json.loads(asha.run(*args).stdout)) or found["username"] == "asha"


def test_an_option_wins_over_the_environment(asha: Phone, tmp_path: Path) -> None:
    for args in (("--wallet", str(tmp_path / "x"), "status"), ("status", "--wallet", str(tmp_path / "x"))):
        assert asha.refused(*args) == "wallet_missing"
    assert asha.refused("offline", "--wallet", str(tmp_path / "x"), "show") == "wallet_missing"


@pytest.mark.parametrize(
    "args",
    [
        ["unknown"], ["offline", "unknown"], ["offline", "request"], ["pay", "ben"], ["status", "extra"],
        ["status", "--unknown"], ["verify"], ["verify", "123456", "--resend"], ["history", "--limit", "0"],
        ["requests", "list", "--role", "boss"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_a_usage_problem(asha: Phone, args: list[str]) -> None:
    result = asha.run(*args)
    assert result.exit_code == 2
    assert "Usage: tiki" in result.stderr
    assert asha.refused(*args, status=2) == "usage"


def test_offline_commands_never_try_a_network(asha: Phone, ben: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("an offline command opened a connection")

    monkeypatch.setattr("socket.socket.connect", no_network)
    paid = asha.does("offline", "pay", ben.does("offline", "request", "1")["code"], "--yes")["code"]
    receipt = ben.does("offline", "accept", paid)["receipt_code"]
    asha.does("offline", "accept", receipt)
    for command in (("offline", "show"), ("unload", "1"), ("status",)):
        asha.does(*command)


def test_a_server_that_cannot_be_reached_has_its_own_status(asha: Phone) -> None:
    with asha.wallet() as wallet:
        wallet.store.remember("server", "http://127.0.0.1:9")
    login = ["login", "+6591234567", "--password-file", "/dev/null"]
    assert asha.refused(*login) == "password_missing"
    asha.env["TIKI_PASSWORD"] = "seven green umbrellas"
    assert asha.refused(*login[:2], status=3) == "server_unreachable"
    assert asha.run("login", "+6591234567").exit_code == 3


def test_an_address_that_is_no_safe_server_is_refused(asha: Phone) -> None:
    asha.env["TIKI_PASSWORD"] = "seven green umbrellas"
    for address, code in (
        ("http://wallet.example", "server_not_safe"), ("http://192.0.2.1:8000", "server_not_safe"),
        ("ftp://127.0.0.1", "server_unexpected"), ("nonsense", "server_unexpected"),
        ("https://", "server_unexpected"), ("https://wallet.example?x=1", "server_unexpected"),
    ):  # fmt: skip
        assert asha.refused("login", "+6591234567", "--server", address) == code


def test_without_a_session_the_money_commands_say_so(asha: Phone) -> None:
    for args in (["whoami"], ["topup", "5"], ["pay", "ben", "5"], ["sync"], ["load", "5"], ["phones"], ["requests"]):
        assert asha.refused(*args) == "not_signed_in"
    balance = asha.does("balance")
    assert (balance["is_fresh"], balance["local"]["spendable_minor"]) == (False, 5000)
    assert [notice["code"] for notice in balance["notices"]] == ["not_signed_in"]
    assert "50.00 SGD  ready to pay with no network" in asha.run("balance").stdout


def test_a_fault_of_tiki_is_a_sentence_and_a_file(asha: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inside of tiki")

    monkeypatch.setattr(paying, "hand_back", broken)
    result = asha.run("unload")
    assert result.exit_code == 4
    assert "Traceback" not in result.output
    assert "the inside of tiki" in (asha.folder / "tiki-error.txt").read_text()
    assert asha.refused("unload", status=4) == "bug"


def test_stopping_is_no_fault(asha: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    for raised, code in ((click.Abort(), "interrupted"), (KeyboardInterrupt(), "interrupted")):

        def stop(*_: object, raised: BaseException = raised) -> None:
            raise raised

        monkeypatch.setattr(paying, "hand_back", stop)
        assert asha.refused("unload") == code
    monkeypatch.setattr(paying, "hand_back", lambda *_: (_ for _ in ()).throw(BrokenPipeError()))
    assert asha.run("unload").exit_code == 1


def test_every_command_explains_itself(asha: Phone) -> None:
    for path, command in commands(tiki):
        shown = asha.run(*path, "--help")
        assert shown.exit_code == 0
        assert len(command.help or "") > 15, path
    assert "Exit status" in asha.run("--help").stdout
    assert asha.run("--version").stdout.startswith("tiki, version")


def test_every_problem_says_what_to_do_and_is_listed_and_tested() -> None:
    listed = (ROOT / "docs" / "cli.md").read_text()
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "cli").glob("*.py"))
    for item in every_problem():
        sentence = item.sentence()
        assert sentence.endswith("."), item.code
        assert f"| `{item.code}` | {item.exit_status.value} | {sentence} |" in listed, item.code
        assert f'"{item.code}"' in tests, f"no test of {item.code}"


def test_every_named_query_is_used_and_every_used_one_exists() -> None:
    used = set()
    for path in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in QUERIES:
                used.add(node.value)
        for name in re.findall(r'\.(?:run|row)\(\s*"(\w+)"', path.read_text()):
            assert name in QUERIES, (path.name, name)
    assert used == set(QUERIES)
