"""Settings: the PIN, the sessions, the phones, what the phone keeps, and signing out."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from browser.phones import READ_FACT, Phone
from browser.server import Server
from world import PASSWORD

MakePhone = Callable[[str], Phone]
# What the page hears when it is covered by another app, or is back.
SEEN = """(state) => {
  Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
IPHONE_TAB = "Object.defineProperty(Navigator.prototype, 'standalone', { get: () => false });"


def set_pin(who: Phone, pin: str) -> None:
    who.go("pin")
    who.page.get_by_label("New PIN").fill(pin)
    who.page.get_by_label("The same again").fill(pin)
    who.press("Set the PIN")
    who.page.get_by_role("heading", name="Settings").wait_for()


def give_pin(who: Phone, pin: str) -> None:
    who.page.get_by_label("PIN", exact=True).fill(pin)
    who.press("Unlock")


def another_phone_of(who: Phone, browser: Browser, server: Server) -> Phone:
    other = Phone(browser, server, who.name, is_installed=False)
    other.page.get_by_role("link", name="Sign in").click()
    other.give_password(who.number)
    other.number = who.number
    other.give_second_proof()
    other.wait_until_synced()
    return other


def test_the_pin_guards_paying_and_balances_and_not_getting_paid(shared: MakePhone) -> None:
    asha, ben = shared("asha"), shared("ben")
    before = asha.have(offline_minor=600)
    set_pin(asha, "2580")
    asha.reopen()
    assert asha.money() == {"online": "••••", "offline": "••••"}
    for screen in ("pay", "move", "top-up", "history", "export", "phones", "pin"):
        asha.go(screen)
        expect(asha.page.get_by_role("heading", name="Locked")).to_be_visible()
    assert asha.ask("1.00").startswith("TK1:")  # at the counter, nobody has to type
    request = ben.ask("6.00")
    asha.go("pay")
    give_pin(asha, "2581")
    expect(asha.page.locator('[data-code="pin_wrong"]')).to_be_visible()
    give_pin(asha, "2580")
    asha.enter(request)
    asha.press("Pay")
    asha.code("Payment code")
    assert asha.minor() == (before.online_minor, before.offline_minor - 600)
    kept = asha.page.evaluate(READ_FACT, "pin")
    assert (kept["tries"], kept["wait_seconds"]) == (0, 0)
    assert "2580" not in str(kept)
    asha.go("pin")
    asha.press("Remove the PIN")
    asha.page.get_by_role("heading", name="Settings").wait_for()


def test_wrong_pins_cost_time_that_grows_and_no_clock_or_restart_shortens_it(phone: MakePhone) -> None:
    asha = phone("asha")
    set_pin(asha, "2580")
    asha.page.clock.install()
    asha.reopen()
    asha.page.clock.install()
    asha.go("unlock")

    def left() -> int:
        return int(re.findall(r"\d+", asha.page.locator('[data-name="wait"]').inner_text())[-1])

    for wrong in ("0000", "1111", "2222"):
        give_pin(asha, wrong)
        expect(asha.page.get_by_label("PIN", exact=True)).to_have_value("")
    assert left() == 30
    asha.page.get_by_label("PIN", exact=True).fill("2580")
    expect(asha.page.get_by_role("button", name="Unlock")).to_be_disabled()
    asha.page.clock.set_system_time(datetime.now(UTC) + timedelta(days=1))  # the clock is set ahead
    assert left() >= 29
    asha.reopen()  # the app is killed
    asha.go("unlock")
    assert left() >= 29
    asha.page.clock.install()
    asha.reopen()
    assert left() >= 29  # it is on the screen, and so it counts
    asha.page.clock.run_for(32_000)  # the wallet is open for as long
    expect(asha.page.locator('[data-name="wait"]')).to_be_hidden()
    give_pin(asha, "3333")
    expect(asha.page.locator('[data-name="wait"]')).to_contain_text("60")


def test_a_wallet_out_of_sight_for_a_minute_is_locked_again(phone: MakePhone) -> None:
    asha = phone("asha")
    set_pin(asha, "2580")
    asha.page.clock.install()
    for seconds, title in ((59, "History"), (61, "Locked")):
        asha.page.evaluate(SEEN, "hidden")
        asha.page.clock.fast_forward(seconds * 1000)
        asha.page.evaluate(SEEN, "visible")
        asha.go("home")
        asha.go("history")
        expect(asha.page.get_by_role("heading", name=title, exact=True)).to_be_visible()


def test_a_forgotten_pin_is_removed_with_the_password(shared: MakePhone) -> None:
    asha = shared("asha")
    has = asha.money()
    set_pin(asha, "2580")
    asha.reopen()
    asha.go("move")
    asha.press("I forgot my PIN")
    asha.page.get_by_label("Password").fill("not my password")
    asha.press("Remove the PIN")
    expect(asha.page.locator('[data-code="credentials_wrong"]')).to_be_visible()
    asha.page.get_by_label("Password").fill(PASSWORD)
    asha.press("Remove the PIN")
    expect(asha.page.locator('.hero [data-name="online"]')).to_have_text(has["online"])
    asha.go("move")
    expect(asha.page.get_by_label("Amount")).to_be_visible()


def test_no_script_reads_the_session_and_one_left_without_a_network_is_ended_later(
    shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben = shared("asha"), shared("ben")
    cookies = asha.context.cookies()
    assert {cookie["name"] for cookie in cookies} == {"tikiwallet", "tikiwallet-refresh", "tikiwallet-device"}
    assert {(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies} == {(True, "Strict")}
    assert asha.page.evaluate("document.cookie") == ""
    assert list(asha.page.evaluate(READ_FACT, "session")) == ["expires_at", "refresh_at"]
    without_network()
    asha.go("sign-out")
    asha.page.locator('[data-name="sign-out"]').click()
    expect(asha.page.get_by_label("Password")).to_be_visible()
    assert asha.context.cookies() == cookies  # only the server can take it away
    server.start()
    asha.context.clear_cookies(name="tikiwallet")  # its token has run out meanwhile, and it is ended all the same
    with asha.page.expect_response(lambda said: "/v1/sessions/current" in said.url and said.status == 204):
        asha.page.reload()
    assert [cookie["name"] for cookie in asha.context.cookies()] == ["tikiwallet-device"]  # it stays known
    ben.sync()  # his own is as it was
    asha.go("sign-in")
    asha.give_password()
    asha.wait_until_synced()


def test_sessions_are_listed_and_the_others_ended(phone: MakePhone, server: Server, browser: Browser) -> None:
    asha = phone("asha")
    other = another_phone_of(asha, browser, server)
    asha.go("sessions")
    items = asha.page.locator('[data-name="sessions"] li')
    expect(items).to_have_count(2)
    expect(items.filter(has_text="this one")).to_have_count(1)
    asha.press("End")
    expect(items).to_have_count(1)
    expect(asha.page.get_by_text("You are signed in here only.")).to_be_visible()
    other.go("sync")
    other.page.locator('[data-name="sync"]').click()
    expect(other.page.get_by_text("Your session has ended.")).to_be_visible()
    other.context.close()


def test_a_lost_phone_is_blocked_from_another_one(
    phone: MakePhone, shared: MakePhone, server: Server, browser: Browser
) -> None:
    asha, ben = phone("asha"), shared("ben")
    asha.fund(offline="15.00")
    ben.accept(asha.pay(ben.ask("6.00")))
    ben.sync()
    at_home = another_phone_of(asha, browser, server)
    at_home.go("phones")
    items = at_home.page.locator('[data-name="phones"] li')
    expect(items).to_have_count(2)
    items.filter(has_not_text="this phone").get_by_role("link").click()
    expect(at_home.page.locator('[data-name="payable"]')).to_have_text("$9.00")
    expect(at_home.page.get_by_text("Who finds it and can open it can pay up to $9.00")).to_be_visible()
    at_home.press("Block this phone")
    expect(at_home.page.locator('[data-name="blocked"]')).to_be_visible()
    asha.go("sync")  # it is found again
    asha.page.locator('[data-name="sync"]').click()
    asha.page.get_by_text("Your session has ended.").wait_for()
    asha.go("sign-in")
    asha.give_password()
    asha.page.locator(".hero").wait_for()
    asha.go("sync")
    asha.page.get_by_text("This phone was taken off your list.").wait_for()
    asha.sync()
    assert asha.money()["offline"] == "$0.00"
    at_home.context.close()


def test_signing_out_brings_what_is_waiting_first_and_never_drops_it(
    shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben = shared("asha"), shared("ben")
    asha.have(offline_minor=600)
    ben.sync()
    before = ben.minor()
    without_network()
    payment = asha.pay(ben.ask("6.00"))
    ben.accept(payment)
    ben.go("sign-out")
    expect(ben.page.locator('[data-name="unseen"]')).to_have_text("1")
    ben.page.locator('[data-name="bring-first"]').click()
    expect(ben.page.locator('[data-name="bring-first"]')).to_be_enabled()  # no network: still signed in, still waiting
    ben.page.locator('[data-name="sign-out"]').click()
    expect(ben.page.get_by_label("Password")).to_be_visible()
    server.start()
    ben.give_password(asha.number)  # somebody else, on this phone
    own, ben.number = ben.number, asha.number
    ben.give_second_proof()
    ben.number = own
    expect(ben.page.locator('[data-code="wallet_of_another"]')).to_be_visible()
    assert ben.minor().offline_minor == before.offline_minor + 600
    ben.go("sign-in")
    ben.give_password()
    ben.page.locator(".hero").wait_for()
    ben.sync()
    assert ben.minor() == (before.online_minor, before.offline_minor + 600)


def test_storage_says_what_is_kept_and_what_went_over_the_network(shared: MakePhone) -> None:
    asha = shared("asha")
    asha.go("storage")
    expect(asha.page.locator('[data-name="kept"]')).to_have_text("may be cleared")
    before = asha.page.evaluate(READ_FACT, "data_used")
    asha.sync()
    after = asha.page.evaluate(READ_FACT, "data_used")
    assert after["sent_bytes"] > before["sent_bytes"]
    assert after["received_bytes"] > before["received_bytes"]
    asha.go("storage")
    expect(asha.page.locator('[data-name="received"]')).to_have_text(re.compile(r"^[\d,.]+ (kB|MB)$"))


def test_a_tab_that_the_system_empties_takes_money_and_loads_none(browser: Browser, server: Server) -> None:
    asha = Phone(browser, server, "asha_in_a_tab", before=IPHONE_TAB, is_installed=False)
    asha.sign_up()
    asha.go("move")
    expect(asha.page.get_by_text("Put the wallet on the home screen first.")).to_be_visible()
    expect(asha.page.get_by_role("button", name="Move to this phone")).to_be_hidden()
    assert asha.ask("1.00").startswith("TK1:")
    asha.check()
    asha.context.close()


@pytest.mark.parametrize("topic", ["protected", "lost", "refused", "operator", "pin", "install"])
def test_every_question_has_a_page(server_page: Phone, topic: str) -> None:
    server_page.go("help")
    server_page.page.locator(f'a[href="#/help/{topic}"]').click()
    expect(server_page.page.locator("article.help p").nth(1)).to_be_visible()


@pytest.fixture(scope="module")
def server_page(browser: Browser, server: Server) -> Phone:
    """A phone of a stranger: help is for everybody."""
    return Phone(browser, server, "a_stranger", is_installed=False)
