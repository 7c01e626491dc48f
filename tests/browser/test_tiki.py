"""The wallet in the terminal and the wallet in the browser pay each other, both ways, by pictures, with no server."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser.phones import Phone
from browser.server import Server
from browser.test_without_a_camera import open_file, saved
from processes import PEOPLE, run
from world import PASSWORD


class Tiki:
    """A wallet in a folder, as somebody in a terminal uses it."""

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._environment = {
            **os.environ, "TIKI_PASSWORD": PASSWORD, "TIKI_SERVER": server.address.rstrip("/"),
            "TIKI_WALLET": str(folder / "wallet"), "TIKI_STATE_DIR": str(folder / "state"),
        }  # fmt: skip

    def __call__(self, *command: str) -> Any:
        ran = run(PEOPLE, "--json", *command, environment=self._environment)
        assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
        return json.loads(ran.stdout)

    def picture(self, name: str) -> Path:
        return self._folder / f"{name}.png"


def test_tiki_and_the_web_wallet_pay_each_other(
    shared: Callable[[str], Phone], server: Server, without_network: Callable[[], None], tmp_path: Path
) -> None:
    asha, tiki = shared("asha"), Tiki(tmp_path, server)
    before = asha.have(offline_minor=600)
    number = "+6591230999"
    tiki("register", number, f"{asha.name}_tiki")
    tiki("verify", server.code_sent_to(number))
    tiki("sync")
    without_network()

    request, receipt = tiki.picture("request"), tiki.picture("receipt")
    tiki("offline", "request", "6", "--png", str(request))
    asha.go("pay")
    open_file(asha, request)
    asha.press("Pay")
    asha.code("Payment code")
    taken = tiki("offline", "accept", str(saved(asha, "Picture", tmp_path)), "--png", str(receipt), "--yes")
    assert taken["amount_minor"] == 600
    asha.press("Scan the receipt")
    open_file(asha, receipt)
    asha.verdict("received")

    asha.ask("2.00")  # and back: the second hand of the same money
    payment = tiki.picture("payment")
    tiki("offline", "pay", str(saved(asha, "Picture", tmp_path)), "--png", str(payment), "--yes")
    asha.press("Scan the payment")
    open_file(asha, payment)
    asha.verdict("risk")
    asha.press("Accept")
    asha.code("Receipt code")
    assert tiki("offline", "accept", str(saved(asha, "Picture", tmp_path)))["answer"] == "received"

    server.start()
    tiki("sync")
    asha.sync()
    assert asha.minor() == (before.online_minor, before.offline_minor - 400)
    assert tiki("balance")["local"]["spendable_minor"] == 400
