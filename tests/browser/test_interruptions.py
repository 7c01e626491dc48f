"""Every step of a payment interrupted in turn: nothing is lost, nothing is doubled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, expect

from browser.phones import Phone
from browser.server import Server

MakePhone = Callable[[str], Phone]


@pytest.fixture
def two(shared: MakePhone) -> tuple[Phone, Phone]:
    """Asha with at least 15.00 on her phone, and Ben."""
    asha, ben = shared("asha"), shared("ben")
    asha.have(offline_minor=1500)
    return asha, ben


def coming_home(who: Phone) -> Locator:
    return who.page.get_by_text("Offline money coming home")


def test_a_payment_for_somebody_else_is_refused_with_a_sentence(two: tuple[Phone, Phone], shared: MakePhone) -> None:
    asha, ben = two
    chi = shared("chi")
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
    before = ben.minor()
    ben.accept(asha.pay(ben.ask("6.05")))
    asha.wipe()
    ben.sync()
    assert ben.minor() == (before.online_minor, before.offline_minor + 605)
    underway = ben.page.locator("section", has=ben.page.get_by_role("heading", name="Underway"))
    expect(underway.locator(".row", has_text="$6.05")).to_be_visible()
    asha.sign_in()


def test_the_payee_loses_the_phone_before_bringing_the_payment(shared: MakePhone, phone: MakePhone) -> None:
    asha, ben = shared("asha"), phone("ben")
    asha.have(offline_minor=600)
    asha.finish(ben.accept(asha.pay(ben.ask("6.00"))))
    ben.wipe()
    asha.sync()  # any copy is enough
    ben.sign_in()
    assert ben.rows_minor(f"From {asha.name}") == 600
    assert ben.money()["offline"] == "$0.00"  # the key is gone: the account gets it on the date shown


def test_a_wallet_put_back_from_a_copy_takes_a_new_key(two: tuple[Phone, Phone]) -> None:
    asha, _ = two
    home_before = coming_home(asha).count()
    asha.page.evaluate("() => localStorage.setItem('tikiwallet.install_id', 'of another install')")
    asha.sync()
    assert asha.money()["offline"] == "$0.00"
    expect(coming_home(asha).nth(home_before)).to_be_visible()


COPY = """([from, to]) => {
  const open = (name, stores) => new Promise((resolve) => {
    const request = indexedDB.open(name);
    request.onupgradeneeded = () => {
      for (const store of stores) request.result.createObjectStore(store, { autoIncrement: true });
    };
    request.onsuccess = () => resolve(request.result);
  });
  const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
  return (async () => {
    const stores = [...(await open("tikiwallet", [])).objectStoreNames];
    const [source, target] = [await open(from, stores), await open(to, stores)];
    for (const store of stores) {
      const rows = await done(source.transaction(store).objectStore(store).getAll());
      const into = target.transaction(store, "readwrite").objectStore(store);
      await done(into.clear());
      for (const row of rows) await done(into.put(row));
    }
    source.close();
    target.close();
  })();
}"""


def test_a_database_put_back_to_an_older_state_takes_a_new_key(
    two: tuple[Phone, Phone], server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben = two
    has, home_before = asha.money(), coming_home(asha).count()
    without_network()
    asha.page.evaluate(COPY, ["tikiwallet", "a backup"])
    ben.accept(asha.pay(ben.ask("6.00")))
    asha.page.evaluate(COPY, ["a backup", "tikiwallet"])
    asha.reopen()
    assert asha.money() == has  # it believes so; it forgot what it paid
    asha.go("pay")
    asha.enter(ben.ask("7.00"))
    asha.press("Pay")  # the same units again would make an honest person a cheat
    expect(asha.page.locator('[data-code="not_enough_offline_money"]')).to_be_visible()
    assert asha.money()["offline"] == "$0.00"
    server.start()
    asha.sync()
    ben.sync()
    asha.go("home")
    expect(coming_home(asha).nth(home_before)).to_be_visible()


def test_signing_out_takes_nothing_away(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    before = asha.minor()
    request = ben.ask("6.00")
    asha.go("sign-out")
    asha.press("Sign out")
    expect(asha.page.get_by_label("Password")).to_be_visible()
    payment = asha.pay(request)
    asha.finish(ben.accept(payment))
    assert asha.minor().offline_minor == before.offline_minor - 600
    asha.go("sign-in")
    asha.give_password()
    asha.wait_until_synced()


def test_a_phone_whose_clock_is_a_year_ahead_forgets_nothing(phone: MakePhone) -> None:
    asha = phone("asha")
    asha.fund(offline="15.00")
    now = datetime.now(UTC)
    asha.page.clock.set_fixed_time(now + timedelta(days=365))
    asha.sync()
    asha.page.clock.set_fixed_time(now)
    asha.sync()
    assert asha.money()["offline"] == "$15.00"
