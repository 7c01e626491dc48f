"""Requests, people, the bank, history: what they show, also without a network."""

import io
from collections.abc import Callable

from PIL import Image
from playwright.sync_api import expect

from browser.phones import Phone
from browser.test_online_payments import begin

MakePhone = Callable[[str], Phone]


def ask_for(payee: Phone, payer: Phone, amount: str, *, memo: str = "") -> None:
    payee.go(f"ask/{payer.name}")
    payee.page.get_by_label("Amount").fill(amount)
    payee.page.get_by_label("Note (optional)").fill(memo)
    payee.press("Ask now")
    expect(payee.page.locator("[data-state]")).to_have_attribute("data-state", "open")


def open_request(someone: Phone, memo: str) -> None:
    someone.go("requests")
    someone.page.get_by_role("button", name=memo).click()


def test_requests_are_paid_declined_and_taken_back(shared: MakePhone) -> None:
    asha, ben = shared("asha"), shared("ben")
    ashas, bens = asha.have(online_minor=500), ben.minor()
    for memo in ("lunch", "taxi", "nothing"):
        ask_for(ben, asha, "5.00", memo=memo)
    asha.sync()
    asha.go("home")
    expect(asha.page.locator('[data-name="badge"]')).to_contain_text("3 requests wait for you")
    open_request(asha, "lunch")
    asha.press("Pay")
    expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)
    asha.page.locator('[data-name="confirm"]').click()
    asha.press("Send now")
    asha.verdict("paid")
    open_request(asha, "taxi")
    asha.press("Say no")
    expect(asha.page.locator("[data-state]")).to_have_attribute("data-state", "declined")
    open_request(ben, "nothing")
    ben.press("Take the request back")
    expect(ben.page.locator("[data-state]")).to_have_attribute("data-state", "cancelled")
    ben.sync()
    ben.go("requests")
    for text in ("lunch · paid", "taxi · declined", "nothing · taken back"):
        expect(ben.page.get_by_text(text)).to_be_visible()
    open_request(asha, "nothing")  # her phone may think that it is still open
    asha.sync()
    asha.go("home")
    expect(asha.page.locator('[data-name="badge"]')).to_have_count(0)
    assert asha.minor() == (ashas.online_minor - 500, ashas.offline_minor)
    assert ben.minor() == (bens.online_minor + 500, bens.offline_minor)


def test_money_goes_to_the_bank_and_a_no_is_a_sentence(shared: MakePhone) -> None:
    asha = shared("asha")
    before = asha.have(online_minor=1500)
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("15")
    asha.press("Withdraw now")
    expect(asha.page.locator('[data-state="settled"]')).to_contain_text("The money is at your bank.")
    asha.go("withdraw")
    asha.page.get_by_label("Amount").fill("500")
    asha.press("Withdraw now")
    expect(asha.page.locator("[data-code='insufficient_funds']")).to_contain_text("choose a smaller amount")
    asha.forgive("status of 422")
    assert asha.minor() == (before.online_minor - 1500, before.offline_minor)


def test_people_and_history_stay_on_the_phone(
    phone: MakePhone, shared: MakePhone, without_network: Callable[[], None]
) -> None:
    asha, ben = phone("asha"), shared("ben")
    asha.fund(offline="10.00")
    begin(asha, ben, "4.00", memo="two mangoes")
    asha.press("Send now")
    asha.verdict("paid")
    asha.finish(ben.accept(asha.pay(ben.ask("3.00"))))
    asha.sync()
    without_network()
    asha.reopen()
    asha.go("pay")
    asha.page.get_by_label("Find a person").fill(ben.name[:5].upper())
    asha.page.locator(f'[data-person="{ben.name}"]').click()
    expect(asha.page.get_by_text("••••")).to_have_count(0)  # nobody can be asked for the number now
    asha.go(f"person/{ben.name}")
    expect(asha.page.locator(".person")).to_contain_text(ben.number[-2:])
    expect(asha.page.locator(".list .row")).to_have_count(2)

    asha.go("history")
    rows = asha.page.locator('[data-name="history"] .row')
    expect(rows).to_have_count(4)  # top-up, load, online payment, payment by code
    expect(asha.page.get_by_text("You see what this phone knows.")).to_be_visible()
    asha.page.locator('[data-name="way-in"]').click()
    expect(rows).to_have_count(1)
    asha.page.locator('[data-name="way-all"]').click()
    asha.page.get_by_label("Search").fill("MANGO")
    expect(rows).to_have_count(1)
    asha.page.get_by_label("Search").fill("")
    asha.page.get_by_text("More filters").click()
    asha.page.locator('[data-name="kind"]').select_option("offline")
    expect(rows).to_have_count(1)
    asha.page.get_by_label("To", exact=True).fill("2020-01-01")
    expect(asha.page.get_by_text("Nothing like that.")).to_be_visible()
    asha.page.get_by_text("As a table").click()
    expect(asha.page.locator(".weeks tbody tr").first.locator("td")).to_have_text(["$50.00", "$7.00"])


def test_where_is_my_money_says_every_step_and_draws_a_receipt(phone: MakePhone, shared: MakePhone) -> None:
    asha, ben = phone("asha"), shared("ben")
    asha.fund(offline="10.00")
    payment = asha.pay(ben.ask("3.00"))
    asha.press("Where is my money?")
    steps = asha.page.locator(".timeline li")
    expect(steps.locator("b")).to_have_text(
        ["Paid by code", "Receipt of the payee", "Seen by the operator", "Closed: nothing can change any more"]
    )
    assert steps.evaluate_all("(items) => items.map((item) => item.dataset.state)")[:2] == ["done", "due"]
    expect(steps.last).to_contain_text("by ")
    receipt = ben.accept(payment)
    asha.press("Show the codes")
    asha.finish(receipt)
    asha.sync()
    asha.go("history")
    asha.page.get_by_role("button", name=f"Paid {ben.name}").click()
    for step in ("signed", "receipt", "seen"):
        expect(asha.page.locator(f'[data-step="{step}"]')).to_have_attribute("data-state", "done")
    expect(asha.page.locator('[data-step="closed"]')).to_have_attribute("data-state", "due")
    with asha.page.expect_download() as download:
        asha.page.locator('[data-name="receipt-picture"]').click()
    assert download.value.suggested_filename.startswith("tikiwallet-")
    picture = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert (picture.format, picture.width) == ("PNG", 720)
    assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50  # there is writing on it
    expect(asha.page.get_by_text("A picture proves nothing.")).to_be_visible()

    begin(asha, ben, "4.00")
    asha.press("Send now")
    asha.verdict("paid")
    asha.sync()
    asha.go("history")
    asha.page.get_by_role("button", name=f"Paid {ben.name}").first.click()
    expect(asha.page.locator(".timeline b")).to_have_text(["Ordered", "Sent", "Booked by the operator", "Final"])
