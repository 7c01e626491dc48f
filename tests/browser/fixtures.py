"""Browsers for the web wallet: Debian's Chromium through Playwright, a real server, a phone for each person."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserType, expect, sync_playwright

from browser.phones import Phone
from browser.server import Server
from databases import database_of, execute
from tikiwallet.web.setup import set_up

CHROMIUM = "/usr/bin/chromium"
HEADLESS = "/usr/bin/chromium-headless-shell"  # the same browser without its windows: two thirds of the time
# Tests may run as root, where Chromium's own sandbox can't.
ARGUMENTS = ["--no-sandbox"]
expect.set_options(timeout=15_000)
_numbers = count(1)


def beside_playwright(work: Coroutine[Any, Any, None]) -> None:
    """Do something asynchronous: in this thread, Playwright's event loop is running."""
    with ThreadPoolExecutor() as beside:
        beside.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def new_database(cluster: str, template: str) -> Iterator[Callable[[], str]]:
    """Make a database for a server of the web wallet; return its URL.

    A server with a database of its own would start, fill and stop it at each outage: that took most of the outage.
    """
    made: list[str] = []

    def make() -> str:
        made.append(f"web_{uuid4().hex}")
        beside_playwright(execute(cluster, f"CREATE DATABASE {made[-1]} TEMPLATE {template} STRATEGY FILE_COPY"))
        return database_of(cluster, made[-1])

    yield make
    for name in made:
        beside_playwright(execute(cluster, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Server]:
    """A running server for all tests; whoever stops it starts it again."""
    set_up()
    running = Server(tmp_path_factory.mktemp("web"), database_url=new_database())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium(new_database: Callable[[], str]) -> Iterator[BrowserType]:
    """What starts browsers. After the databases' template, which is made and dropped with no event loop running."""
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


@pytest.fixture(scope="session")
def shared_phones() -> Iterator[dict[str, Phone]]:
    """The phones that tests hand on, by the names that tests have for their owners."""
    phones: dict[str, Phone] = {}
    yield phones
    for each in phones.values():
        each.context.close()


@pytest.fixture
def shared(
    browser: Browser, server: Server, shared_phones: dict[str, Phone], request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Phone]]:
    """Borrow a person whose phone other tests used before, and use after: `shared("asha")`.

    To open a wallet and fill it costs as much as a payment. What there is of money and history is whatever there is:
    see `Phone.have`. Whoever signs out signs in again, and a phone that a clock or a script was put into is not for
    this. After a test that failed, its phones are thrown away.
    """
    failed_before = request.session.testsfailed
    borrowed: set[str] = set()

    def borrow(name: str) -> Phone:
        borrowed.add(name)
        if name not in shared_phones:
            shared_phones[name] = Phone(browser, server, f"{name}_{next(_numbers)}_of_many")
            shared_phones[name].sign_up()
        shared_phones[name].catch_up()
        return shared_phones[name]

    yield borrow
    phones = {name: shared_phones.pop(name) for name in borrowed if name in shared_phones}
    if request.session.testsfailed > failed_before:
        for each in phones.values():
            each.context.close()
        return
    for name, each in phones.items():
        each.rest()
        if each.is_worn():
            each.context.close()
        else:
            shared_phones[name] = each


@pytest.fixture
def without_network(server: Server) -> Iterator[Callable[[], None]]:
    """Stop the server process when called; it runs again after the test."""
    yield server.stop
    server.stop()
    server.start()
