"""The wallet in the engine of iPhones, as near as Debian has it: WebKitGTK through its driver, by `make webkit`.

Four things differ between engines and would cost money or trust: a key that survives, a store that survives, a code
that is read from a picture, and a start without a server.
"""

import base64
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import urllib3

from browser.server import Server
from tikiwallet.web.setup import set_up
from world import PASSWORD

BROWSERS = (
    "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
    "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.0/MiniBrowser",
)
SCREEN = ":97"
TIMEOUT_MS = 30_000
PHONE = "+6591230001"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what the standard calls an element on the wire
READY = "html[data-ready]"

KEY = """const done = arguments[0];
const opening = indexedDB.open("tikiwallet");
opening.onsuccess = () => {
  const all = opening.result.transaction("keys").objectStore("keys").getAll();
  all.onsuccess = () => done(all.result.map((key) => [key.public_key, key.retired_at]).flat().join());
};"""
IS_KEPT = """const done = arguments[0];
navigator.serviceWorker.ready.then((found) => done(found.active.state), (error) => done(String(error)));"""
# The code as a camera would see it: every module of it several pixels wide.
PICTURE = """const code = document.querySelector("figure.qr canvas");
const large = document.createElement("canvas");
large.width = large.height = 5 * code.width;
const context = large.getContext("2d");
context.imageSmoothingEnabled = false;
context.drawImage(code, 0, 0, large.width, large.height);
return large.toDataURL("image/png").split(",")[1];"""


class Driver:
    """One browser session, spoken to as the WebDriver standard says. Raises `AssertionError` for whatever fails."""

    def __init__(self, port: int, binary: str) -> None:
        self._address = f"http://127.0.0.1:{port}"
        options = {"binary": binary, "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        made = self._ask("POST", "/session", {"capabilities": wanted})
        self._address += f"/session/{made['sessionId']}"
        self.version = f"{made['capabilities']['browserName']} {made['capabilities']['browserVersion']}"
        self._ask("POST", "/timeouts", {"implicit": TIMEOUT_MS, "script": TIMEOUT_MS, "pageLoad": TIMEOUT_MS})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        retries = urllib3.Retry(connect=20, backoff_factor=0.1)  # until the driver listens
        answer = urllib3.request(method, self._address + path, json=body, retries=retries, timeout=2 * TIMEOUT_MS)
        assert answer.status == 200, answer.data
        return answer.json()["value"]

    def open(self, address: str) -> None:
        """Open a page and wait until the wallet is ready."""
        self._ask("POST", "/url", {"url": address})
        self.find(READY)

    def find(self, selector: str) -> str:
        """Wait for an element."""
        return str(self._ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT])

    def press(self, selector: str) -> None:
        self._ask("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        self._ask("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def text(self, selector: str) -> str:
        return str(self._ask("GET", f"/element/{self.find(selector)}/text"))

    def run(self, code: str) -> Any:
        return self._ask("POST", "/execute/sync", {"script": code, "args": []})

    def run_async(self, code: str) -> Any:
        return self._ask("POST", "/execute/async", {"script": code, "args": []})

    def go(self, screen: str) -> None:
        self.run(f"location.hash = '#/{screen}';")


@contextmanager
def _driver(folder: Path) -> Iterator[Driver]:
    binary = next((path for path in BROWSERS if Path(path).exists()), None)
    if binary is None:
        sys.exit("WebKitGTK's MiniBrowser isn't there: apt-get install webkit2gtk-driver xvfb")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ, "DISPLAY": SCREEN, "XDG_RUNTIME_DIR": str(folder), "LIBGL_ALWAYS_SOFTWARE": "1",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "WEBKIT_DISABLE_COMPOSITING_MODE": "1",
    }  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    screen = subprocess.Popen(["Xvfb", SCREEN, "-screen", "0", "500x900x24", "-nolisten", "tcp"], **quiet)  # type: ignore[call-overload]
    driver = subprocess.Popen(["WebKitWebDriver", f"--port={port}", "--host=127.0.0.1"], env=environment, **quiet)  # type: ignore[call-overload]
    try:
        yield Driver(port, binary)
    finally:
        for process in (driver, screen):
            process.terminate()
            process.wait(timeout=30)


def main() -> None:
    """Go through the four things; prints a line for each and fails at the first that isn't so."""
    set_up()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        server.start()
        try:
            with _driver(Path(folder)) as driver:
                _walk(driver, server, Path(folder))
        finally:
            server.stop()


def _walk(driver: Driver, server: Server, folder: Path) -> None:
    driver.open(server.address)
    driver.go("sign-up")
    driver.type('input[autocomplete="tel"]', PHONE)
    driver.type('input[autocomplete="username"]', "asha_on_webkit")
    driver.type('input[autocomplete="new-password"]', PASSWORD)
    driver.press("form .button.main")
    driver.find('input[autocomplete="one-time-code"]')
    driver.type('input[autocomplete="one-time-code"]', server.code_sent_to(PHONE))
    driver.press("form .button.main")
    driver.find(".status.online")
    key = driver.run_async(KEY)
    assert key, "no key was made"
    click.echo(f"{driver.version}: a wallet was opened, its key is kept")
    assert driver.run_async(IS_KEPT) in {"activating", "activated"}
    server.stop()
    driver.open(f"{server.address}#/home")
    driver.run("location.reload();")
    driver.find(READY)
    driver.find(".status.offline")
    assert driver.run_async(KEY) == key
    click.echo("it starts without a server, with the same key and the same person")
    driver.go("get-paid")
    driver.type(".amount-box input", "4.00")
    driver.press("form .button.main")
    driver.find("figure.qr canvas")
    picture = folder / "request.png"
    picture.write_bytes(base64.b64decode(driver.run(PICTURE)))
    driver.go("pay")
    driver.press(".other-ways summary")
    driver.type('input[type="file"]', str(picture))
    driver.find('[data-code="payee_is_you"]')  # read and understood: it is one's own request
    click.echo("a code is drawn, and read again from a picture of it")


if __name__ == "__main__":
    main()
