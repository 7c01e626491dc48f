"""Two servers behind a balancer, with a Redis that is emptied, killed and started again: payments don't notice."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

from redis_server import RedisServer, free_port
from servers import Server
from tikiwallet.identity.throttling import SIGN_IN_WINDOW_SECONDS
from world import PASSWORD

WAIT_SECONDS = 60
TRIES = 6
HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    option forwardfor
    option httpchk GET /readyz
frontend wallet
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    balance roundrobin
    http-response set-header Served-By %s
    server one {one} check inter 500ms
    server two {two} check inter 500ms
"""


DEVICE = "one-device-of-all-tests-" + "x" * 19  # everybody signed up on it, so that a password is enough


class Balancer:
    """HAProxy before two servers on one database."""

    def __init__(self, folder: Path, servers: list[Server]) -> None:
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        one, two = (server.address.removeprefix("http://") for server in servers)
        (folder / "haproxy.cfg").write_text(HAPROXY.format(port=port, one=one, two=two))
        self.process = subprocess.Popen(["haproxy", "-f", str(folder / "haproxy.cfg"), "-q"])
        self._connections = urllib3.PoolManager(retries=urllib3.Retry(connect=20, read=0, backoff_factor=0.05))

    def ask(
        self, method: str, path: str, body: object = None, *, token: str = "", key: str = ""
    ) -> urllib3.BaseHTTPResponse:
        headers = {
            "content-type": "application/json", "authorization": f"Bearer {token}", "idempotency-key": key,
            "tikiwallet-device": DEVICE,
        }  # fmt: skip
        wanted = {name: value for name, value in headers.items() if value not in {"", "Bearer "}}
        content = None if body is None else json.dumps(body)
        return self._connections.request(method, self.address + path, body=content, headers=wanted)

    def call(self, method: str, path: str, body: object = None, *, token: str = "", key: str = "") -> Any:
        answer = self.ask(method, path, body, token=token, key=key)
        assert answer.status < 300, answer.data
        return answer.json() if answer.data else None

    def sign_up(self, username: str, phone: str, texts: Path) -> str:
        """Return a session's token."""
        order = {"phone": phone, "username": username, "password": PASSWORD}
        started = self.call("POST", "/v1/registrations", order)
        code = re.findall(r"[0-9]{6}", json.loads(texts.read_text().splitlines()[-1])["text"])[0]
        path = f"/v1/registrations/{started['registration_id']}/verification"
        token: str = self.call("POST", path, {"code": code})["token"]
        return token

    def stop(self) -> None:
        self._connections.clear()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=WAIT_SECONDS)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path)
    yield found
    found.kill()


@pytest.fixture
def servers(begun_dir: Path, redis: RedisServer) -> Iterator[list[Server]]:
    """Two `tikiwallet serve` on one folder, which holds the database, the keys and the text messages."""
    settings = {
        "REDIS_URL": redis.url, "TIKIWALLET_TRUSTED_PROXIES": "127.0.0.1",
        "TIKIWALLET_SIGN_INS_PER_PHONE_MAX": str(TRIES),
    }  # fmt: skip
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(Server, begun_dir, **settings) for _ in range(2)]
    try:
        yield [start.result() for start in starts]
    finally:
        for start in starts:
            if start.exception() is None:
                start.result().stop()
    assert not (begun_dir / "postgres" / "postmaster.pid").exists()


@pytest.fixture
def balancer(tmp_path: Path, servers: list[Server]) -> Iterator[Balancer]:
    found = Balancer(tmp_path, servers)
    yield found
    found.stop()


def wait_for(fact: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not fact():
        assert time.monotonic() < until, "it didn't come about"


def test_two_servers_are_one_wallet_whatever_becomes_of_redis(
    balancer: Balancer, servers: list[Server], redis: RedisServer
) -> None:
    texts = servers[0].data_dir / "sms.jsonl"
    alice, shop = (
        balancer.sign_up(name, phone, texts) for name, phone in (("alice", "+6591231001"), ("shop", "+6591231002"))
    )
    wait_for(
        lambda: {balancer.ask("GET", "/v1/me", token=alice).headers["served-by"] for _ in range(8)} == {"one", "two"}
    )
    amount = {"amount_minor": 100, "currency": "SGD"}
    balancer.call("POST", "/v1/top-ups", {"amount": {**amount, "amount_minor": 10_000}}, token=alice, key="top-up")
    receipts: dict[str, Any] = {}

    def pay(until_count: int) -> None:
        while len(receipts) < until_count:
            key = f"payment-{len(receipts)}"
            order = {"to": {"username": "shop"}, "amount": amount, "memo": key}
            receipts[key] = balancer.call("POST", "/v1/transfers", order, token=alice, key=key)

    def sign_in() -> int:
        order = {"phone": "+6591231001", "password": PASSWORD}
        return balancer.ask("POST", "/v1/sessions", order).status

    def try_often() -> list[int]:
        while True:
            window = time.time() // SIGN_IN_WINDOW_SECONDS
            answers = [sign_in() for _ in range(2 * TRIES)]
            if time.time() // SIGN_IN_WINDOW_SECONDS == window:
                return answers

    # A session of one server is one of both, and so is its end.
    order = {"phone": "+6591231001", "password": PASSWORD}
    second = balancer.call("POST", "/v1/sessions", order)["token"]
    assert [balancer.ask("GET", "/v1/balance", token=second).status for _ in range(4)] == [200] * 4
    balancer.call("DELETE", "/v1/sessions/current", token=second)
    assert [balancer.ask("GET", "/v1/balance", token=second).status for _ in range(4)] == [401] * 4
    # Tries count together: if each server counted alone, nearly all of these would be let in.
    answers = try_often()
    assert set(answers) == {201, 429}
    assert answers.count(201) <= TRIES
    assert redis.names()

    pay(20)
    redis.flush()
    pay(40)
    redis.kill()
    assert 429 in try_often()  # each server still limits
    pay(60)
    assert "redis doesn't answer; each process counts alone until it does" in servers[0].log()
    redis.start()
    pay(80)
    for key, receipt in receipts.items():  # again, as phones do that never heard an answer
        order_again = {"to": {"username": "shop"}, "amount": amount, "memo": key}
        assert balancer.call("POST", "/v1/transfers", order_again, token=alice, key=key) == receipt
    balances = [balancer.call("GET", "/v1/balance", token=token)["balances"] for token in (alice, shop)]
    assert balances == [[{"amount_minor": 2_000, "currency": "SGD"}], [{"amount_minor": 8_000, "currency": "SGD"}]]
    assert servers[0].operator("reconcile").strip().endswith("right to the unit")
