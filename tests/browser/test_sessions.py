"""The session of the web wallet goes on by itself, in all tabs and over a bad network, and its end loses nothing."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page, Route, expect

from browser.phones import READ_FACT, Phone
from world import PASSWORD

MakePhone = Callable[[str], Phone]
REFRESH = "**/v1/sessions/refresh"


@contextlib.contextmanager
def elsewhere(who: Phone) -> Iterator[httpx.Client]:
    """The same person on another device."""
    with httpx.Client(base_url=who.server.address, headers={"user-agent": "tiki"}) as client:
        client.headers["authorization"] = f"Bearer {who.token_elsewhere()}"
        yield client


def let_token_end(who: Phone) -> None:
    """Ten minutes go by: the browser throws the cookie of the access token away."""
    who.context.clear_cookies(name="tikiwallet")


def refresh_token(who: Phone) -> str:
    (found,) = [cookie["value"] for cookie in who.context.cookies() if cookie["name"] == "tikiwallet-refresh"]
    return found


def sync_again(page: Page) -> Locator:
    """Meet the server again; return where it says what came of it."""
    page.evaluate('location.hash = "#/sync"')
    page.locator('[data-name="sync"]').click()
    return page.locator("main")


def picture(who: Phone, name: str) -> None:
    """Save what is on the screen, narrow and wide, where the environment says so: for people who look at it."""
    if folder := os.environ.get("PICTURES"):
        for width in (320, 1280):
            who.page.set_viewport_size({"width": width, "height": 860})
            who.page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


def test_a_session_goes_on_in_all_tabs_and_when_an_answer_is_lost(phone: MakePhone) -> None:
    asha = phone("asha")
    first = refresh_token(asha)
    let_token_end(asha)
    asha.sync()
    second = refresh_token(asha)
    assert first != second

    kept = asha.context.cookies()

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        asha.context.clear_cookies()
        asha.context.add_cookies([cookie for cookie in kept if cookie["name"] != "tikiwallet"])
        route.abort()

    asha.context.route(REFRESH, lose_the_answer)
    let_token_end(asha)
    expect(sync_again(asha.page)).to_contain_text(asha.texts["code.unreachable"])
    asha.context.unroute(REFRESH)
    asha.reopen()  # and then the tab was killed
    asha.sync()
    third = refresh_token(asha)
    assert third not in {first, second}

    pages = [asha.page, *(asha.context.new_page() for _ in range(2))]
    for page in pages:
        page.goto(asha.server.address)
        page.locator(".status.online").wait_for()
    exchanges: list[str] = []
    asha.context.on("request", lambda request: exchanges.append(request.url) if "refresh" in request.url else None)
    for _ in range(2):
        for page in pages:
            page.wait_for_load_state("networkidle")  # what is still under way would be refused, and refresh too
        let_token_end(asha)
        for page in pages:
            page.evaluate("location.reload()")
        for page in pages:
            page.locator(".status.online").wait_for()
    assert 2 <= len(exchanges) <= 2 * len(pages)
    assert asha.page.evaluate(READ_FACT, "session") is not None
    with elsewhere(asha) as other:
        assert len(other.get("/v1/sessions").json()["items"]) == 2  # one for all tabs, and this one


def test_a_new_device_is_told_and_put_out(phone: MakePhone) -> None:
    asha = phone("asha")
    with elsewhere(asha) as thief:
        let_token_end(asha)
        asha.sync()
        asha.go("home")
        asha.page.locator('[data-name="notices"]').wait_for()
        picture(asha, "home")
        asha.press(asha.texts["notices.look"])
        expect(asha.page.locator('[data-name="notice"]')).to_contain_text("New sign-in: tiki")
        picture(asha, "sessions")
        asha.press(asha.texts["notices.not_me"])
        expect(asha.page.locator('[data-name="notice"]')).to_have_count(0)
        expect(asha.page.locator('[data-name="sessions"] li')).to_have_count(1)
        assert thief.get("/v1/me").status_code == 401
    with elsewhere(asha):
        asha.go("home")
        expect(asha.page.locator('[data-name="notices"]')).to_have_count(0)
        asha.go("sessions")
        asha.press(asha.texts["notices.was_me"])
        expect(asha.page.locator('[data-name="notice"]')).to_have_count(0)
        expect(asha.page.locator('[data-name="sessions"] li')).to_have_count(2)


def test_an_order_without_an_answer_stays_unknown_until_a_new_session_asks(shared: MakePhone) -> None:
    asha, ben = shared("asha"), shared("ben")
    ashas, bens = asha.have(online_minor=300), ben.minor()

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    asha.context.route("**/v1/transfers", lose_the_answer)
    asha.go(f"send/{ben.name}")
    asha.page.get_by_label("Amount").fill("3.00")
    asha.press("Continue")
    asha.page.locator('[data-name="confirm"]').click()
    asha.press("Send now")
    asha.verdict("unknown")
    # The wallet asks again by itself every few seconds.
    with asha.page.expect_response(REFRESH) as refused:
        with elsewhere(asha) as other:
            assert other.delete("/v1/sessions/others").status_code == 204
        asha.context.unroute("**/v1/transfers")
    assert refused.value.status == 401
    expect(asha.verdict("unknown")).to_contain_text("Your session has ended.")
    picture(asha, "order")
    order = asha.page.url
    asha.press(asha.texts["sign_in"])
    asha.page.get_by_label("Password").fill(PASSWORD)
    late: list[Route] = []

    def answer_later(route: Route) -> None:
        late.append(route)

    asha.context.route("**/v1/sessions", answer_later)
    with asha.page.expect_request("**/v1/sessions"):
        asha.page.get_by_role("button", name="Sign in").click()
    # Whoever goes on meanwhile isn't taken away from there by the answer.
    asha.page.goto(order)
    expect(asha.verdict("unknown")).to_contain_text("Your session has ended.")
    late.pop().continue_()
    asha.verdict("paid")
    assert asha.page.url == order
    asha.sync()
    ben.sync()
    assert asha.minor() == (ashas.online_minor - 300, ashas.offline_minor)
    assert ben.minor() == (bens.online_minor + 300, bens.offline_minor)
