"""Money in and out by Stripe, as people see it: a page elsewhere and back, a no, 3-D Secure, cancel, fee, dispute."""

import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from browser.phones import Phone
from browser.server import Server

SECURE, DECLINED, VISA = "4000002760003184", "4000000000000002", "4242424242424242"


@pytest.fixture
def stripe(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Server, str]]:
    """A wallet whose bank is the stand-in, both running."""
    server = Server(tmp_path_factory.mktemp("stripe"), database_url=new_database())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    webhook = f"http://127.0.0.1:{server.port}/v1/webhooks/stripe"
    command = [sys.executable, "-m", "tikiwallet", "stripe-standin", "--port", str(port), "--webhook", webhook]
    standin = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert standin.stdout is not None
    assert any("is ready" in line for line in standin.stdout)
    for name, value in {
        "BANK": "stripe", "STRIPE_API_KEY": "sk_test_standin", "STRIPE_API_URL": f"http://127.0.0.1:{port}",
        "STRIPE_WEBHOOK_SECRETS": "whsec_standin", "PUBLIC_URL": server.address.rstrip("/"),
        "WITHDRAWAL_FEE_MINOR": "25",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"TIKIWALLET_{name}", value)
    server.start()
    yield server, f"http://127.0.0.1:{port}"
    server.stop()
    standin.terminate()
    standin.communicate(timeout=30)


def top_up(asha: Phone, amount: str) -> None:
    asha.go("home")
    asha.go("top-up")
    asha.page.get_by_label("Amount").fill(amount)
    asha.press("Top up now")


def pay(asha: Phone, card: str) -> None:
    asha.page.get_by_label("Test card").select_option(card)
    asha.page.get_by_role("button", name=re.compile("^Pay")).click()


def test_money_comes_in_and_goes_out_by_stripe(browser: Browser, stripe: tuple[Server, str]) -> None:
    server, address = stripe

    def control(command: str, **said: object) -> dict:
        request = urllib.request.Request(f"{address}/_control/{command}", data=json.dumps(said).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    asha = Phone(browser, server, "asha_stripe", is_installed=False)
    asha.sign_up()
    state = asha.page.locator("[data-state]")
    top_up(asha, "40")
    pay(asha, DECLINED)
    expect(asha.page.get_by_role("alert")).to_contain_text("declined")
    pay(asha, SECURE)
    asha.press("Yes, it is me")
    expect(state).to_have_attribute("data-state", "settled")

    top_up(asha, "7")
    asha.press("Cancel and go back")
    expect(asha.page.locator('[data-name="go-pay"]')).to_be_visible()
    asha.press("Cancel this")
    expect(state).to_have_attribute("data-state", "declined")
    expect(asha.page.get_by_text("You cancelled it. Nothing has moved.")).to_be_visible()

    asha.go("withdraw")
    asha.press("Add my bank account")
    asha.page.get_by_role("button").first.click()
    control("fund", amount=100_00, currency="sgd")
    asha.go("home")
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("10")
    asha.press("See the fee")
    expect(asha.page.locator('[data-name="quote"]')).to_contain_text("$9.75")
    asha.press("Withdraw now")
    expect(state).to_have_attribute("data-state", "pending")
    expect(asha.page.get_by_text("Expected by")).to_be_visible()

    charges = urllib.request.Request(f"{address}/v1/charges", headers={"authorization": "Bearer sk_test_standin"})
    with urllib.request.urlopen(charges) as answer:
        (charge,) = [charge["id"] for charge in json.load(answer)["data"] if charge["paid"]]
    control("dispute", id=charge)
    for _ in range(20):  # each look asks the server again, until the webhook has been looked at
        asha.go("home")
        asha.go("top-up")
        expect(asha.page.get_by_text("You pay by card on a safe page")).to_be_visible()
        if asha.page.get_by_text("Bring in $10.00.").count():  # before it is frozen, nothing of it is
            break
    dispute = asha.page.locator('[data-name="dispute"]')
    expect(dispute).to_have_text("Your bank took $40.00 back, and a part was spent. Bring in $10.00.")
    asha.context.close()
