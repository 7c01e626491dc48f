"""Passkeys and recovery codes in a real browser: made, used for a payment and a withdrawal, and on a new phone."""

from collections.abc import Callable

from playwright.sync_api import Browser, CDPSession, expect

from browser.fixtures import beside_playwright
from browser.phones import Phone
from browser.server import Server
from databases import execute
from world import PASSWORD

PROOF_OF_BEFORE = """
UPDATE identity.session SET issued_at = issued_at - interval '6 minutes',
    expires_at = expires_at - interval '6 minutes', proved_at = proved_at - interval '6 minutes'
WHERE person_id = (SELECT person_id FROM identity.person WHERE username = '{}')
"""
MakePhone = Callable[[str], Phone]
AUTHENTICATOR = {
    "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


def authenticator_of(who: Phone) -> tuple[CDPSession, str]:
    """Give a phone something that holds passkeys, as every phone that is sold has."""
    session = who.context.new_cdp_session(who.page)
    session.send("WebAuthn.enable")
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    return session, made["authenticatorId"]


def press(who: Phone, name: str) -> None:
    who.page.locator(f'[data-name="{name}"]').click()


def proof_runs_out(who: Phone) -> None:
    """Let the last proof of a person's sessions be older than five minutes."""
    beside_playwright(execute(who.server.environment["DATABASE_URL"], PROOF_OF_BEFORE.format(who.name)))


def test_a_person_proves_who_they_are_by_passkey_paper_and_text_message(
    phone: MakePhone, shared: MakePhone, browser: Browser, server: Server
) -> None:
    asha, ben = phone("asha"), shared("ben")
    cdp, held = authenticator_of(asha)
    # A passkey is added and named.
    asha.go("passkeys")
    press(asha, "add")
    listed = asha.page.locator('[data-name="passkeys"] li')
    expect(listed).to_have_count(1)
    listed.get_by_role("button").click()
    asha.page.get_by_label("Name of the passkey").fill("Blue phone")
    asha.press("Keep this name")
    expect(listed).to_contain_text("Blue phone")
    # Codes are made on paper, shown once.
    asha.go("recovery")
    press(asha, "make")
    shown = asha.page.locator('[data-name="codes"] code')
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()
    asha.page.get_by_role("link", name="I have them on paper").click()
    expect(asha.page.get_by_role("heading", level=1)).to_have_text("Settings")  # the codes are gone from the screen
    asha.go("recovery")
    expect(asha.page.locator('[data-name="left"]')).to_have_text("10 codes left")
    # Minutes later a withdrawal asks who is there, and so does a large payment to somebody new.
    asha.go("top-up")
    asha.page.get_by_label("Amount").fill("500")
    asha.press("Top up now")
    asha.page.locator(".hero").wait_for()
    proof_runs_out(asha)
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("20")
    asha.press("Withdraw now")
    expect(asha.page.locator('[data-name="proof"]')).to_be_visible()
    press(asha, "by-passkey")
    expect(asha.page.locator('[data-state="settled"]')).to_be_visible()
    proof_runs_out(asha)
    asha.go(f"send/{ben.name}")
    asha.page.get_by_label("Amount").fill("250")
    asha.press("Continue")
    press(asha, "confirm")
    asha.press("Send now")
    expect(asha.page.locator('[data-name="proof"]')).to_be_visible()
    asha.page.get_by_label("Password").fill("seven red umbrellas")
    asha.press("Confirm with the password")
    expect(asha.page.locator('[data-code="proof_wrong"]')).to_be_visible()
    asha.page.get_by_label("Password").fill(PASSWORD)
    asha.press("Confirm with the password")
    expect(asha.verdict("paid")).to_contain_text(f"to {ben.name}")
    # On another phone the password alone opens nothing; a code from paper does, once.
    credential = cdp.send("WebAuthn.getCredentials", {"authenticatorId": held})["credentials"][0]
    second, third = (Phone(browser, server, asha.name, is_installed=False) for _ in range(2))
    for other in (second, third):
        other.page.get_by_role("link", name="Sign in").click()
        other.page.get_by_label("Phone number").fill(asha.number)
        other.page.get_by_label("Password").fill(PASSWORD)
        other.page.get_by_role("button", name="Sign in").click()
        other.page.get_by_label("A recovery code").fill(codes[0].lower())
        other.press("Use this recovery code")
    second.wait_until_synced()
    # The passkey signs in where nobody signed in before.
    expect(third.page.locator('[data-code="proof_wrong"]')).to_be_visible()
    third_cdp, third_held = authenticator_of(third)
    third_cdp.send("WebAuthn.addCredential", {"authenticatorId": third_held, "credential": credential})
    press(third, "by-passkey")
    third.wait_until_synced()
    for other in (second, third):
        other.check()
        other.context.close()
