"""A walk through every screen of the wallet, for whoever has to look at all of them: accessibility, room, pictures.

The list of screens is the app's own (`screens.js`). Screens that need something to have happened come up in a short
story of two people; every other one is opened by its address. A screen that the story does not reach and that leads
elsewhere when it is opened fails the walk: it has to be given its place in the story.
"""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from browser.phones import Phone
from browser.server import ROOT

TABLE = ROOT / "src" / "tikiwallet" / "web" / "screens.js"
Look = Callable[[Phone, str], None]


def all_screens() -> list[str]:
    """Return the names of the app's screens, in the order of its table."""
    return re.findall(r'^  "?([a-z-]+)"?: async \(\) =>', TABLE.read_text(), re.MULTILINE)


class Tour:
    """One walk; `look` is called on each screen with the phone that shows it and the screen's name."""

    def __init__(self, asha: Phone, ben: Phone, look: Look) -> None:
        self.asha = asha
        self.ben = ben
        self._look = look
        self.seen: list[str] = []

    def walk(self) -> None:
        """Go through every screen. Both phones must be new, with nobody signed up."""
        self._sign_up()
        self._pay()
        self._refuse()
        self._pay_online()
        self._ask()
        self._withdraw()
        self._settings()
        for name in all_screens():
            if name not in self.seen:
                self.asha.go(name)
                self._stop(self.asha, name)
        assert sorted(self.seen) == sorted(all_screens())

    def _stop(self, phone: Phone, name: str) -> None:
        shown = phone.page.locator("h1")
        shown.wait_for()
        # Whatever comes from the server or the camera has come, so that two walks see the same.
        expect(phone.page.locator('[aria-busy="true"], .late')).to_have_count(0)
        assert re.search(rf"#/{name}(/|$)", phone.page.url), f"{name} leads to {phone.page.url}: give it a place here"
        self._look(phone, name)
        self.seen.append(name)

    def _sign_up(self) -> None:
        asha = self.asha
        asha.go("welcome")
        self._stop(asha, "welcome")
        asha.go("sign-in")
        self._stop(asha, "sign-in")
        asha.go("sign-up")
        self._stop(asha, "sign-up")
        asha.begin_sign_up()
        self._stop(asha, "code")
        asha.end_sign_up()
        self.ben.sign_up()
        asha.fund(offline="15.00")

    def _pay(self) -> None:
        asha, ben = self.asha, self.ben
        request = ben.ask("7.50")
        self._stop(ben, "asked")
        ben.press("Scan the payment")
        self._stop(ben, "scan-payment")
        ben.page.go_back()
        asha.go("pay")
        self._stop(asha, "pay")
        asha.enter(request)
        asha.page.locator('[data-name="payee"]').wait_for()
        self._stop(asha, "confirm")
        asha.press("Pay")
        payment = asha.code("Payment code")
        self._stop(asha, "paid")
        ben.take(payment)
        ben.verdict("risk")
        self._stop(ben, "verdict")
        ben.press("Accept")
        receipt = ben.code("Receipt code")
        self._stop(ben, "received")
        ben.press("Give back")
        self._stop(ben, "give-back")
        ben.page.go_back()
        ben.code("Receipt code")
        asha.press("Scan the receipt")
        self._stop(asha, "scan-receipt")
        asha.enter(receipt)
        asha.verdict("received")
        asha.wait_until_synced()
        self._stop(asha, "home")

    def _refuse(self) -> None:
        payment = self.asha.pay(self.ben.ask("2.00"))
        self.ben.take(payment)
        self.ben.verdict("risk")
        self.ben.press("Refuse")
        self.ben.code("Refusal code")
        self._stop(self.ben, "refused")

    def _pay_online(self) -> None:
        asha, ben = self.asha, self.ben
        asha.go(f"send/{ben.name}")
        asha.page.locator('[data-name="payee-phone"]').wait_for()
        self._stop(asha, "send")
        asha.page.get_by_label("Amount").fill("4.50")
        asha.press("Continue")
        asha.page.locator('[data-name="confirm"]').wait_for()
        self._stop(asha, "confirm-order")
        asha.page.locator('[data-name="confirm"]').click()
        asha.page.locator('[role="timer"]').wait_for()
        self._stop(asha, "order")
        asha.press("Send now")
        asha.verdict("paid")
        asha.press("Where is my money?")
        asha.page.locator(".timeline").wait_for()
        self._stop(asha, "payment")
        asha.go(f"person/{ben.name}")
        self._stop(asha, "person")
        for each in (asha, ben):
            each.reconnect()
        request = ben.ask("1.00")
        ben.page.locator('[data-name="announced"]').wait_for()
        asha.go("pay")
        asha.enter(request)
        asha.page.locator('[data-name="confirm"]').click()
        asha.press("Send now")
        ben.verdict("final")
        self._stop(ben, "paid-online")

    def _ask(self) -> None:
        self.ben.go(f"ask/{self.asha.name}")
        self.ben.page.locator('[data-name="payee-phone"]').wait_for()
        self._stop(self.ben, "ask")
        self.ben.page.get_by_label("Amount").fill("5")
        self.ben.press("Ask now")
        self.ben.page.locator("[data-state]").wait_for()
        self.asha.sync()
        self.asha.go("requests")
        self._stop(self.asha, "requests")
        self.asha.page.locator(".list button").first.click()
        self.asha.page.locator("[data-state]").wait_for()
        self._stop(self.asha, "request")

    def _withdraw(self) -> None:
        self.asha.go("withdraw")
        self._stop(self.asha, "withdraw")
        self.asha.page.get_by_label("Amount").fill("5")
        self.asha.press("Withdraw now")
        self.asha.page.locator('[data-state="settled"]').wait_for()
        self._stop(self.asha, "operation")

    def _settings(self) -> None:
        self.asha.go("phones")
        self._stop(self.asha, "phones")
        self.asha.page.locator('[data-name="phones"] a').first.click()
        self.asha.page.locator('[data-name="payable"]').wait_for()
        self._stop(self.asha, "phone")
