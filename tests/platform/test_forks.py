"""What becomes of a process of the server: forked from one that has begun everything, it must be one of its own.

`test_workers.py` has the whole server; here processes serve nothing, so that each of their ends can be had at once.
"""

import json
import multiprocessing
import os
import random
import secrets
import select
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tikiwallet.platform import workers
from tikiwallet.platform.telemetry import configure_logs

WAIT_SECONDS = 60


def in_a_process_without_threads(work: Callable[[Path], None], folder: Path) -> str:
    """Run `work`, as the test's process has threads; return what it says."""
    process = multiprocessing.get_context("forkserver").Process(target=told, args=(work, folder))
    process.start()
    process.join(WAIT_SECONDS)
    said = (folder / "said").read_text()
    assert process.exitcode == 0, said
    return said


def told(work: Callable[[Path], None], folder: Path) -> None:
    with (folder / "said").open("w") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    configure_logs("info")
    work(folder)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def until_the_end_of(parent: socket.socket) -> None:
    select.select([parent], [], [])


def chance(key: ec.EllipticCurvePrivateKey) -> list[str]:
    """One draw from everything that draws."""
    made = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    signed = key.sign(b"the same", ec.ECDSA(hashes.SHA256()))  # two of the same number would give the key away
    return [secrets.token_hex(), uuid4().hex, ssl.RAND_bytes(16).hex(), str(random.random()), str(made), signed.hex()]


def draw(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "parent").write_text("\n".join(chance(key)))

    def serve(number: int, _: socket.socket, parent: socket.socket) -> int:
        (folder / str(number)).write_text("\n".join(chance(key)))
        workers.tell(parent, workers.READY)
        until_the_end_of(parent)
        return 0

    with socket.socket() as one, socket.socket() as other:
        workers.run([one, other], serve=serve, ready=stop)


def test_no_two_processes_draw_the_same(tmp_path: Path) -> None:
    in_a_process_without_threads(draw, tmp_path)
    drawn = [(tmp_path / name).read_text().split("\n") for name in ("parent", "0", "1")]
    for same in zip(*drawn, strict=True):
        assert len(set(same)) == 3


def end_in_every_way(folder: Path) -> None:
    pytest.MonkeyPatch().setattr(workers, "PAUSE_SECONDS", 0.01)

    def serve(_: int, __: socket.socket, parent: socket.socket) -> int:
        starts = len(list(folder.glob("start-*")))
        (folder / f"start-{starts}").touch()
        if starts == 1:
            workers.tell(parent, "The keys can't be read.")
            return 1
        if starts == 2:
            raise ZeroDivisionError
        workers.tell(parent, workers.READY)
        if starts == 3:
            os.kill(os.getppid(), signal.SIGTERM)
            until_the_end_of(parent)
        return 3

    with socket.socket() as one:
        workers.run([one], serve=serve, ready=lambda: print("Ready."))  # noqa: T201


def test_whatever_a_process_ends_with_another_takes_its_place(tmp_path: Path) -> None:
    said = in_a_process_without_threads(end_in_every_way, tmp_path).splitlines()
    assert said.count("Ready.") == 1
    assert "ZeroDivisionError" in said
    logged = [json.loads(line) for line in said if line.startswith("{")]
    assert [(line["event"], line.get("reason", line.get("exit_code"))) for line in logged] == [
        ("a server process ended; another takes its place", 3),
        ("a server process can't start; tried again", "The keys can't be read."),
        (
            "a server process can't start; tried again",
            "A server process ended with 1 before it served; see the log.",
        ),
    ]


def be_asked_twice(_: Path) -> None:
    def serve(_: int, __: socket.socket, parent: socket.socket) -> int:
        workers.tell(parent, workers.READY)
        until_the_end_of(parent)
        os.kill(os.getppid(), signal.SIGHUP)
        signal.pause()  # what is under way takes for ever
        return 0

    with socket.socket() as one, socket.socket() as other:
        workers.run([one, other], serve=serve, ready=stop)


def test_who_asks_twice_waits_for_nothing_that_is_under_way(tmp_path: Path) -> None:
    assert in_a_process_without_threads(be_asked_twice, tmp_path) == ""
