"""The machines of the story: a server, and wallets that only meet through pictures. Every step is a real process."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

PASSWORD = "seven green umbrellas"  # noqa: S105 - of people who live for a minute
SERVER_STOP_SECONDS = 20
OPERATORS = "tikiwallet"  # the programs of the story
PEOPLE = "tikiwallet.cli.main"


class StoryBrokenError(Exception):
    """Something didn't happen as promised. The message says what, with the difference."""


class World:
    """A folder with a server's data, three wallets and the pictures they showed each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / "pictures"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.address = ""

    def environment(self) -> dict[str, str]:
        """Return the environment of every process of this world."""
        return {
            **os.environ,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "TIKI_PASSWORD": PASSWORD,
            "TIKI_SERVER": self.address or "http://127.0.0.1:9",
            "TIKIWALLET_DATA_DIR": str(self.folder / "server"),
            "TIKIWALLET_PORT": "0",
            "TIKIWALLET_SMS_SENDER": "file",
            "TIKIWALLET_LOG_LEVEL": "error",
        }

    @contextmanager
    def server(self) -> Iterator[None]:
        """Run the server process for as long as the context lasts; leaving stops it as Ctrl-C would."""
        process = start(OPERATORS, "serve", environment=self.environment())
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"Look here +(http://\S+)", line):
                    self.address = found[1]
                    break
            else:
                raise StoryBrokenError("the server didn't start")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=SERVER_STOP_SECONDS)
            self.address = ""

    def operator(self, *command: str) -> str:
        """Run an operator's command; return what it printed."""
        ran = run(OPERATORS, *command, environment=self.environment())
        if ran.returncode != 0:
            raise StoryBrokenError(f"tikiwallet {' '.join(command)}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def root_key(self) -> bytes:
        """Return the operator's root key, as a phone gets it at its first sync. The server must be running."""
        issuer = urllib3.request("GET", f"{self.address}/v1/offline/issuer").json()
        return base64.urlsafe_b64decode(issuer["root_key"] + "==")

    def code_sent_to(self, phone: str) -> str:
        """Return the newest one-time code that was sent to a phone."""
        messages = [json.loads(line) for line in (self.folder / "server" / "sms.jsonl").read_text().splitlines()]
        text = next(message["text"] for message in reversed(messages) if message["phone"] == phone)
        return str(re.findall(r"\b\d{6}\b", text)[0])


class Wallet:
    """One person's wallet in a folder of its own."""

    def __init__(self, world: World, name: str, phone: str) -> None:
        self.world, self.name, self.phone = world, name, phone
        self.folder = world.folder / name

    def tiki(self, *command: str) -> Any:
        """Run a `tiki` command; return its result. Raises `StoryBrokenError` with the problem if it is refused."""
        result, problem = self.try_tiki(*command)
        if problem is not None:
            raise StoryBrokenError(f"{self.name}: tiki {' '.join(command)}: {problem}")
        return result

    def try_tiki(self, *command: str) -> tuple[Any, Any]:
        """Run a `tiki` command; return its result and None, or None and the problem."""
        words = ("--json", "--wallet", str(self.folder), *command)
        ran = run(PEOPLE, *words, environment=self.world.environment())
        if not ran.stdout:
            raise StoryBrokenError(f"{self.name}: tiki {' '.join(command)}: {ran.stderr}")
        answer = json.loads(ran.stdout)
        return (answer, None) if ran.returncode == 0 else (None, answer)

    def money_view(self) -> Any:
        """Return this person's money as the server says it, without starting a process for it."""
        token = json.loads((self.folder / "session").read_text())["token"]
        address, headers = f"{self.world.address}/v1/offline/money", {"authorization": f"Bearer {token}"}
        return urllib3.request("GET", address, headers=headers).json()

    def key_id_begins(self) -> str:
        """Return the first hex digits of the id of the phone's key, as its file is named."""
        (key_file,) = self.folder.glob("key-*.pem")
        return key_file.stem.removeprefix("key-")

    def picture(self, what: str) -> str:
        """Return the path of a picture that this wallet shows."""
        return str(self.world.pictures / f"{self.name}-{what}.png")


def twin_of(world: World, folder: Path) -> World:
    """Return a copy of a stopped world, for trying another order of events.

    The wallets' second place is told their new path: this is the whole machine copied, which no program can notice.
    """
    shutil.copytree(world.folder, folder, ignore=shutil.ignore_patterns("socket", "postmaster.pid"))
    for record in (folder / "state").rglob("*.json"):
        record.write_text(record.read_text().replace(str(world.folder), str(folder)))
    return World(folder)


def start(module: str, *words: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a program; what it prints can be read while it runs."""
    command = [sys.executable, "-u", "-m", module, *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603


def run(module: str, *words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever it ends with."""
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
