"""Pay online: seconds to undo, no surprise afterwards, and the same button with and without a network."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Route, expect

from browser.phones import Phone

MakePhone = Callable[[str], Phone]


@pytest.fixture
def two(shared: MakePhone) -> tuple[Phone, Phone]:
    """Asha with at least 15.00 online and 15.00 on her phone, and Ben."""
    asha, ben = shared("asha"), shared("ben")
    asha.have(online_minor=1500, offline_minor=1500)
    return asha, ben


@pytest.fixture
def asha_with_a_clock(phone: MakePhone) -> Phone:
    """Asha with 50.00 online, whose clock a test may turn."""
    asha = phone("asha")
    asha.have(online_minor=5000)
    return asha


def begin(payer: Phone, payee: Phone, amount: str, *, memo: str = "") -> None:
    """Pick a person, say how much, and press Pay: the seconds begin."""
    payer.go(f"send/{payee.name}")
    payer.page.get_by_label("Amount").fill(amount)
    payer.page.get_by_label("Note (optional)").fill(memo)
    payer.press("Continue")
    payer.page.locator('[data-name="confirm"]').click()
    payer.page.locator('[role="timer"]').wait_for()


def test_a_person_is_found_seen_undone_and_paid(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    before, bens = asha.minor(), ben.minor()
    asha.go("pay")
    asha.page.get_by_label("Find a person").fill(ben.number)
    asha.page.locator('[data-name="find"]').click()
    asha.page.get_by_label("Amount").fill("4.50")
    asha.page.get_by_label("Note (optional)").fill("three papayas")
    asha.press("Continue")
    expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)
    expect(asha.page.locator('[data-name="payee-phone"]')).to_contain_text(ben.number[-2:])
    expect(asha.page.locator('[data-name="payee-phone"]')).not_to_contain_text(ben.number)
    left = f"${before.online_minor / 100 - 4.5:.2f}"
    expect(asha.page.locator(".facts")).to_contain_text(f"Fee$0.00Arrives$4.50Left online{left}")
    asha.page.locator('[data-name="confirm"]').click()
    asha.page.get_by_role("timer", name=re.compile(r"(10|9|8) seconds left to undo")).wait_for()
    asha.press("Undo")
    asha.verdict("undone")
    assert asha.minor() == before
    begin(asha, ben, "4.50", memo="three papayas")
    asha.press("Send now")
    expect(asha.verdict("paid")).to_contain_text(f"to {ben.name}")
    ben.sync()
    assert asha.minor() == (before.online_minor - 450, before.offline_minor)
    assert ben.minor() == (bens.online_minor + 450, bens.offline_minor)
    expect(ben.page.get_by_text("three papayas")).to_be_visible()


def test_nothing_is_sent_by_a_wallet_that_was_closed_in_between(asha_with_a_clock: Phone, shared: MakePhone) -> None:
    asha, ben = asha_with_a_clock, shared("ben")
    before = ben.minor()
    begin(asha, ben, "3.00")
    asha.reopen()  # the tab is killed, and opened again at once
    expect(asha.verdict("not_sent")).to_contain_text("Nothing was sent")
    ben.sync()
    assert ben.minor() == before
    asha.page.clock.install()
    asha.page.locator('[data-name="again"]').click()
    asha.page.locator('[role="timer"]').wait_for()
    asha.page.clock.run_for(10_500)
    asha.verdict("paid")
    ben.sync()
    assert ben.minor() == (before.online_minor + 300, before.offline_minor)


def test_a_phone_that_slept_through_the_seconds_sends_nothing(asha_with_a_clock: Phone, shared: MakePhone) -> None:
    asha, ben = asha_with_a_clock, shared("ben")
    before = ben.minor()
    asha.page.clock.install()
    begin(asha, ben, "3.00")
    asha.page.clock.fast_forward(600_000)
    asha.verdict("not_sent")
    ben.sync()
    assert ben.minor() == before


def test_an_answer_that_is_lost_pays_once(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    before, bens = asha.minor(), ben.minor()

    def lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    def slow_down(route: Route) -> None:
        said = {"code": "too_many_requests", "title": "Wait.", "detail": "Wait.", "status": 429}
        route.fulfill(status=429, body=json.dumps(said), content_type="application/problem+json")

    asha.context.route("**/v1/transfers", lose_the_answer)
    begin(asha, ben, "3.00")
    asha.press("Send now")
    expect(asha.verdict("unknown")).to_contain_text("It may be paid, or not.")
    asha.reopen()
    asha.verdict("unknown")
    asha.context.unroute("**/v1/transfers")
    # Asked too often, the server doesn't look whether it was paid, so the wallet still doesn't know.
    asha.context.route("**/v1/transfers", slow_down)
    with asha.page.expect_response("**/v1/transfers"):
        asha.page.locator('[data-name="repeat"]').click()
    expect(asha.verdict("unknown")).to_contain_text("It may be paid, or not.")
    asha.context.unroute("**/v1/transfers")
    asha.page.locator('[data-name="repeat"]').click()
    asha.verdict("paid")
    ben.sync()
    assert asha.minor() == (before.online_minor - 300, before.offline_minor)
    assert ben.minor() == (bens.online_minor + 300, bens.offline_minor)


def test_a_refusal_is_a_sentence_and_moves_nothing(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    before, bens = asha.minor(), ben.minor()
    begin(asha, ben, f"{before.online_minor / 100:.2f}")
    pay_elsewhere(asha, ben, 1200)  # the balance is spent by the time it is sent
    asha.press("Send now")
    refused = asha.verdict("refused")
    assert refused.get_attribute("data-code") == "insufficient_funds"
    expect(refused).to_contain_text("Top up")
    ben.sync()
    assert ben.minor() == (bens.online_minor + 1200, bens.offline_minor)
    asha.sync()
    assert asha.minor() == (before.online_minor - 1200, before.offline_minor)
    asha.go("send/nobody_at_all")
    asha.page.get_by_label("Amount").fill("1")
    asha.press("Continue")
    expect(asha.page.locator('[data-code="person_unknown"]')).to_contain_text("Check the spelling")
    asha.forgive("status of 422")
    asha.forgive("status of 404")


def pay_elsewhere(payer: Phone, payee: Phone, amount_minor: int) -> None:
    """Pay from another device of the payer."""
    server = payer.server.address.rstrip("/")
    headers = {"authorization": f"Bearer {payer.token_elsewhere()}", "idempotency-key": "elsewhere"}
    order = {"to": {"username": payee.name}, "amount": {"amount_minor": amount_minor, "currency": "SGD"}}
    assert httpx.post(f"{server}/v1/transfers", json=order, headers=headers).status_code == 201


def pay_online(payer: Phone, request: str) -> None:
    """Scan a code that the server knows, and send at once."""
    payer.go("pay")
    payer.enter(request)
    expect(payer.page.locator('[data-name="way"]')).to_contain_text("Goes online")
    payer.page.locator('[data-name="confirm"]').click()
    payer.press("Send now")
    payer.verdict("paid")


def test_a_shown_code_is_paid_online_and_by_code_no_more(two: tuple[Phone, Phone], shared: MakePhone) -> None:
    asha, ben = two
    chi = shared("chi")
    chi.have(offline_minor=600)
    before, bens = asha.minor(), ben.minor()
    for each in (asha, ben):
        each.reconnect()
    request = ben.ask("6.00")
    ben.page.locator('[data-name="announced"]').wait_for()
    payment = chi.pay(request)  # chi is cut off, and pays the same code by code
    pay_online(asha, request)
    expect(ben.verdict("final")).to_contain_text(f"from {asha.name}")
    expect(asha.page.locator('[data-name="told"]')).to_contain_text("has seen it")
    ben.go("scan-payment")
    ben.enter(payment)
    assert ben.verdict("refused").get_attribute("data-code") == "no_open_request"
    asha.go("pay")
    asha.enter(request)  # scanned again: the same payment
    asha.verdict("paid")
    assert asha.minor() == (before.online_minor - 600, before.offline_minor)
    assert ben.minor() == (bens.online_minor + 600, bens.offline_minor)


def test_a_payee_who_is_cut_off_learns_at_the_next_contact(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    for each in (asha, ben):
        each.reconnect()
    request = ben.ask("6.00")
    ben.page.locator('[data-name="announced"]').wait_for()
    ben.cut_off()
    ben.page.locator('[data-name="by-code"]').wait_for()
    pay_online(asha, request)
    expect(asha.page.locator('[data-name="not-told"]')).to_contain_text("cannot see it yet")
    ben.reconnect()
    ben.verdict("final")
    asha.page.locator('[data-name="told"]').wait_for()


def test_a_code_that_was_paid_by_code_is_not_paid_online(two: tuple[Phone, Phone], shared: MakePhone) -> None:
    asha, ben = two
    chi = shared("chi")
    chi.have(online_minor=600, offline_minor=600)
    before = ben.minor()
    for each in (ben, chi):
        each.reconnect()
    request = ben.ask("6.00")
    ben.page.locator('[data-name="announced"]').wait_for()
    asha.finish(ben.accept(asha.pay(request)))  # asha is cut off
    ben.sync()
    chi.go("pay")
    chi.enter(request)
    expect(chi.page.locator('[data-name="way"]')).to_contain_text("Goes by code")
    assert ben.minor() == (before.online_minor, before.offline_minor + 600)


def test_a_load_that_was_killed_before_it_was_stored_loads_once(two: tuple[Phone, Phone]) -> None:
    _, ben = two
    before = ben.minor()
    ben.go("top-up")
    ben.page.get_by_label("Amount").fill("50")
    ben.press("Top up now")
    ben.page.locator(".hero").wait_for()
    ben.page.evaluate("""() => {
      const put = IDBObjectStore.prototype.put;
      IDBObjectStore.prototype.put = function (...row) {
        if (this.name === "documents") throw new DOMException("killed here", "AbortError");
        return put.apply(this, row);
      };
    }""")
    ben.go("move")
    ben.page.get_by_label("Amount").fill("10")
    ben.press("Move to this phone")
    ben.page.locator("[data-code]").wait_for()
    ben.forgive("killed here")
    ben.reopen()
    ben.page.get_by_label("Amount").fill("10")
    ben.press("Move to this phone")
    ben.page.locator(".hero").wait_for()
    assert ben.minor() == (before.online_minor + 4000, before.offline_minor + 1000)
