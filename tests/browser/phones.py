"""A phone as a test holds it: a browser context with its own storage, a camera, and a person who taps."""

import base64
import json
import re
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import httpx
import urllib3
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from browser import optics
from browser.server import ROOT, Server
from world import PASSWORD

SCREEN = {"width": 412, "height": 860}
# What the browser itself writes when nobody answers, or when the answer is a no, which the screen says.
NETWORK_REMARK = re.compile(
    r"responded with a status of 4\d\d|Failed to load resource: net::ERR_|Failed to fetch|service worker|ERR_CONNECTION"
)
SHOWN_CODES = "/v1/shown-requests"
LOCALES = ROOT / "src" / "tikiwallet" / "web" / "locales"
LOCALE_OF = {"en": "en-US"}
TOP_UP_MINOR = 50_00
VOUCHER_MINOR = 20_00  # one voucher holds no more
# An operator lets a person have eight vouchers and five phones at a time. A test may use up some of them.
LOADS_BEFORE_WORN = 5
WIPES_BEFORE_WORN = 2
_numbers = count(1)
# What the wallet remembers under a name, read beside the wallet.
READ_FACT = """(name) => new Promise((resolve) => {
  indexedDB.open("tikiwallet").onsuccess = ({ target: { result: db } }) => {
    db.transaction("facts").objectStore("facts").get(name).onsuccess = (event) => {
      db.close();
      resolve(event.target.result?.value ?? null);
    };
  };
})"""

LOOK_AGAIN_MS = 30
# As Playwright means it: one such thing, in a box that isn't empty, and not hidden.
IS_SHOWN = """(selector) => {
  const [found, another] = document.querySelectorAll(selector);
  if (!found || another) return false;
  const { width, height } = found.getBoundingClientRect();
  return width > 0 && height > 0 && found.checkVisibility({ visibilityProperty: true });
}"""
TOP_UP = """async (order) => {
  const headers = {
    "content-type": "application/json", "idempotency-key": crypto.randomUUID(), "tikiwallet-client": "web",
  };
  const answer = await fetch("/v1/top-ups", { method: "POST", headers, body: JSON.stringify(order) });
  dispatchEvent(new Event("online"));
  return answer.status;
}"""
# What the operator says that there is online, in minor units; null without an answer.
ASK_ONLINE_MINOR = """async () => {
  const answer = await fetch("/v1/offline/money", { headers: { "tikiwallet-client": "web" } });
  return answer.ok ? (await answer.json()).online.reduce((sum, { amount_minor }) => sum + amount_minor, 0) : null;
}"""


class Money(NamedTuple):
    """What a home screen says, in minor units."""

    online_minor: int
    offline_minor: int


