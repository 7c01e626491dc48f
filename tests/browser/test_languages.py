"""The wallet in each of its languages: the first visit, signing up, a refusal, every screen that an address opens."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.phones import LOCALES, Phone
from browser.room import CHEAP_PHONE, CUT_OFF
from browser.server import Server
from browser.tour import all_screens

OTHERS = sorted(path.stem for path in LOCALES.glob("*.json") if path.stem != "en")
# Each piece of text on the screen by itself, and what a screen reader says instead of it.
TEXTS = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) found.push(walk.currentNode.data);
  for (const item of document.querySelectorAll("[aria-label]")) found.push(item.getAttribute("aria-label"));
  return found.map((text) => text.trim()).filter(Boolean);
}"""


NOBODY = "**/v1/people?username="


def texts_of(language: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads(Path(LOCALES / f"{language}.json").read_text())
    return texts


def as_pattern(text: str) -> str:
    return ".+".join(re.escape(part) for part in re.split(r"\{\w+\}", text))


class Reader:
    """Who reads one language only, and notes what is said in another or has no room."""

    def __init__(self, page: Page, language: str) -> None:
        self.page = page
        english, own = texts_of("en"), texts_of(language)
        foreign = {text for key, text in english.items() if own.get(key) != text} - set(own.values())
        self._foreign = re.compile("|".join(as_pattern(text) for text in sorted(foreign) if text.strip("{}") != text))
        self._foreign_words = foreign
        self._keys = {key for key in english if "." in key or "_" in key}
        self.remarks: list[str] = []

    def look(self, screen: str) -> None:
        self.page.locator("h1").wait_for(state="attached")  # a person's screen without a person has an empty one
        expect(self.page.locator('[aria-busy="true"], .late')).to_have_count(0)
        for text in self.page.evaluate(TEXTS):
            if text in self._foreign_words or text in self._keys or self._foreign.fullmatch(text):
                self.remarks.append(f"{screen}: “{text}”")
        self.remarks += [f"{screen}: {one}" for one in self.page.evaluate(CUT_OFF)]


@pytest.mark.parametrize("language", OTHERS)
def test_a_person_finds_a_whole_wallet_in_a_language(browser: Browser, server: Server, language: str) -> None:
    asha = Phone(browser, server, f"asha_reads_{language}", language=language, is_installed=False)
    page, texts = asha.page, texts_of(language)
    page.set_viewport_size(CHEAP_PHONE)  # type: ignore[arg-type]
    reader = Reader(page, language)
    direction = "rtl" if language == "ar" else "ltr"
    expect(page.locator(f'html[lang="{language}"][dir="{direction}"]')).to_have_count(1)
    reader.look("welcome")
    page.get_by_role("link", name=texts["sign_up"]).click()
    reader.look("sign-up")
    asha.begin_sign_up()
    page.get_by_label(texts["code"]).fill("000000")
    page.get_by_role("button", name=texts["open_wallet"]).click()
    expect(page.locator('[data-code="code_wrong"]')).to_have_text(texts["code.code_wrong"])
    reader.look("code")
    asha.end_sign_up()
    for screen in all_screens():
        # Whoever leaves before a refusal is there hears nothing of it.
        with page.expect_response(NOBODY) if screen == "send" else contextlib.nullcontext():
            asha.go(screen)
        reader.look(screen)
    assert reader.remarks == []
    asha.forgive("422")  # the wrong code
    asha.forgive("400")  # a person and a request without a name
    asha.check()
    asha.context.close()


def test_a_language_that_was_picked_stays_and_needs_no_network(browser: Browser, server: Server) -> None:
    asha = Phone(browser, server, "asha_picks")
    asha.sign_up()
    server.stop()
    try:
        asha.go("settings")
        asha.page.get_by_label("Language").focus()
        asha.page.get_by_label("Language").select_option("sw")
        expect(asha.page.get_by_role("heading", name=texts_of("sw")["settings"], exact=True)).to_be_visible()
        expect(asha.page.locator('[data-name="language"]')).to_be_focused()
        asha.reopen()
        expect(asha.page.locator('html[lang="sw"]')).to_have_count(1)
        asha.page.get_by_label(texts_of("sw")["language"]).select_option("id")
        expect(asha.page.get_by_role("heading", name=texts_of("id")["settings"], exact=True)).to_be_visible()
    finally:
        server.start()
    asha.check()
    asha.context.close()


def test_a_language_that_cannot_be_had_leaves_the_one_that_is_spoken(browser: Browser, server: Server) -> None:
    context = browser.new_context(service_workers="block", locale="fr-SN")
    page = context.new_page()
    page.goto(server.address)
    page.locator("html[data-ready]").wait_for()
    page.route("**/locales/sw.json", lambda route: route.abort())
    picker = page.locator('[data-name="language"]')
    picker.select_option("sw")
    expect(page.get_by_role("alert")).to_have_text(texts_of("fr")["code.unreachable"])
    expect(picker).to_have_value("fr")
    expect(page.locator('html[lang="fr"]')).to_have_count(1)
    page.unroute("**/locales/sw.json")
    picker.select_option("sw")
    expect(page.get_by_role("heading", name=texts_of("sw")["welcome.title"])).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    context.close()


def test_an_amount_is_typed_in_the_digits_of_the_language(browser: Browser, server: Server) -> None:
    asha = Phone(browser, server, "asha_counts", language="ar", is_installed=False)
    asha.sign_up()
    texts = texts_of("ar")
    asha.go("top-up")
    asha.page.get_by_label(texts["amount"]).fill("\u0661\u0662\u066b\u0665\u0660")  # 12.50
    asha.page.get_by_role("button", name=texts["bank.top_up.now"], exact=True).click()
    shown = re.compile("12[.,]50|\u0661\u0662\u066b\u0665\u0660")  # as Intl decides
    expect(asha.page.locator('[data-name="online"] .money')).to_have_text(shown)
    asha.check()
    asha.context.close()
