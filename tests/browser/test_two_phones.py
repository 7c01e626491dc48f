"""Two phones meet where there is no network: request, payment, receipt, from screen to camera and back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from browser.phones import Phone
from browser.server import Server

MakePhone = Callable[[str], Phone]


def test_three_phones_pay_by_camera_with_the_server_stopped(
    shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben, chi = (shared(name) for name in ("asha", "ben", "chi"))
    ashas, bens, chis = asha.have(offline_minor=750), ben.minor(), chi.minor()
    asha.look_at(ben)
    ben.look_at(asha)
    without_network()
    for each in (asha, ben, chi):
        each.reopen()  # a cold start, from what the phone keeps

    ben.ask("7.50")
    asha.go("pay")
    expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)
    asha.press("Pay")
    asha.code("Payment code")
    ben.press("Scan the payment")
    expect(ben.verdict("risk")).to_contain_text("$7.50")
    ben.press("Accept")
    ben.code("Receipt code")
    asha.press("Scan the receipt")
    asha.verdict("received")
    assert asha.minor().offline_minor == ashas.offline_minor - 750
    assert ben.minor().offline_minor == bens.offline_minor + 750

    chi.look_at(ben)  # money received offline is spent offline at once
    ben.look_at(chi)
    chi.ask("2.03")
    ben.go("pay")
    ben.press("Pay")
    ben.code("Payment code")
    chi.press("Scan the payment")
    chi.verdict("risk")
    chi.press("Accept")
    chi.code("Receipt code")
    ben.press("Scan the receipt")
    ben.verdict("received")

    server.start()
    for each in (asha, ben, chi):
        each.sync()
    assert asha.minor() == (ashas.online_minor, ashas.offline_minor - 750)
    assert ben.minor() == (bens.online_minor, bens.offline_minor + 547)
    assert chi.minor() == (chis.online_minor, chis.offline_minor + 203)
    row = chi.page.locator(".row", has_text=f"From {ben.name}").filter(has_text="$2.03")
    expect(row.first).to_be_visible()


@pytest.mark.parametrize("refuses", [False, True], ids=["accepts", "refuses"])
def test_the_payee_decides_at_his_risk(shared: MakePhone, refuses: bool) -> None:
    asha, ben = shared("asha"), shared("ben")
    ashas, bens = asha.have(offline_minor=400), ben.minor()
    payment = asha.pay(ben.ask("4.00"))
    ben.take(payment)
    expect(ben.verdict("risk")).to_contain_text("Go online by")
    if not refuses:
        ben.press("Accept")
        asha.finish(ben.code("Receipt code"))
        assert ben.minor() == (bens.online_minor, bens.offline_minor + 400)
        return
    ben.press("Refuse")
    refusal = ben.code("Refusal code")
    asha.press("Scan the receipt")
    asha.enter(refusal)
    asha.verdict("refused")
    assert ben.minor() == bens
    assert (
        asha.minor().offline_minor == ashas.offline_minor - 400
    )  # not hers to spend again: it comes home when its voucher closes
