"""The server is killed while people pay: whoever asks again with the same key gets one effect and one receipt."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from world import PASSWORD

PAYERS = 4
PAYMENTS_EACH = 12
ANSWERS_BEFORE_EACH_KILL = (5, 20)
WEAK_ARGON2 = {
    "TIKIWALLET_PASSWORD_MEMORY_KIB": "8", "TIKIWALLET_PASSWORD_PASSES": "1", "TIKIWALLET_PASSWORD_LANES": "1",
}  # fmt: skip


class Server:
    """A real `tikiwallet serve`, with its own database, that is started again after each kill."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environment = {
            **os.environ, **WEAK_ARGON2, "TIKIWALLET_DATA_DIR": str(data_dir), "TIKIWALLET_PORT": "0",
            "TIKIWALLET_SMS_SENDER": "file",
        }  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tikiwallet", "serve"], env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"Look here +(http://\S+)", line):
                self.address = found[1]
                return
        raise AssertionError("the server didn't start")

    def kill(self, *, with_database: bool) -> None:
        """Kill -9, as the power would."""
        postmaster = psutil.Process(int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)] if with_database else []
        self.process.kill()
        for process in family:
            kill_if_there(process)
        self._ended()

    def _ended(self) -> int:
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(timeout=60)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        assert (self._ended(), said.splitlines()[-1]) == (0, "TikiWallet has stopped. Your data is kept.")

    def operator(self, *command: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "tikiwallet", *command], env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def call(self, method: str, path: str, body: object = None, *, token: str = "", key: str = "") -> Any:
        """Ask once; raises what urllib3 raises when the server is gone."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}", "idempotency-key": key}
        wanted = {name: value for name, value in headers.items() if value not in {"", "Bearer "}}
        content = None if body is None else json.dumps(body)
        answer = urllib3.request(method, self.address + path, body=content, headers=wanted, retries=False, timeout=30)
        assert answer.status < 300, answer.data
        return answer.json()

    def sign_up(self, username: str, phone: str) -> str:
        """Return a session's token."""
        order = {"phone": phone, "username": username, "password": PASSWORD}
        started = self.call("POST", "/v1/registrations", order)
        texts = [json.loads(line) for line in (self.data_dir / "sms.jsonl").read_text().splitlines()]
        code = re.search(r"[0-9]{6}", texts[-1]["text"])
        assert code is not None
        path = f"/v1/registrations/{started['registration_id']}/verification"
        token: str = self.call("POST", path, {"code": code[0]})["token"]
        return token


def kill_if_there(process: psutil.Process) -> None:
    """Kill a process that may have ended already."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


@pytest.fixture
def server(data_dir: Path) -> Iterator[Server]:
    found = Server(data_dir)
    yield found
    found.stop()


def balance(server: Server, token: str) -> int:
    minor: int = server.call("GET", "/v1/balance", token=token)["balances"][0]["amount_minor"]
    return minor


def test_a_server_killed_again_and_again_pays_everything_once(server: Server) -> None:
    tokens = [server.sign_up(f"payer_{number}", f"+659123100{number}") for number in range(PAYERS)]
    shop = server.sign_up("shop", "+6591239999")
    for token in tokens:
        server.call("POST", "/v1/top-ups", {"amount": {"amount_minor": 2500, "currency": "SGD"}}, token=token, key="0")
    gone = threading.Event()
    order = {"to": {"username": "shop"}, "amount": {"amount_minor": 200, "currency": "SGD"}}
    orders = [(token, f"payment-{number}") for number in range(PAYMENTS_EACH) for token in tokens]
    answered: dict[tuple[str, str], Any] = {}

    def pay(token: str, key: str) -> None:
        if gone.is_set() or (token, key) in answered:
            return
        try:
            answered[token, key] = server.call("POST", "/v1/transfers", order, token=token, key=key)
        except urllib3.exceptions.HTTPError:
            gone.set()

    for kills in itertools.count():
        with ThreadPoolExecutor(max_workers=4) as people:
            asked = [people.submit(pay, token, key) for token, key in orders]
            if kills < len(ANSWERS_BEFORE_EACH_KILL):
                until = len(answered) + ANSWERS_BEFORE_EACH_KILL[kills]
                for done in asked:
                    done.result()
                    if len(answered) >= until:
                        server.kill(with_database=kills % 2 == 1)
                        break
        for done in asked:
            done.result()
        if not gone.is_set():
            break
        server.start()
        gone.clear()
    assert kills == len(ANSWERS_BEFORE_EACH_KILL)
    # Everything again, as phones do that never heard an answer: the same receipts, and not a cent more.
    for token, key in orders:
        assert server.call("POST", "/v1/transfers", order, token=token, key=key) == answered[token, key]
    assert [balance(server, token) for token in tokens] == [2500 - PAYMENTS_EACH * 200] * PAYERS
    assert balance(server, shop) == PAYERS * PAYMENTS_EACH * 200
    assert server.operator("reconcile").strip().endswith("right to the unit")
