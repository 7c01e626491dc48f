"""Every step of a payment interrupted in turn: nothing is lost, nothing is doubled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from browser.phones import Phone

MakePhone = Callable[[str], Phone]


@pytest.fixture
def two(phone: MakePhone) -> tuple[Phone, Phone]:
    """Asha with 15.00 on her phone, and Ben."""
    asha, ben = phone("asha"), phone("ben")
    asha.fund(offline="15.00")
    return asha, ben


def test_the_tab_of_each_is_killed_after_every_step(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    ben.reopen()
    assert ben.code("Request code") == request
    payment = asha.pay(request)
    asha.reopen()
    assert asha.code("Payment code") == payment
    receipt = ben.accept(payment)
    ben.reopen()
    assert ben.code("Receipt code") == receipt
    asha.finish(receipt)
    asha.reopen()
    asha.verdict("received")
    assert (asha.money()["offline"], ben.money()["offline"]) == ("$9.00", "$6.00")


def test_a_request_is_answered_once(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    payment = asha.pay(request)
    asha.go("pay")
    asha.enter(request)  # again, because the first code wasn't read
    assert asha.code("Payment code") == payment
    assert asha.money()["offline"] == "$9.00"


def test_a_payment_shown_twice_counts_once(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    payment = asha.pay(ben.ask("6.00"))
    receipt = ben.accept(payment)
    ben.ask("1.00")
    ben.take(payment)  # the payer didn't see the receipt and shows the payment again
    assert ben.code("Receipt code") == receipt
    assert ben.money()["offline"] == "$6.00"


def test_a_payment_for_somebody_else_is_refused_with_a_sentence(two: tuple[Phone, Phone], phone: MakePhone) -> None:
    asha, ben = two
    chi = phone("chi")
    payment = asha.pay(ben.ask("6.00"))
    chi.ask("6.00")
    chi.take(payment)
    refused = chi.verdict("refused")
    assert refused.get_attribute("data-code") == "no_open_request"
    expect(refused).to_contain_text("Show the payer a new request.")


def test_a_damaged_code_is_told_and_the_next_is_taken(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    asha.go("pay")
    asha.enter(request[:-4])
    expect(asha.page.locator("[data-code='bad_cbor'], [data-code='bad_base45']")).to_be_visible()
    asha.page.locator('[data-name="code"]').fill(request)
    asha.page.locator('[data-name="use-code"]').click()
    asha.press("Pay")
    asha.code("Payment code")


def test_the_payer_loses_the_phone_after_paying(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    ben.accept(asha.pay(ben.ask("6.00")))
    asha.wipe()
    ben.sync()
    assert ben.money()["offline"] == "$6.00"
    expect(ben.page.get_by_text("Underway")).to_be_visible()


def test_the_payee_loses_the_phone_before_bringing_the_payment(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    asha.finish(ben.accept(asha.pay(ben.ask("6.00"))))
    ben.wipe()
    asha.sync()  # any copy is enough
    ben.page.get_by_role("link", name="Sign in").click()
    ben.page.get_by_label("Phone number").fill(ben.number)
    ben.page.get_by_label("Password").fill("seven green umbrellas")
    ben.page.get_by_role("button", name="Sign in").click()
    ben.wait_until_synced()
    expect(ben.page.get_by_text(f"From {asha.name}")).to_be_visible()
    assert ben.money()["offline"] == "$0.00"  # the key is gone: the account gets it on the date shown


def test_a_wallet_put_back_from_a_copy_takes_a_new_key(two: tuple[Phone, Phone]) -> None:
    asha, _ = two
    asha.page.evaluate("() => localStorage.setItem('tikiwallet.install_id', 'of another install')")
    asha.sync()
    assert asha.money()["offline"] == "$0.00"
    expect(asha.page.get_by_text("Offline money coming home")).to_be_visible()


def test_signing_out_takes_nothing_away(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    asha.go("settings")
    asha.press("Sign out")
    expect(asha.page.get_by_label("Password")).to_be_visible()
    payment = asha.pay(request)
    asha.finish(ben.accept(payment))
    assert asha.money()["offline"] == "$9.00"


def test_a_phone_whose_clock_is_a_year_ahead_forgets_nothing(two: tuple[Phone, Phone]) -> None:
    asha, _ = two
    now = datetime.now(UTC)
    asha.page.clock.set_fixed_time(now + timedelta(days=365))
    asha.sync()
    asha.page.clock.set_fixed_time(now)
    asha.sync()
    assert asha.money()["offline"] == "$15.00"
