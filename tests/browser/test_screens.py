"""Screens are loaded when they are first shown; when one can't be had, the wallet says so and goes on."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.phones import Phone
from browser.server import Server

CHUNK = "**/chunks/sign-in-*.js"
SORRY = "This part of the wallet is not on this phone yet"


@pytest.fixture
def first_visit(browser: Browser, server: Server) -> Iterator[Page]:
    """A browser that keeps nothing: each file comes over the network."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(server.address)
    page.locator("html[data-ready]").wait_for()
    yield page
    context.close()


def test_a_screen_that_cannot_be_had_is_there_once_the_network_is(first_visit: Page) -> None:
    first_visit.route(CHUNK, lambda route: route.abort())
    first_visit.route("**/wallet.json", lambda route: route.abort())
    first_visit.get_by_role("link", name="Sign in").click()
    expect(first_visit.get_by_text(SORRY)).to_be_visible()
    first_visit.evaluate("() => { window.isTheSamePage = true; }")
    first_visit.get_by_role("button", name="Try again").click()
    expect(first_visit.get_by_role("button", name="Try again")).to_be_enabled()
    expect(first_visit.get_by_text(SORRY)).to_be_visible()
    first_visit.unroute(CHUNK)
    first_visit.get_by_role("button", name="Try again").click()
    expect(first_visit.get_by_label("Password")).to_be_visible()
    assert first_visit.evaluate("() => window.isTheSamePage")


def test_a_screen_that_a_newer_server_no_longer_has_starts_the_app_anew(first_visit: Page) -> None:
    first_visit.route(CHUNK, lambda route: route.fulfill(status=404))
    first_visit.get_by_role("link", name="Sign in").click()
    expect(first_visit.get_by_text(SORRY)).to_be_visible()
    with first_visit.expect_event("load"):
        first_visit.get_by_role("button", name="Try again").click()
    first_visit.locator("html[data-ready]").wait_for()
    expect(first_visit.get_by_text(SORRY)).to_be_visible()  # still there to press, and not a page without anything
    first_visit.unroute(CHUNK)
    first_visit.get_by_role("button", name="Try again").click()
    expect(first_visit.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize("name", ["settings", "constructor", "no-such-screen"])
def test_an_address_that_is_not_a_strangers_shows_the_way_in(first_visit: Page, name: str) -> None:
    first_visit.evaluate("(name) => { location.hash = `#/${name}`; }", name)
    expect(first_visit.get_by_role("link", name="Open a wallet")).to_be_visible()


def test_an_app_that_cannot_start_says_so(browser: Browser, server: Server) -> None:
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.route("**/wallet.json", lambda route: route.abort())
    page.goto(server.address)
    expect(page.get_by_role("alert")).to_contain_text("nothing is lost")
    page.unroute("**/wallet.json")
    page.get_by_role("link", name="try again").click()
    page.locator("html[data-ready]").wait_for()
    context.close()


def test_after_one_visit_every_screen_is_on_the_phone(browser: Browser, server: Server) -> None:
    asha = Phone(browser, server, "asha_who_came_once")
    asha.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    kept = asha.page.evaluate(
        "async () => (await (await caches.open((await caches.keys())[0])).keys()).map((one) => one.url)"
    )
    names = {url.removeprefix(server.address) for url in kept}
    assert len([name for name in names if name.startswith("chunks/")]) > 10
    assert {"index.html", "app.js", "scan-worker.js", "style.css", "wallet.json", "locales/en.json"} <= names
    asha.context.close()
