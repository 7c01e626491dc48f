"""The real application on a real database, served over a real socket, for as long as a test lasts."""

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from litestar import Litestar
from tests.cli.phones import Phone
from tests.world import PASSWORD, routes_for, settings_for_tests

from tikiwallet.app import put_behind
from tikiwallet.platform.http import utc_now


@dataclass
class RunningServer:
    """A server that people sign up at."""

    url: str
    data_dir: Path
    phones: int = 0

    def code_sent_to(self, number: str) -> str:
        """Return the code of the newest text message to a phone number."""
        for line in reversed((self.data_dir / "sms.jsonl").read_text().splitlines()):
            message = json.loads(line)
            if number in line and (found := re.search(r"\b[0-9]{6}\b", message["text"])):
                return found[0]
        raise AssertionError(f"no code was sent to {number}")

    def sign_up(self, phone: Phone, *options: str) -> Phone:
        """Sign a person up from the command line; `options` are of `tiki register`."""
        self.phones += 1
        number = f"+659123{self.phones:04}"
        phone.env |= {"TIKI_SERVER": self.url, "TIKI_PASSWORD": PASSWORD}
        phone.does("register", number, phone.name, *options)
        assert phone.does("verify", self.code_sent_to(number))["username"] == phone.name
        return phone

    def sign_in(self, phone: Phone, number: str) -> dict[str, Any]:
        """Sign a person in in a folder that is new to them, with the code from the text message."""
        assert phone.refused("login", number) == "second_proof_needed"
        return phone.does("login", number, "--code", self.code_sent_to(number))


@contextlib.contextmanager
def serve(database_url: str, data_dir: Path, *, port: int = 0, **changes: object) -> Iterator[RunningServer]:
    """Serve the wallet on a loopback port until the block ends."""
    settings = settings_for_tests(data_dir, **changes)
    with routes_for(settings) as app:
        put_behind(app, settings, database_url=database_url, clock=utc_now)
        yield from _serve(app, data_dir, port)


def _serve(app: Litestar, data_dir: Path, port: int) -> Iterator[RunningServer]:
    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    started = threading.Event()
    main_loop = server.main_loop

    async def say_started() -> None:
        started.set()
        await main_loop()

    server.main_loop = say_started  # type: ignore[method-assign]
    # The server's log would stand among what the command writes, which shares this process's standard output.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert started.wait(timeout=30)
        yield RunningServer(url=f"http://127.0.0.1:{listening.getsockname()[1]}", data_dir=data_dir)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()
        structlog.reset_defaults()


class Tunnel:
    """A network between a phone and the server that loses the answer of one POST: the first after `lose_after` = 1."""

    def __init__(self, server: RunningServer) -> None:
        self._target = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.lose_after = 0  # how many POSTs until one is lost; 0: none
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                phone, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(phone,), daemon=True).start()

    def _carry(self, phone: socket.socket) -> None:
        with phone, socket.create_connection(self._target) as server:
            losing = threading.Event()

            def there() -> None:
                with contextlib.suppress(OSError):
                    while part := phone.recv(1_000_000):
                        if part.startswith(b"POST") and self.lose_after:
                            self.lose_after -= 1
                            if self.lose_after == 0:
                                losing.set()
                        server.sendall(part)

            threading.Thread(target=there, daemon=True).start()
            with contextlib.suppress(OSError):
                while answer := server.recv(1_000_000):
                    if losing.is_set():
                        break  # the server has done it, and the phone will never hear
                    phone.sendall(answer)
                phone.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()
