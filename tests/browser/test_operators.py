"""The operators' page as operators use it: two of them, each with a key, correct the books of somebody who is stuck."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from playwright.sync_api import Browser, Page, expect

from browser.server import Server
from processes import OPERATORS, run
from world import PASSWORD, body_of, money

AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip
REASON = "Reason (kept for ever; no names, no numbers)"
PHONE = "+6598765432"


def link_of(server: Server, name: str, *roles: str) -> str:
    """Make an operator by the command, beside the running server; returns the link that it prints."""
    words = ["operator", "add", name, *(word for role in roles for word in ("--role", role))]
    said = run(OPERATORS, *words, environment=server.environment).stdout
    found = re.search(r"http\S+/operator#enrol=\S+", said)
    assert found is not None, said
    return found[0]


@contextmanager
def operator_page(browser: Browser, link: str, **options: object) -> Iterator[Page]:
    """A browser with an authenticator, whose operator has just registered and signed in."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(link)
    page.get_by_role("button", name="Register a passkey").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("is registered")
    assert "enrol" not in page.url
    page.get_by_role("button", name="Sign in with your passkey").press("Enter")
    expect(page.get_by_role("navigation")).to_be_visible()
    yield page
    assert [text for text in wrong if "status of 4" not in text] == []
    context.close()


def somebody_stuck(server: Server) -> str:
    """Somebody whose top-up waits for the bank; returns the username."""
    with httpx.Client(base_url=server.address, headers={"idempotency-key": "k"}) as http:
        order = {"phone": PHONE, "username": "stella", "password": PASSWORD}
        started = body_of(http.post("/v1/registrations", json=order), 202)
        path = f"/v1/registrations/{started['registration_id']}/verification"
        session = body_of(http.post(path, json={"code": server.code_sent_to(PHONE)}), 201)
        signed_in = {"authorization": f"Bearer {session['token']}"}
        body_of(http.post("/v1/top-ups", json={"amount": money("30.37")}, headers=signed_in), 201)
    return "stella"


def test_two_operators_find_freeze_and_correct(browser: Browser, server: Server) -> None:
    username = somebody_stuck(server)
    with operator_page(browser, link_of(server, "rita", "support", "risk", "finance")) as rita:
        # The keyboard is enough: find, see why, freeze.
        rita.get_by_label("Username or phone number").fill(username)
        rita.get_by_label(REASON).fill("asks where her money is")
        rita.get_by_label(REASON).press("Enter")
        expect(rita.get_by_text("The top-up waits for the bank, which hasn't decided, since")).to_be_visible()
        freeze = rita.get_by_role("region", name="Freeze")
        freeze.get_by_label("The owner is told that").select_option("asked")
        freeze.get_by_label(REASON).fill("she lost her phone")
        freeze.get_by_role("button", name="Freeze").press("Enter")
        expect(rita.get_by_text("frozen: the owner asked")).to_be_visible()
        expect(rita.get_by_role("status")).to_have_text("stella is frozen.")
        rita.get_by_role("link", name="Corrections").press("Enter")
        rita.get_by_label("Give to: username or phone").fill(username)
        rita.get_by_label("Amount").fill("12.505")
        rita.get_by_label(REASON).fill("paid in twice on 26 November")
        rita.get_by_role("button", name="Propose").press("Enter")
        expect(rita.get_by_role("alert")).to_contain_text("Write the amount in SGD as 12.50")
        rita.get_by_label("Amount").fill("12.50")
        rita.get_by_role("button", name="Propose").press("Enter")
        row = rita.get_by_role("row").filter(has_text="paid in twice")
        expect(row).to_contain_text("somebody else approves it")
        expect(row.get_by_role("button", name="Approve")).to_have_count(0)
        with operator_page(
            browser, link_of(server, "frank", "finance"), viewport={"width": 320, "height": 640}
        ) as frank:
            expect(frank.get_by_role("link", name="People")).to_have_count(0)
            frank.get_by_role("link", name="Corrections").click()
            row = frank.get_by_role("row").filter(has_text="paid in twice")
            row.get_by_role("button", name="Approve").press("Enter")
            expect(frank.get_by_role("status")).to_have_text("Approved, and posted.")
            expect(row).to_contain_text("by frank")
            look_at(frank, "Corrections", "Stuck", "Reconciliation")
            wide = frank.evaluate("document.documentElement.scrollWidth")
            assert wide <= 320
        look_at(rita, "People", "Stuck", "Corrections", "Reconciliation", "Risk")
        rita.get_by_role("button", name="Sign out").click()
        expect(rita.get_by_role("heading", name="Sign in")).to_be_visible()
        # The wallet's service worker, which answers for every page of the wallet, leaves this one alone.
        rita.goto(server.address)
        rita.evaluate("navigator.serviceWorker.ready.then(() => true)")
        rita.goto(f"{server.address}operator")
        expect(rita.get_by_role("heading", name="Sign in")).to_be_visible()


def look_at(page: Page, *views: str) -> None:
    for view in views:
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("heading", name=view, level=1)).to_be_visible()
        expect(page.locator("main section").first).to_be_visible()
