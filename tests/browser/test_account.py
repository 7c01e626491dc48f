"""My account: what may still be sent, a freeze said plainly, everything that is held of me, and closing."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from browser.phones import Phone
from browser.server import Server
from processes import OPERATORS, run

MakePhone = Callable[[str], Phone]
PICTURES = os.environ.get("ACCOUNT_PICTURES", "")


def operator(server: Server, *words: str) -> str:
    done = run(OPERATORS, *words, environment=server.environment)
    done.check_returncode()
    return done.stdout


def picture(who: Phone, name: str) -> None:
    if PICTURES:
        who.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def test_an_account_from_its_limits_to_its_end(phone: MakePhone, server: Server) -> None:
    asha, ben = phone("asha"), phone("ben")
    asha.go("top-up")
    asha.page.get_by_label("Amount").fill("50")
    asha.press("Top up now")
    asha.page.locator(".hero").wait_for()
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("10")
    asha.press("Withdraw now")
    asha.page.get_by_role("heading", name="Done").wait_for()
    asha.go("account")
    expect(asha.page.locator('[data-name="day"]')).to_contain_text("$4,990.00 of $5,000.00")
    with asha.page.expect_download() as download:
        asha.press("Save my data")
    kept = json.loads(Path(download.value.path()).read_text())
    assert kept["person"]["username"] == asha.name
    picture(asha, "account")

    # Frozen: said at once, with what still works, and a payment is refused in words.
    operator(server, "freeze", asha.name, "--because", "unusual")
    asha.sync()
    asha.go("home")
    expect(asha.page.get_by_role("alert")).to_contain_text("Your wallet is frozen")
    picture(asha, "home-frozen")
    asha.go("account")
    expect(asha.page.get_by_role("alert")).to_contain_text("You can still receive")
    picture(asha, "account-frozen")
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("1")
    asha.press("Withdraw now")
    expect(asha.page.locator('[data-code="person_frozen"]')).to_contain_text("nothing can leave it")
    operator(server, "unfreeze", asha.name)
    asha.go("account")
    expect(asha.page.get_by_role("alert")).to_have_count(0)

    # More than a tier may send: which limit, how much is left.
    asha.go("top-up")
    asha.page.get_by_label("Amount").fill("6000")
    asha.press("Top up now")
    asha.page.locator(".hero").wait_for()
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("5000")
    asha.press("Withdraw now")
    expect(asha.page.locator('[data-code="limit_exceeded"]')).to_contain_text("You can still send $4,990.00 today")

    # Ben closes: what is in the way first, then for good.
    ben.go("close")
    expect(ben.page.get_by_text("Nothing is in the way.")).to_be_visible()
    asha.go("close")
    expect(asha.page.locator('[data-name="obstacles"]')).to_contain_text("$6,040.00")
    asha.press("Close my wallet")
    expect(asha.page.get_by_text("nothing new comes in")).to_be_visible()
    picture(asha, "closing")
    asha.press("Keep my wallet")
    expect(asha.page.get_by_text("nothing new comes in")).to_have_count(0)
    ben.press("Close my wallet")
    expect(ben.page.get_by_text("Your wallet is closed.")).to_be_visible()
    picture(ben, "closed")
    ben.press("Sign out")
    ben.page.locator(".home-bar").wait_for()
    ben.go("sign-in")
    ben.page.get_by_label("Phone number").fill(ben.number)
    ben.page.get_by_label("Password").fill("seven green umbrellas")
    ben.page.get_by_role("button", name="Sign in").click()
    expect(ben.page.locator('[data-code="account_closed"]')).to_be_visible()
    for each in (asha, ben):
        each.forgive("the server responded with a status")
