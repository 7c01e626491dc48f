"""Every step of the exchange interrupted in turn, in every way: nothing is lost, nothing is doubled.

The money of both is counted as the operator counts it, all of it: online, offline, final, provisional, underway.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from browser.phones import READ_FACT, Phone
from browser.server import Server

STEPS = ["asked", "paid", "judged", "received", "refused"]
PRICE_MINOR = 100


class Exchange:
    """One payment of 1.00 from Asha to Ben, as far as it got, with the codes that were on the screens."""

    def __init__(self, asha: Phone, ben: Phone) -> None:
        self.asha, self.ben = asha, ben
        self.request = self.payment = self.answer = ""

    def play(self, step: str) -> None:
        """Go on until a step's code or verdict is on the screen."""
        self.request = self.ben.ask("1.00")
        if step == "asked":
            return
        self.payment = self.asha.pay(self.request)
        if step == "paid":
            return
        self.ben.take(self.payment)
        self.ben.verdict("risk")
        if step == "received":
            self.ben.press("Accept")
            self.answer = self.ben.code("Receipt code")
        elif step == "refused":
            self.ben.press("Refuse")
            self.answer = self.ben.code("Refusal code")

    def finish(self, step: str) -> None:
        """Go on to the end after an interruption, from what both can still see."""
        if step == "asked":
            assert self.asha.pay(self.request) != ""
            self.payment = self.asha.code("Payment code")
        if not self.answer:
            self.ben.show_request()
            self.ben.take(self.payment)
            self.ben.press("Accept")
            self.answer = self.ben.code("Receipt code")
        self.asha.show_payment()
        self.asha.press("Scan the receipt")
        self.asha.enter(self.answer)
        self.asha.verdict("refused" if step == "refused" else "received")


def total_minor(who: Phone) -> int:
    """All money of somebody, as the operator told it at the last sync."""
    who.sync()
    view: dict[str, Any] = who.page.evaluate(READ_FACT, "money")
    return sum(item["amount_minor"] for part in SUMS for item in view[part])


SUMS = ("online", "offline", "final", "provisional", "underway")


@dataclass
class Pair:
    """Two phones that outlive their interruptions, and what the operator should say that each has, in minor units."""

    asha: Phone
    ben: Phone
    minor: tuple[int, int]


@pytest.fixture(scope="module")
def pair(browser: Browser, server: Server) -> Iterator[Pair]:
    """Asha with 20.00 of her 50.00 on her phone, and Ben."""
    asha, ben = (Phone(browser, server, f"{name}_of_every_step", is_installed=False) for name in ("asha", "ben"))
    for each in (asha, ben):
        each.sign_up()
    asha.fund(offline="20.00")
    yield Pair(asha, ben, (5000, 0))
    for each in (asha, ben):
        each.check()
        each.context.close()


def kill_and_reload(exchange: Exchange) -> None:
    """Both tabs are killed, and what is opened again is reloaded on top."""
    for each in (exchange.asha, exchange.ben):
        each.reopen()
        each.page.reload()
        each.page.locator("html[data-ready]").wait_for()


def show_twice(exchange: Exchange) -> None:
    """Whoever read the last code reads it again."""
    if exchange.payment:
        exchange.asha.go("pay")
        exchange.asha.enter(exchange.request)
        assert exchange.asha.code("Payment code") == exchange.payment
    if exchange.answer:
        exchange.ben.ask("2.00")
        exchange.ben.take(exchange.payment)
        assert exchange.ben.code("Re") == exchange.answer  # the receipt, or the refusal


@pytest.mark.parametrize("interrupt", [kill_and_reload, show_twice])
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_step_is_gone_on_with(pair: Pair, step: str, interrupt: Callable[[Exchange], None]) -> None:
    exchange = Exchange(pair.asha, pair.ben)
    exchange.play(step)
    interrupt(exchange)
    exchange.finish(step)
    moved_minor = 0 if step == "refused" else PRICE_MINOR
    pair.minor = (pair.minor[0] - moved_minor, pair.minor[1] + moved_minor)
    assert (total_minor(pair.asha), total_minor(pair.ben)) == pair.minor


@pytest.mark.parametrize("side", ["payer", "payee"])
def test_a_phone_wiped_at_any_step_loses_and_doubles_nothing(shared: Callable[[str], Phone], side: str) -> None:
    asha, ben = shared("asha"), shared("ben")
    asha.have(online_minor=600)  # a wiped phone keeps nothing
    ashas_minor, bens_minor = total_minor(asha), total_minor(ben)
    moved_minor = 0
    for step in STEPS[1:4]:  # a request alone moves nothing
        if asha.minor().offline_minor < PRICE_MINOR:
            asha.load("2.00")
        exchange = Exchange(asha, ben)
        exchange.play(step)
        wiped = asha if side == "payer" else ben
        wiped.wipe()
        wiped.sign_in()
        if side == "payer" and step != "received":
            # Her phone forgot the payment; its code is still on Ben's screen or in his camera.
            ben.show_request()
            ben.take(exchange.payment)
            ben.press("Accept")
            ben.code("Receipt code")
        moved_minor += PRICE_MINOR  # any copy is enough
        # Whoever still has the payment brings it, and it is news to the other's next sync.
        expected = {asha: ashas_minor - moved_minor, ben: bens_minor + moved_minor}
        bringing, other = (ben, asha) if side == "payer" else (asha, ben)
        assert [total_minor(each) for each in (bringing, other)] == [expected[bringing], expected[other]]


def test_a_stale_code_in_view_disturbs_nobody(shared: Callable[[str], Phone]) -> None:
    asha, ben = shared("asha"), shared("ben")
    ashas, bens = asha.have(offline_minor=113), ben.minor()
    asha.look_at(ben)
    ben.look_at(asha)
    ben.ask("1.13")
    asha.go("pay")
    asha.press("Pay")
    asha.code("Payment code")
    asha.press("Scan the receipt")  # Ben's screen still shows the request
    asha.page.locator(".viewfinder").wait_for()
    ben.ask("3.00")  # and then another one
    expect(asha.page.locator("[data-code]")).to_have_count(0)
    asha.page.go_back()
    ben.go("home")
    ben.page.locator("section .row", has_text="Your request").filter(has_text="1.13").first.click()
    ben.press("Scan the payment")
    ben.verdict("risk")
    ben.press("Accept")
    ben.code("Receipt code")
    asha.press("Scan the receipt")
    asha.verdict("received")
    assert asha.minor().offline_minor == ashas.offline_minor - 113
    assert ben.minor().offline_minor == bens.offline_minor + 113
