"""`tiki` is killed in the middle of a sync, or runs twice at once: nothing is lost and nothing is loaded twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import RunningServer, serve

ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from tikiwallet.cli import sync, wallet_folder
from tikiwallet.cli.main import main
from tikiwallet.cli.store import Store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point = sys.argv.pop(1)
if point == "before the answer is noted":
    sync._settle = die
if point in {"before the answer is learned", "before the voucher is stored"}:
    sync.learn, learn = (lambda wallet, said: die() if said.vouchers else learn(wallet, said)), sync.learn
if point == "before the phone knows its registration":
    run = Store.run
    Store.run = lambda self, query, **values: die() if query == "set_device" else run(self, query, **values)
main()
"""


def in_a_process(phone: Phone, *program: str) -> subprocess.Popen[str]:
    """Start something with the phone's wallet in a process of its own."""
    surroundings = {
        **os.environ, **phone.env, "PYTHONPATH": str(ROOT / "src"), "TIKI_WALLET": str(phone.folder),
        "TIKI_STATE_DIR": str(phone.state_dir),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, *program], env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def killed(phone: Phone, point: str, *args: str) -> None:
    """Run `tiki` until it reaches a point, where it is killed."""
    process = in_a_process(phone, "-c", KILLED, point, *args)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err


@pytest.fixture
def server(database_url: str, data_dir: Path) -> Iterator[RunningServer]:
    with serve(database_url, data_dir) as running:
        yield running


@pytest.fixture
def people(server: RunningServer, phone: Callable[[str], Phone]) -> list[Phone]:
    """Asha with 100.00 online and 20.00 on her phone, and Ben."""
    asha, ben = (server.sign_up(phone(name)) for name in ("asha", "ben"))
    asha.does("topup", "100")
    asha.does("load", "20")
    ben.does("sync")
    return [asha, ben]


def online(person: Phone) -> int:
    return sum(item["amount_minor"] for item in person.does("balance")["view"]["online"])


@pytest.mark.parametrize("point", ["before the answer is noted", "before the answer is learned"])
def test_a_killed_sync_is_only_repeated(people: list[Phone], point: str) -> None:
    asha, ben = people
    pay_offline(asha, ben, "5")
    killed(asha, point, "sync", "--keep", "20")  # the operator has the payment, and 5.00 more stands in a voucher
    again = asha.does("sync", "--keep", "20")
    assert (again["recorded"], again["rejected"], again["loaded_minor"]) == (0, [], 500)
    assert (asha.offline_balance(), online(asha)) == (2000, 7500)
    assert pay_offline(asha, ben, "10")["amount_minor"] == 1000
    assert ben.does("sync")["rejected"] == []


def test_a_load_killed_before_its_voucher_is_stored_is_found_again(people: list[Phone]) -> None:
    asha, _ = people
    killed(asha, "before the voucher is stored", "load", "10")
    assert asha.does("load", "10")["loaded_minor"] == 1000  # the same load: its outcome wasn't known
    assert (asha.offline_balance(), online(asha)) == (3000, 7000)
    killed(asha, "before the voucher is stored", "load", "5")
    asha.does("sync")  # or whatever comes next
    assert (asha.offline_balance(), online(asha)) == (3500, 6500)


def test_a_phone_killed_while_it_registers_is_one_phone(server: RunningServer, phone: Callable[[str], Phone]) -> None:
    chi = server.sign_up(phone("chi"))
    killed(chi, "before the phone knows its registration", "sync")
    assert chi.does("sync")["rejected"] == []
    assert len(chi.does("phones")["items"]) == 1


def test_two_terminals_with_one_wallet_take_turns(people: list[Phone]) -> None:
    asha, ben = people
    pay_offline(asha, ben, "5")
    commands = [["load", "3"], ["sync"], ["load", "3"], ["sync"]]
    processes = [in_a_process(asha, "-m", "tikiwallet.cli.main", *command) for command in commands]
    loads = 0
    for process, command in zip(processes, commands, strict=True):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 or "wallet_busy" in err, (out, err)
        loads += command[0] == "load" and process.returncode == 0
    asha.does("sync")
    assert (asha.offline_balance(), online(asha)) == (1500 + 300 * loads, 8000 - 300 * loads)
    assert asha.does("status")["retired_keys"] == 0
