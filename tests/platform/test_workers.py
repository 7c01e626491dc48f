"""Several processes on one port: they share the work, stop together, and one that dies costs nobody a payment."""

import http.client
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil
import pytest
import urllib3

from processes import OPERATORS, run
from servers import Server
from tikiwallet.platform import workers
from tikiwallet.platform.config import Settings

CONNECTIONS = 64
WAIT_SECONDS = 60


@pytest.fixture
def server(begun_dir: Path) -> Iterator[Server]:
    found = Server(begun_dir, TIKIWALLET_WORKERS="2")
    yield found
    if found.process.returncode is None:
        found.stop()


def children(server: Server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def wait_for(fact: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not fact():
        assert time.monotonic() < until, "it didn't come about"


def connect(server: Server) -> http.client.HTTPConnection:
    found = http.client.HTTPConnection(str(urlsplit(server.address).hostname), urlsplit(server.address).port)
    found.connect()
    return found


def serving(server: Server) -> Counter[int]:
    """How many of as many connections as browsers keep open each process has taken."""
    connections = [connect(server) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.request("GET", "/readyz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
    ours = {connection.sock.getsockname() for connection in connections}
    found = Counter(
        child.pid for child in children(server) for held in child.net_connections("tcp") if held.raddr in ours
    )
    for connection in connections:
        connection.close()
    return found


def database_is_stopped(server: Server) -> bool:
    return not (server.data_dir / "postgres" / "postmaster.pid").exists()


def test_both_processes_serve_and_stop_together(server: Server, tmp_path: Path) -> None:
    before = children(server)
    found = serving(server)
    assert set(found) == {child.pid for child in before}
    assert len(found) == 2
    assert sum(found.values()) == CONNECTIONS
    port = str(urlsplit(server.address).port)
    code, _, said = failure(tmp_path / "other", TIKIWALLET_WORKERS="2", TIKIWALLET_PORT=port)
    assert code == 1
    assert said.startswith(f"tikiwallet: Port {port} on 127.0.0.1 is in use")  # it is shared with no other server
    server.stop()
    assert not any(child.is_running() for child in before)
    assert database_is_stopped(server)
    assert server.log() == ""


def test_a_process_that_dies_is_replaced_and_every_payment_counts_once(server: Server) -> None:
    alice, shop = server.sign_up("alice", "+6591231001"), server.sign_up("shop", "+6591231002")
    amount = {"amount_minor": 100, "currency": "SGD"}
    server.call("POST", "/v1/top-ups", {"amount": {**amount, "amount_minor": 10_000}}, token=alice, key="0")
    order = {"to": {"username": "shop"}, "amount": amount}
    receipts: list[object] = []
    for number, process in enumerate(children(server), 1):
        process.kill()
        while len(receipts) < 20 * number:
            key = f"payment-{len(receipts)}"
            try:
                receipts.append(server.call("POST", "/v1/transfers", order, token=alice, key=key))
            except urllib3.exceptions.HTTPError:
                continue  # the process that was asked is gone: as a phone does, ask again with the same key
        wait_for(lambda: len(serving(server)) == 2)
    assert server.log().count("a server process ended; another takes its place") == 2
    again = [
        server.call("POST", "/v1/transfers", order, token=alice, key=f"payment-{number}")
        for number in range(len(receipts))
    ]
    assert again == receipts
    balances = server.call("GET", "/v1/balance", token=shop)["balances"]
    assert balances == [{"amount_minor": 100 * len(receipts), "currency": "SGD"}]
    assert server.operator("reconcile").strip().endswith("right to the unit")


def test_one_process_has_the_jobs_and_the_metrics_and_so_has_the_one_that_replaces_it(begun_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(begun_dir, TIKIWALLET_WORKERS="2", TIKIWALLET_METRICS_PORT=str(port))
    for _ in range(2):
        (first,) = [child for child in children(server) if port in listening(child)]
        first.kill()
        wait_for(lambda: answers(port) and len(serving(server)) == 2)
    server.stop()
    given = Settings(jobs=True, metrics_port=port)
    assert workers.settings_of(0, given) == given
    assert workers.settings_of(1, given) == msgspec.structs.replace(given, jobs=False, metrics_port=0)


def listening(process: psutil.Process) -> set[int]:
    return {held.laddr.port for held in process.net_connections("tcp") if held.status == "LISTEN"}


def test_a_process_holds_nothing_of_its_parent_but_the_socket_it_serves_on(server: Server) -> None:
    parent = psutil.Process(server.process.pid)
    assert parent.num_threads() == 1  # so that it may be forked
    assert all(os.getpgid(child.pid) == child.pid for child in children(server))  # what a terminal sends isn't for them
    one, other = (held(child) for child in children(server))
    for mine in (one, other):
        assert len(streams(held(parent)) & streams(mine)) == 1
        assert [name for name in mine if name.startswith(str(server.data_dir))] == [f"{server.data_dir}/users.lock"]
    assert streams(one) & streams(other) == set()


def held(process: psutil.Process) -> list[str]:
    """What a process has open beside what it reads and says."""
    return [str(found.readlink()) for found in Path(f"/proc/{process.pid}/fd").iterdir() if int(found.name) > 2]


def streams(names: list[str]) -> set[str]:
    """The sockets and pipes among them: one that two processes have has the same number in both."""
    return {name for name in names if name.startswith(("socket:", "pipe:"))}


def test_a_request_under_way_is_answered_before_the_processes_stop(server: Server) -> None:
    order = json.dumps({"phone": "+6591231001", "password": "seven green umbrellas"}).encode()
    connections = [connect(server) for _ in range(8)]
    for connection in connections:
        connection.putrequest("POST", "/v1/sessions")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(order)))
        connection.putheader("expect", "100-continue")
        connection.endheaders(order[:1])
        assert connection.sock.recv(100).startswith(b"HTTP/1.1 100 ")  # so it reads the body
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not answers(urlsplit(server.address).port))
    for connection in connections:
        connection.send(order[1:])
        with connection.getresponse() as answer:
            assert answer.status == 401
        connection.close()
    server.has_stopped()
    assert database_is_stopped(server)


def answers(port: int | None) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port or 0)).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        return True  # one socket was closed at this very moment; the next may still listen
    return True


