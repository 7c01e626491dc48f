"""Browsers for the web wallet: Debian's Chromium through Playwright, a real server, a phone for each person."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserType, expect, sync_playwright

from browser.phones import Phone
from browser.server import Server
from tikiwallet.web.setup import set_up

CHROMIUM = "/usr/bin/chromium"
HEADLESS = "/usr/bin/chromium-headless-shell"  # the same browser without its windows: two thirds of the time
# Tests may run as root, where Chromium's own sandbox can't.
ARGUMENTS = ["--no-sandbox"]
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for all tests; whoever stops it starts it again."""
    set_up()
    running = Server(tmp_path_factory.mktemp("web"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserType]:
    """What starts browsers."""
    with sync_playwright() as running:
        yield running.chromium


@pytest.fixture(scope="session")
def browser(chromium: BrowserType) -> Iterator[Browser]:
    """One browser; every phone is a context of its own in it."""
    opened = chromium.launch(executable_path=HEADLESS, args=ARGUMENTS)
    yield opened
    opened.close()


@pytest.fixture
def phone(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Phone]]:
    """Make a person with a phone and a wallet: `phone("asha")`.

    The app is installed if the test takes the network away: that costs as much as signing up.
    """
    is_installed = "without_network" in request.fixturenames
    made: list[Phone] = []

    def make(name: str) -> Phone:
        # Usernames are for ever, and the server is shared.
        unique = f"{name}_{abs(hash(request.node.nodeid)) % 10**6}"
        made.append(Phone(browser, server, unique, is_installed=is_installed))
        made[-1].sign_up()
        return made[-1]

    yield make
    for item in made:
        item.check()
        item.context.close()


@pytest.fixture
def without_network(server: Server) -> Iterator[Callable[[], None]]:
    """Stop the server process when called; it runs again after the test."""
    yield server.stop
    server.stop()
    server.start()
