"""A real `tikiwallet serve` that a test starts, kills and stops, and asks over HTTP."""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import psutil
import urllib3

from processes import OPERATORS, Process, run
from world import PASSWORD

WEAK_ARGON2 = {
    "TIKIWALLET_PASSWORD_MEMORY_KIB": "8", "TIKIWALLET_PASSWORD_PASSES": "1", "TIKIWALLET_PASSWORD_LANES": "1",
}  # fmt: skip


class Server:
    """A real `tikiwallet serve`, with its own database, that is started again after each kill."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self.log_file = data_dir.with_suffix(".log")
        self.environment = {
            **os.environ, **WEAK_ARGON2, "TIKIWALLET_DATA_DIR": str(data_dir), "TIKIWALLET_PORT": "0",
            "TIKIWALLET_SMS_SENDER": "file", **environment,
        }  # fmt: skip
        self.start()

    def start(self) -> None:
        with self.log_file.open("a") as log:
            self.process = Process(OPERATORS, "serve", environment=self.environment, log=log)
        for line in self.process.stdout:
            if found := re.search(r"Look here +(http://\S+)", line):
                self.address = found[1]
                return
        raise AssertionError(self.log())

    def log(self) -> str:
        """What it has logged since it was first started."""
        return self.log_file.read_text()

    def kill(self, *, with_database: bool) -> None:
        """Kill -9, as the power would."""
        postmaster = psutil.Process(int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
        family = [postmaster, *postmaster.children(recursive=True)] if with_database else []
        self.process.kill()
        for process in family:
            kill_if_there(process)
        self._ended()

    def _ended(self) -> int:
        self.process.close()
        return self.process.wait(timeout=60)

    def stop(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.has_stopped()

    def has_stopped(self) -> None:
        """Wait for a clean end."""
        said = self.process.stdout.read()
        assert (self._ended(), said.splitlines()[-1]) == (0, "TikiWallet has stopped. Your data is kept.")

    def operator(self, *command: str) -> str:
        ran = run(OPERATORS, *command, environment=self.environment)
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
