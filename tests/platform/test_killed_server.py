"""The server is killed while people pay: whoever asks again with the same key gets one effect and one receipt."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from servers import Server

PAYERS = 4
PAYMENTS_EACH = 12
ANSWERS_BEFORE_EACH_KILL = (5, 20)


@pytest.fixture
def server(begun_dir: Path) -> Iterator[Server]:
    found = Server(begun_dir)
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
