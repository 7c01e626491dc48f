"""Money moves between online and this phone: all or part of it, by itself if wanted, and back."""

import time
from collections.abc import Callable

from playwright.sync_api import expect

from browser.phones import Phone
from browser.server import Server

MakePhone = Callable[[str], Phone]


def keep(who: Phone, amount: str) -> None:
    who.go("keep")
    who.page.get_by_label("Amount").fill(amount)
    who.press("Keep this amount")
    expect(who.page.locator('[data-name="wanted"]')).to_have_text(f"${amount}")


def test_all_of_it_goes_to_the_phone_and_back_with_its_date(phone: MakePhone) -> None:
    asha = phone("asha")
    asha.fund(offline="5.00")
    asha.go("move")
    asha.page.locator('[data-name="all"]').click()
    expect(asha.page.get_by_label("Amount")).to_have_value("20.00")  # as much as one voucher may hold
    asha.press("Move to this phone")
    expect(asha.page.locator('.hero [data-name="offline"]')).to_have_text("$25.00")
    asha.go("move")
    asha.page.locator('[data-name="unload"]').click()
    expect(asha.page.locator('[data-name="at-once"]')).to_have_text("$0.00")  # only a phone number is known of her
    asha.page.locator('[data-name="all"]').click()
    asha.press("Move back online")
    asha.page.locator(".hero").wait_for()
    assert asha.money() == {"online": "$25.00", "offline": "$0.00"}
    asha.go("move")
    coming = asha.page.locator(".row", has_text="Offline money coming home")
    expect(coming).to_have_count(2)
    expect(coming.first).to_contain_text("by ")


def test_more_than_there_is_stays_where_it_is_with_a_sentence(shared: MakePhone) -> None:
    asha = shared("asha")
    before = asha.have(online_minor=2100)
    asha.go("move")
    asha.page.get_by_label("Amount").fill("21")
    asha.press("Move to this phone")
    expect(asha.page.locator('[data-code="voucher_above_limit"]')).to_be_visible()
    asha.page.locator('[data-name="unload"]').click()
    asha.page.get_by_label("Amount").fill(f"{before.offline_minor / 100 + 1:.2f}")
    asha.press("Move back online")
    expect(asha.page.locator('[data-code="not_enough_offline_money"]')).to_be_visible()
    assert asha.minor() == before


def test_money_is_kept_on_the_phone_at_each_sync(phone: MakePhone, shared: MakePhone) -> None:
    asha, ben = phone("asha"), shared("ben")
    asha.fund(offline="5.00")
    keep(asha, "8.00")
    expect(asha.page.locator('[data-name="kept"]')).to_contain_text("$3.00 was moved to this phone.")
    assert asha.money() == {"online": "$42.00", "offline": "$8.00"}
    asha.finish(ben.accept(asha.pay(ben.ask("2.00"))))
    asha.sync()
    assert asha.money() == {"online": "$40.00", "offline": "$8.00"}
    asha.sync()
    assert asha.money() == {"online": "$40.00", "offline": "$8.00"}
    asha.go("keep")
    asha.page.locator('[data-name="stop-keeping"]').click()
    expect(asha.page.locator('[data-name="wanted"]')).to_have_text("off")


def test_what_could_not_be_kept_is_said_with_the_reason(phone: MakePhone) -> None:
    asha = phone("asha")
    keep(asha, "8.00")
    said = asha.page.locator('[data-code="insufficient_funds"]')
    expect(said).to_contain_text("nothing was moved.")
    assert asha.money() == {"online": "$0.00", "offline": "$0.00"}


def test_payments_are_brought_by_themselves_once_there_is_a_network(
    phone: MakePhone, shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben = shared("asha"), phone("ben")
    asha.have(offline_minor=200)
    ben.page.clock.install()
    ben.reopen()
    without_network()
    ben.accept(asha.pay(ben.ask("2.00")))
    ben.go("sync")
    expect(ben.page.locator('[data-name="waiting"]')).to_have_text("1")
    ben.page.clock.pause_at(time.time() + 60)  # no try is under way when the server comes back
    expect(ben.page.get_by_text("The server cannot be reached.")).to_be_visible()
    server.start()
    ben.page.clock.run_for(300_000)  # nobody presses anything; the longest pause between two tries goes by
    expect(ben.page.locator('[data-name="waiting"]')).to_have_text("0")
