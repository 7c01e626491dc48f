"""The real server, started as an operator starts it, on loopback with a PostgreSQL of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import psutil

from bench.place import Cpu, cpu_seconds
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres

START_SECONDS_MAX: Final = 30
ASKED_EVERY_SECONDS: Final = 0.05


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running server."""

    port: int  # on 127.0.0.1
    pid: int
    postgres: EmbeddedPostgres

    def cpu(self) -> Cpu:
        """Return what all processes of the server, and all of its database, have used."""
        postmaster = int((self.postgres.pgdata / "postmaster.pid").read_text().splitlines()[0])
        return Cpu(server=cpu_seconds(psutil.Process(self.pid)), database=cpu_seconds(psutil.Process(postmaster)))


@contextlib.contextmanager
def running_server(data_dir: Path) -> Iterator[Server]:
    """Run `tikiwallet serve` on loopback with its own PostgreSQL in a folder, for as long as the context lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TIKIWALLET_", "DATABASE_"))},
        "TIKIWALLET_DATA_DIR": str(data_dir),
        "TIKIWALLET_PORT": str(port),
        "TIKIWALLET_SMS_SENDER": "file",
    }
    command = [sys.executable, "-m", "tikiwallet", "serve"]
    with (data_dir.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield Server(port=port, pid=process.pid, postgres=EmbeddedPostgres(data_dir))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError("the server doesn't start; its log is beside its data")
        time.sleep(ASKED_EVERY_SECONDS)
