"""Money that was received offline is given back with no network, all of it or part, and the payer's phone knows it."""

from collections.abc import Callable

from playwright.sync_api import expect

from browser.phones import Phone
from browser.server import Server

MakePhone = Callable[[str], Phone]


def begin(who: Phone) -> None:
    """Go to where the newest payment received is given back."""
    who.go("home")
    who.page.locator("section", has_text="Newest").locator(".row", has_text="From").first.click()
    who.press("Give back")


def give_back(who: Phone, amount: str) -> str:
    """Give back part of the newest payment received; return the refund's code."""
    begin(who)
    who.page.get_by_label("Amount").fill(amount)
    who.press("Give it back")
    return who.code("Payment code")


def test_part_of_a_payment_goes_back_and_the_rest_stays(
    shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben = shared("asha"), shared("ben")
    ashas, bens = asha.have(offline_minor=600), ben.minor()
    without_network()
    asha.finish(ben.accept(asha.pay(ben.ask("6.00"))))
    refund = give_back(ben, "2.00")
    assert ben.minor().offline_minor == bens.offline_minor + 400
    ben.show_payment()
    assert ben.code("Payment code") == refund  # asked for again, shown again: never signed twice
    asha.go("pay")
    asha.enter(refund)
    expect(asha.verdict("risk")).to_contain_text(f"{ben.name} gives back what you paid")
    asha.press("Accept")
    receipt = asha.code("Receipt code")
    ben.press("Scan the receipt")
    ben.enter(receipt)
    ben.verdict("received")
    assert asha.minor().offline_minor == ashas.offline_minor - 400
    assert ben.minor().offline_minor == bens.offline_minor + 400
    second = give_back(ben, "4.00")  # the rest: another refund of the same payment
    asha.go("pay")
    asha.enter(second)
    asha.press("Accept")
    asha.code("Receipt code")
    server.start()
    for each in (asha, ben):
        each.sync()
    assert (asha.minor(), ben.minor()) == (ashas, bens)


def test_more_than_is_left_of_a_payment_is_not_given_back(shared: MakePhone) -> None:
    asha, ben = shared("asha"), shared("ben")
    asha.have(offline_minor=600)
    before = ben.minor()
    asha.finish(ben.accept(asha.pay(ben.ask("6.00"))))
    begin(ben)
    ben.page.get_by_label("Amount").fill("6.01")
    ben.press("Give it back")
    expect(ben.page.locator('[data-code="not_enough_offline_money"]')).to_be_visible()
    assert ben.minor() == (before.online_minor, before.offline_minor + 600)


def test_a_refund_for_somebody_else_is_no_business_of_mine(shared: MakePhone) -> None:
    asha, ben, chi = (shared(name) for name in ("asha", "ben", "chi"))
    asha.have(offline_minor=600)
    asha.finish(ben.accept(asha.pay(ben.ask("6.00"))))
    refund = give_back(ben, "6.00")
    chi.go("pay")
    chi.enter(refund)
    expect(chi.page.locator('[data-code="not_a_request"]')).to_be_visible()