def test_when_the_parent_is_killed_its_children_stop_and_the_last_one_stops_the_database(server: Server) -> None:
    before = children(server)
    server.kill(with_database=False)
    psutil.wait_procs(before, timeout=WAIT_SECONDS)
    assert not any(child.is_running() for child in before)
    assert database_is_stopped(server)
    server.start()
    assert len(serving(server)) == 2


def failure(data_dir: Path, **environment: str) -> tuple[int, str, str]:
    given = {**os.environ, "TIKIWALLET_DATA_DIR": str(data_dir), "TIKIWALLET_PORT": "0", **environment}
    ran = run(OPERATORS, "serve", environment=given, timeout_seconds=WAIT_SECONDS)
    return ran.returncode, ran.stdout, ran.stderr


def test_what_no_process_can_start_with_is_said_once(server: Server) -> None:
    server.stop()
    (server.data_dir / "keys" / "issuer-1.pem").write_text("garbage")
    sentence = f"The offline keys in {server.data_dir}/keys can't be read: restore the folder from a copy."
    assert failure(server.data_dir, TIKIWALLET_WORKERS="3", TIKIWALLET_POOL_SIZE_MAX="2") == (
        1, "", f"tikiwallet: {sentence}\n",
    )  # fmt: skip
    assert database_is_stopped(server)


def test_more_connections_than_the_embedded_database_has_are_refused_at_the_start(data_dir: Path) -> None:
    code, _, said = failure(data_dir, TIKIWALLET_WORKERS="4")
    assert code == 1
    assert said.startswith("tikiwallet: 4 processes may want 160 connections and the embedded database has 88: lower")
    assert not data_dir.exists()
