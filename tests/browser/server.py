"""A real `tikiwallet serve` that tests stop and start again, as a network comes and goes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from processes import OPERATORS, Process
from tikiwallet.platform.config import URLS_OF_OTHERS
from world import WEAK_ARGON2

ROOT = Path(__file__).parents[2]
OWN = ROOT / "src"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


class Server:
    """One wallet server on one port, stopped and started on the same data."""

    def __init__(self, data_dir: Path, *, source: Path = OWN, **settings: str) -> None:
        self.port = free_port()
        self.data_dir = data_dir
        self._source = source
        self._settings = {
            name.upper() if name in URLS_OF_OTHERS else f"TIKIWALLET_{name.upper()}": value
            for name, value in settings.items()
        }  # fmt: skip
        self._process: Process | subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where a browser finds it: a name that counts as secure, so that the camera may be used."""
        return f"http://localhost:{self.port}/"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a command of `tikiwallet` one of this server."""
        weak = {f"TIKIWALLET_{name.upper()}": str(value) for name, value in WEAK_ARGON2.items()}
        return {
            **os.environ, **weak, "PYTHONPATH": os.pathsep.join([str(self._source), os.environ.get("PYTHONPATH", "")]),
            "TIKIWALLET_DATA_DIR": str(self.data_dir), "TIKIWALLET_PORT": str(self.port),
            "TIKIWALLET_SMS_SENDER": "file", **self._settings,
        }  # fmt: skip

    def start(self) -> None:
        """Start, and return once it serves."""
        environment = self.environment
        self._process = (
            Process(OPERATORS, "serve", environment=environment, log=sys.stderr)
            if self._source == OWN
            else subprocess.Popen(
                [sys.executable, "-m", "tikiwallet", "serve"], env=environment, stdout=subprocess.PIPE, text=True
            )
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Look here" in line:
                return
        raise AssertionError("the server didn't start")

    def stop(self) -> None:
        """Stop; from now on nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate(timeout=60)
            self._process = None

    def code_sent_to(self, phone: str) -> str:
        """Return the one-time code in the last text message to a phone."""
        lines = (self.data_dir / "sms.jsonl").read_text().splitlines()
        texts = [message["text"] for message in map(json.loads, lines) if message["phone"] == phone]
        found = re.search(r"\b\d{6}\b", texts[-1])
        assert found is not None, texts
        return found[0]
