"""Copies of payments: exported by one phone, brought by another; and a sync that is cut in the middle."""

import csv
import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pypdf
from playwright.sync_api import Route, expect

from browser.phones import Phone
from browser.server import Server
from protocol import world as foreign
from tikicash.messages import to_code

MakePhone = Callable[[str], Phone]


def exported(who: Phone, button: str) -> str:
    who.go("export")
    with who.page.expect_download() as download:
        who.page.locator(f'[data-name="{button}"]').click()
    return Path(download.value.path()).read_text()


def bring(who: Phone, text: str) -> None:
    who.go("bring")
    file = {"name": "payments.txt", "mimeType": "text/plain", "buffer": text.encode()}
    who.page.locator('[data-name="open-file"]').set_input_files(file)  # type: ignore[arg-type]


def said(who: Phone, what: str, number: int) -> None:
    expect(who.page.locator(f'[data-name="{what}"]')).to_have_text(str(number))


def foreign_codes(count: int) -> list[str]:
    """Payments of another network: whole and signed, and no business of this operator."""
    voucher = foreign.voucher(foreign.ASHA)
    payments = (
        foreign.pay(foreign.ASHA, foreign.BEN, foreign.piece(voucher, foreign.FIRST + at, 1)) for at in range(count)
    )
    return [to_code(foreign.bundle(payment, voucher)) for payment in payments]


def test_a_friend_brings_what_a_lost_phone_exported(
    phone: MakePhone, shared: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    asha, ben, chi = shared("asha"), phone("ben"), shared("chi")
    asha.have(offline_minor=600)
    before = chi.minor()
    without_network()
    ben.accept(asha.pay(ben.ask("6.00")))
    file = exported(ben, "export-payments")
    lines = [line for line in file.splitlines() if not line.startswith("#")]
    assert (len(lines), lines[0][:4]) == (1, "TK1:")
    ben.wipe()
    asha.wipe()
    bring(chi, file)
    said(chi, "brought-later", 1)  # stored; there is no network
    chi.reopen()
    server.start()
    chi.sync()
    ben.sign_in()
    assert ben.rows_minor(f"From {asha.name}") == 600
    assert chi.minor() == before  # the courier gets nothing
    asha.sign_in()


def test_each_line_of_a_half_good_file_is_told_apart(shared: MakePhone) -> None:
    asha, ben, chi = (shared(name) for name in ("asha", "ben", "chi"))
    asha.have(offline_minor=600)
    request = ben.ask("6.00")
    payment = asha.pay(request)
    damaged, stranger = payment[:-3], foreign_codes(1)[0]
    bring(chi, f"\ufeff# Ben's\r\n{payment}\r\n{payment}\r\n{damaged}\r\nhello\r\n\r\n{request}\r\n{stranger}\r\n")
    said(chi, "recorded", 1)
    said(chi, "refused", 4)
    for code in ("not_a_code", "not_a_payment", "wrong_network"):
        expect(chi.page.locator(f'[data-code="{code}"]')).to_have_count(1)
    bring(chi, payment)  # the same again changes nothing
    said(chi, "recorded", 1)
    said(chi, "refused", 0)


def test_the_history_is_a_table_that_no_spreadsheet_runs(phone: MakePhone) -> None:
    asha = phone("asha")
    asha.fund(offline="15.00")
    rows = list(csv.DictReader(io.StringIO(exported(asha, "export-history"))))
    assert [(row["kind"], row["direction"], row["amount_minor"]) for row in rows] == [
        ("load", "out", "1500"),
        ("top_up", "in", "5000"),
    ]
    rows = list(csv.DictReader(io.StringIO(exported(asha, "statement-csv"))))
    assert [row["balance"] for row in rows] == ["0.00", "50.00", "35.00", "35.00"]
    asha.page.locator('[name="month"]').fill("2099-01")
    asha.page.locator('[data-name="statement-pdf"]').click()
    expect(asha.page.locator('[data-code="statement_month_invalid"]')).to_be_visible()
    asha.page.locator('[name="month"]').fill(f"{datetime.now(UTC):%Y-%m}")
    with asha.page.expect_download() as download:
        asha.page.locator('[data-name="statement-pdf"]').click()
    assert "Wallet of asha" in pypdf.PdfReader(download.value.path()).pages[0].extract_text()


def test_a_sync_goes_on_where_the_server_died(
    phone: MakePhone, server: Server, without_network: Callable[[], None]
) -> None:
    chi = phone("chi")
    calls = itertools.count(1)
    brought: list[tuple[int, bool]] = []

    def die_in_the_middle(route: Route) -> None:
        order = route.request.post_data_json
        brought.append((len(order["bundles"]), order.get("more_follows", False)))
        assert len(route.request.post_data or "") < 750_000
        if next(calls) != 2:
            return route.continue_()
        route.fetch()  # it was received and written down, and the answer never came
        without_network()
        return route.abort()

    chi.context.route("**/v1/offline/sync", die_in_the_middle)
    bring(chi, "\n".join(foreign_codes(90)))
    said(chi, "brought-later", 50)
    server.start()
    chi.sync()
    assert brought[:2] == [(40, True), (40, True)]
    assert brought[2:4] == [(40, True), (10, False)]  # only the last one takes something home
    expect(chi.page.get_by_text("Not counted by the operator")).to_be_visible()
