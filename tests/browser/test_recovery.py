"""How one signs in: another password, another number, what waits on every phone, and no to it."""

import re
from collections.abc import Callable
from itertools import count

from playwright.sync_api import Browser, expect

from browser.phones import Phone
from browser.server import Server
from world import PASSWORD

MakePhone = Callable[[str], Phone]
FRESH = "nine blue kettles"
numbers = count(1)


def fill(who: Phone, **fields: str) -> None:
    for label, text in fields.items():
        who.page.get_by_label(label.replace("_", " ")).fill(text)


def send_code(who: Phone, next_field: str) -> None:
    """Have a code sent, and wait until it was: the screen asks for it then."""
    who.press("Send a code")
    who.page.get_by_label(next_field).wait_for()


def new_number() -> str:
    return f"+658119{next(numbers):04d}"


def test_what_changes_how_one_signs_in_is_seen_and_stopped(phone: MakePhone, browser: Browser, server: Server) -> None:
    asha = phone("asha")
    thief = Phone(browser, server, "thief", is_installed=False)
    thief.go("sign-in")
    thief.page.get_by_role("link", name="I forgot my password").click()
    # The screen before asks for a phone number too.
    thief.page.get_by_role("heading", name="I forgot my password").wait_for()
    fill(thief, Phone_number=asha.number)
    send_code(thief, "New password")
    fill(thief, Code_from_the_text_message=server.code_sent_to(asha.number), New_password=FRESH)
    thief.press("Continue")
    expect(thief.page.locator('[data-name="works-at"]')).to_contain_text("Your new password works from")

    asha.go("settings")
    asha.go("home")
    expect(asha.page.locator('[data-name="waits"]')).to_be_visible()
    asha.page.get_by_role("link", name="Look at it").click()
    expect(asha.page.locator('[data-name="password-waits"]')).to_contain_text("A new password works from")
    asha.press("Keep the old password")
    expect(asha.page.get_by_text("No change waits.")).to_be_visible()

    asha.page.get_by_role("link", name="Change the phone number").click()
    number = new_number()
    fill(asha, New_phone_number=number, Password="a guess of mine")
    asha.press("Send a code")
    expect(asha.page.locator('[data-code="proof_wrong"]')).to_be_visible()
    asha.forgive("status of 422")
    fill(asha, Password=PASSWORD)
    send_code(asha, "Code on the new phone")
    fill(asha, Code_on_the_new_phone=server.code_sent_to(number))
    asha.press("Change the phone number")
    expect(asha.page.locator('[data-name="done"]')).to_contain_text(f"Your wallet moves to {number}")
    asha.go("protection")
    asha.press("Keep the old number")
    expect(asha.page.get_by_text("No change waits.")).to_be_visible()

    asha.go("change-phone")
    number, before = new_number(), asha.number
    fill(asha, New_phone_number=number, Password=PASSWORD)
    send_code(asha, "Code on the new phone")
    fill(asha, Code_on_the_new_phone=server.code_sent_to(number), Code_on_the_old_phone=server.code_sent_to(before))
    asha.press("Change the phone number")
    expect(asha.page.locator('[data-name="done"]')).to_contain_text("Your number is changed")
    asha.go("protection")
    expect(asha.page.locator('[data-name="capped"]')).to_have_text(re.compile("Until .* only a little leaves"))
    asha.page.set_viewport_size({"width": 320, "height": 640})
    asha.go("settings")
    expect(asha.page.get_by_text(number)).to_be_visible()

    asha.go("change-password")
    fill(asha, Old_password=PASSWORD, New_password=FRESH)
    asha.press("Change the password")
    expect(asha.page.locator('[data-name="done"]')).to_contain_text("Your password is changed")
    asha.go("sign-in")
    fill(asha, Phone_number=number, Password=FRESH)
    asha.page.get_by_role("button", name="Sign in").click()
    asha.wait_until_synced()