class Phone:
    """One person with one phone. One that is not installed keeps no app for times without a server."""

    def __init__(
        self,
        browser: Browser,
        server: Server,
        name: str,
        *,
        has_own_camera: bool = False,
        language: str = "en",
        before: str = "",
        is_installed: bool = True,
    ) -> None:
        self.server = server
        self.name = name
        self.number = f"+65912{next(_numbers):05d}"
        self.complaints: list[str] = []
        self.loads = self.wipes = 0
        self.texts: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text())
        self.context: BrowserContext = browser.new_context(
            viewport=SCREEN,
            device_scale_factor=2,
            reduced_motion="reduce",
            locale=LOCALE_OF.get(language, language),
        )
        self._is_installed = is_installed
        self.context.set_default_timeout(15_000)
        self._looks_at: Callable[[], Locator] | None = None
        self._seed = count(1)
        if not has_own_camera:
            self.context.expose_binding("__whatTheCameraSees", lambda _: self._picture())
            self.context.add_init_script(optics.FAKE_CAMERA)
        self._is_cut_off = True  # most tests are of payments by code; those of online payments let it through
        if not is_installed:
            self.context.add_init_script("delete Navigator.prototype.serviceWorker")
        if before:
            self.context.add_init_script(before)
        self.page = self._open()

    def _open(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self._hear(said.type, said.text, said.location["url"]))
        self._network = self.context.new_cdp_session(page)
        self._network.send("Network.enable")
        self._block()
        page.goto(self.server.address)
        page.locator("html[data-ready]").wait_for()
        return page

    def _hear(self, kind: str, text: str, source: str) -> None:
        # The server doesn't know a code that was shown while the phone was cut off: an answer like any other.
        if kind == "error" and not (SHOWN_CODES in source and "status of 404" in text):
            self.complaints.append(text)

    def check(self) -> None:
        """No error was met that isn't only the network's absence."""
        complaints = [said for said in self.complaints if not NETWORK_REMARK.search(said)]
        assert not complaints, (self.name, complaints)

    def forgive(self, remark: str) -> None:
        """Take an error off the list that the test provoked; it must have been met."""
        assert any(remark in said for said in self.complaints), self.complaints
        self.complaints = [said for said in self.complaints if remark not in said]

    def _picture(self) -> str | None:
        if self._looks_at is None:
            return None
        try:
            screen = self._looks_at().screenshot(timeout=1000)
        except Exception:  # the other phone shows no code at the moment
            return None
        return base64.b64encode(optics.jpeg(optics.seen(screen, seed=next(self._seed)))).decode()

    # What a person does

    def sign_up(self) -> None:
        """Open a wallet from the code on, and wait until it is ready to work without a network."""
        order = {"phone": self.number, "username": self.name, "password": PASSWORD}
        # Not by httpx: it reads all certificates first, 50 ms of each of 130 sign-ups.
        answer = urllib3.request("POST", f"{self.server.address}v1/registrations", json=order)
        assert answer.status == 202, answer.data
        self.go(f"code/{answer.json()['registration_id']}")
        self.end_sign_up()

    def begin_sign_up(self) -> None:
        """Say who one is, up to the code from the text message."""
        page = self.page
        page.get_by_label(self.texts["phone"]).fill(self.number)
        page.get_by_label(self.texts["username"]).fill(self.name)
        page.get_by_label(self.texts["password"]).fill(PASSWORD)
        page.get_by_role("button", name=self.texts["continue"]).click()
        page.get_by_label(self.texts["code"]).wait_for()

    def end_sign_up(self) -> None:
        """Give the code, and wait until the wallet is ready to work without a network."""
        self.page.get_by_label(self.texts["code"]).fill(self.server.code_sent_to(self.number))
        self.page.get_by_role("button", name=self.texts["open_wallet"]).click()
        self.see(".status.online")
        if self._is_installed:
            self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def sign_in(self) -> None:
        """Sign in again, on a phone that forgot everything."""
        self.page.get_by_role("link", name="Sign in").click()
        self.give_password()
        self.wait_until_synced()

    def give_password(self, number: str | None = None) -> None:
        """Say whose wallet is opened, one's own if nothing else is said, and give the password."""
        self.page.get_by_label("Phone number").fill(number or self.number)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def give_second_proof(self) -> None:
        """Have a code sent, because this phone is new to its owner, and type it in."""
        self.page.locator('[data-name="text-message"]').click()
        self.page.get_by_text("We sent six digits").wait_for()
        self.page.get_by_label(self.texts["code"]).fill(self.server.code_sent_to(self.number))
        self.page.get_by_role("button", name="Sign in").click()

    def fund(self, *, offline: str) -> None:
        """Top up 50.00 and move some of it to this phone."""
        self.top_up()
        self.load(offline)
        expect(self.page.locator('[data-name="offline"]')).to_have_text(f"${offline}")

    def have(self, *, online_minor: int = 0, offline_minor: int = 0) -> Money:
        """See to it that there is at least so much; return what there is."""
        has = self.minor()
        while has.online_minor < online_minor or has.offline_minor < offline_minor:
            is_short_offline = has.offline_minor < offline_minor
            if has.online_minor < online_minor + is_short_offline * VOUCHER_MINOR:
                self.top_up()
                shown = f"${(has.online_minor + TOP_UP_MINOR) / 100:,.2f}"
                expect(self.page.locator('[data-name="online"]')).to_have_text(shown)
            if is_short_offline:
                self.load(f"{VOUCHER_MINOR / 100:.2f}")
            has = self.minor()
        return has

    def top_up(self) -> None:
        """Top up 50.00 from another page of the same wallet, which learns of it from the server."""
        answer = self.page.evaluate(TOP_UP, {"amount": {"amount_minor": TOP_UP_MINOR, "currency": "SGD"}})
        assert answer == 201, answer

    def load(self, amount: str) -> None:
        """Move money to this phone."""
        self.loads += 1
        self.go("move")
        self.page.get_by_label("Amount").fill(amount)
        self.page.get_by_role("button", name="Move to this phone").click()
        self.see(".hero")

    def go(self, screen: str) -> None:
        """Go to a screen, as a tap on its link does."""
        self.page.evaluate("(screen) => { location.hash = `#/${screen}`; }", screen)

    def is_worn(self) -> bool:
        """Tell whether its owner may soon be refused a load or another phone."""
        return self.loads >= LOADS_BEFORE_WORN or self.wipes >= WIPES_BEFORE_WORN

    def rest(self) -> None:
        """Be as a phone is that nobody has used yet, but for its money and its history."""
        self.check()
        self.complaints.clear()
        self.context.unroute_all()
        self._looks_at = None
        self.cut_off()
        self.go("home")

    def catch_up(self) -> None:
        """Learn from the operator what happened while nobody looked; by itself the phone would, within minutes."""
        online_minor = self.page.evaluate(ASK_ONLINE_MINOR)
        assert online_minor is not None, self.page.url  # signed in, and the server is there
        if self.page.locator(".status.online").count() == 0 or self.minor().online_minor != online_minor:
            self.sync()
        self.wait_until_synced()

    def reopen(self) -> None:
        """Kill the tab and open the wallet again where it was."""
        address = self.page.url
        self.page.close()
        self.page = self._open()
        # Not at once: until something was looked for, nobody has touched the page, and a phone may not vibrate.
        self.page.goto(address)
        self.page.locator("html[data-ready]").wait_for()

    def cut_off(self) -> None:
        """Let nothing through of codes that are shown: payments by code are then without a network."""
        self._is_cut_off = True
        self._block()

    def reconnect(self) -> None:
        """Let everything through again."""
        self._is_cut_off = False
        self._block()

    def _block(self) -> None:
        # By the browser itself: a route of Playwright's would have it ask about every request.
        self._network.send("Network.setBlockedURLs", {"urls": [f"*{SHOWN_CODES}*"] if self._is_cut_off else []})

    def wipe(self) -> None:
        """Lose everything that this phone remembered, while the wallet is closed."""
        self.wipes += 1
        address = self.page.url
        self.page.goto("about:blank")  # else a sync that is under way says that its storage went away
        session = self.context.new_cdp_session(self.page)
        origin = self.server.address.rstrip("/")
        session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "indexeddb,local_storage"})
        self.page.goto(address)
        self.page.locator("html[data-ready]").wait_for()

    def ask(self, amount: str) -> str:
        """Show a request code; return its text."""
        self.go("get-paid")
        self.page.get_by_label("Amount").fill(amount)
        self.page.get_by_role("button", name="Show my code").click()
        return self.code("Request code")

    def token_elsewhere(self) -> str:
        """Sign in on another device, with the code from the text message that a new one needs; return its token."""
        order = {"phone": self.number, "password": PASSWORD}
        with httpx.Client(base_url=self.server.address, headers={"user-agent": "tiki"}) as client:
            sent = client.post("/v1/sessions/text-message", json=order).json()
            proof = {"text_message": {"request_id": sent["request_id"], "code": self.server.code_sent_to(self.number)}}
            return str(client.post("/v1/sessions", json={**order, "proof": proof}).json()["token"])

    def code(self, label: str) -> str:
        """Return the text of the code on the screen, which must be of this kind."""
        canvas = f'canvas[aria-label^="{label}"]'
        self.see(canvas)
        text = self.page.locator(canvas).get_attribute("data-code")
        assert text is not None
        return text

    def look_at(self, other: "Phone") -> None:
        """Hold this phone's camera before another phone's screen."""
        self._looks_at = lambda: other.page.locator("figure.qr canvas")

    def press(self, name: str) -> None:
        """Press a button or link by its text."""
        self.page.get_by_role("button", name=name, exact=True).or_(
            self.page.get_by_role("link", name=name, exact=True)
        ).first.click()

    def enter(self, text: str) -> None:
        """Hand over a code as text, without a camera."""
        self.page.get_by_text("Without a camera").click()
        self.page.locator('[data-name="code"]').fill(text)
        self.page.locator('[data-name="use-code"]').click()

    def pay(self, request: str) -> str:
        """Pay a request code; return the payment code."""
        self.go("pay")
        self.enter(request)
        self.press("Pay")
        return self.code("Payment code")

    def take(self, payment: str) -> None:
        """Hand a payment code to this phone while its request is shown."""
        self.press("Scan the payment")
        self.enter(payment)

    def show_request(self) -> None:
        """Show the newest request again, from home."""
        self.go("home")
        self.page.locator(".row", has_text="Your request").last.click()

    def show_payment(self) -> None:
        """Show the newest payment that waits for an answer again, from home."""
        self.go("home")
        self.page.locator("section", has_text="Underway").locator(
            ".row", has_text=re.compile("Paid|Gave back")
        ).last.click()

    def accept(self, payment: str) -> str:
        """Take a payment, at one's own risk if need be; return the receipt code."""
        self.take(payment)
        self.press("Accept")
        return self.code("Receipt code")

    def finish(self, receipt: str) -> None:
        """Take the receipt (or refusal) of the payment that is shown."""
        self.press("Scan the receipt")
        self.enter(receipt)
        self.verdict("received")

    def verdict(self, word: str) -> Locator:
        """Wait for a verdict: final, protected, risk, received or refused."""
        shown = f'[data-verdict="{word}"]'
        self.see(shown)
        return self.page.locator(shown)

    def sync(self) -> None:
        """Sync by hand until nothing waits."""
        self.go("sync")
        self.page.locator('[data-name="sync"]').click()
        expect(self.page.locator('[data-name="waiting"]')).to_have_text("0")
        self.page.get_by_text("The operator has everything.").wait_for()

    def see(self, selector: str) -> None:
        """Wait until something is on the screen, as soon as it is: Playwright looks again after half a second."""
        self.page.wait_for_function(IS_SHOWN, arg=selector, polling=LOOK_AGAIN_MS)

    def wait_until_synced(self) -> None:
        """Wait at home until the phone has met the operator."""
        self.go("home")
        self.see(".status.online")

    def money(self) -> dict[str, str]:
        """Return what the home screen says."""
        self.go("home")
        self.see(".hero")
        return {name: self.page.locator(f'[data-name="{name}"]').inner_text() for name in ("online", "offline")}

    def rows_minor(self, text: str) -> int:
        """Return the sum of what the rows with a text say: a payment with money of two vouchers comes home in two."""
        rows = self.page.locator(".row", has_text=text)
        expect(rows.first).to_be_visible()
        return sum(int(re.sub(r"\D", "", re.findall(r"\$[\d,.]+", row)[-1])) for row in rows.all_inner_texts())

    def minor(self) -> Money:
        """Return what the home screen says, in minor units."""
        said = self.money()
        return Money(*(int(re.sub(r"\D", "", said[name])) for name in ("online", "offline")))
