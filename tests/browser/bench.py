"""What a cheap phone waits for: `make bench-web` prints it beside its limits. Sizes are asserted by a test as well.

Times depend on the machine and on what else it does, so they are printed and not asserted: medians of several runs.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Browser, Page, sync_playwright

from browser.fixtures import ARGUMENTS, CHROMIUM
from browser.phones import SCREEN, Phone
from browser.server import Server
from tikiwallet.web.setup import set_up
from web.shell import SHELL_BYTES_MAX, shell_bytes

RUNS = 5
WARM_UP = 1
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}  # bytes a second
CPU_SLOWDOWN = 4
READY_SECONDS_MAX = 4.0
COLD_START_SECONDS_MAX = 1.0
EXCHANGE_SECONDS_MAX = 3.0


def main() -> None:
    """Measure everything and print one line each."""
    set_up()
    click.echo(f"{'':44}{'median':>9}{'worst':>9}{'limit':>9}")
    size, most = shell_bytes(), SHELL_BYTES_MAX
    word = _word(size, most)
    click.echo(f"{'shell, zipped':44}{size / 1000:>6.1f} kB{'':9}{most / 1000:>6.1f} kB  {word}")
    with _server() as server, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        _report("ready on slow 3G, CPU 4x slower", READY_SECONDS_MAX, lambda _: first_visit(browser, server))
        asha, ben = (Phone(browser, server, f"{name}_with_a_watch") for name in ("asha", "ben"))
        for phone in (asha, ben):
            phone.sign_up()
        asha.fund(offline="15.00")
        server.stop()
        _report("cold start without a network", COLD_START_SECONDS_MAX, lambda _: cold_start(asha))
        _report("exchange of three codes, machine time", EXCHANGE_SECONDS_MAX, lambda _: exchange(asha, ben))
        browser.close()


@contextmanager
def _server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _report(what: str, limit: float, measure: Callable[[int], float]) -> None:
    seconds = [measure(run) for run in range(WARM_UP + RUNS)][WARM_UP:]
    median = statistics.median(seconds)
    click.echo(f"{what:44}{median:>7.2f} s{max(seconds):>7.2f} s{limit:>7.2f} s  {_word(median, limit)}")


def _word(found: float, limit: float) -> str:
    return "within" if found <= limit else "OVER"


def _ready_seconds(page: Page) -> float:
    page.locator("html[data-ready]").wait_for(timeout=60_000)
    return int(page.locator("html").get_attribute("data-ready") or "") / 1000


def first_visit(browser: Browser, server: Server) -> float:
    """Return how long a new phone waits for the first screen over a slow network."""
    context = browser.new_context(viewport=SCREEN, device_scale_factor=2)
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.emulateNetworkConditions", SLOW_3G)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWDOWN})
    page.goto(server.address)
    seconds = _ready_seconds(page)
    context.close()
    return seconds


def cold_start(phone: Phone) -> float:
    """Return how long the wallet takes from an empty tab to its home screen, with the server stopped."""
    phone.reopen()
    return _ready_seconds(phone.page)


def exchange(asha: Phone, ben: Phone) -> float:
    """Return how long both phones work on one payment: request, payment, verdict, receipt, without the people."""
    begun = time.perf_counter()
    asha.finish(ben.accept(asha.pay(ben.ask("0.50"))))
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
