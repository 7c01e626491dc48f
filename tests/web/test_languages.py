"""Every language says all that English says: the same keys and gaps, every form of a count, every code."""

import json
import re
from pathlib import Path

import pytest

from tidy.test_codes import refusals
from tikicash.errors import SENTENCES
from tikiwallet.offline.claims import OWN_SENTENCES

WEB = Path(__file__).parents[2] / "src" / "tikiwallet" / "web"
LOCALES = {path.stem: json.loads(path.read_text()) for path in sorted((WEB / "locales").glob("*.json"))}
# The protocol's codes are English in the standard itself, and in every other language here.
ENGLISH = {**LOCALES["en"], **{f"code.{code}": sentence for code, sentence in SENTENCES.items()}}
OTHERS = sorted(set(LOCALES) - {"en"})
# The forms that whole numbers of things have, as CLDR tells them and Intl.PluralRules picks them.
FORMS = {
    "en": {"one", "other"},
    "id": {"other"},
    "hi": {"one", "other"},
    "sw": {"one", "other"},
    "fr": {"one", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
COUNTED = {key.removesuffix(".one") for key in ENGLISH if key.endswith(".one")}
# What is the same as in English, and why that is right.
SAME = {
    # Indonesian wallets write these as English does.
    "id": {"app", "bank", "online", "pin", "receipt.online", "receipt.status", "status.offline", "status.online"},
    "hi": {"app"},
    "sw": {"app", "pin"},  # a name, and the word on every bank's machine
    "fr": {"app", "export", "kind.correction", "pin", "receipt.note"},  # the same words
    "ar": {"app"},
}


def plain(key: str) -> str:
    """A key with a star for the form of its count."""
    stem, _, form = key.rpartition(".")
    return f"{stem}.*" if stem in COUNTED and form in FORMS["ar"] else key


def gaps(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def own_codes() -> set[str]:
    """The codes of the web wallet itself: what its own errors carry."""
    sources = "\n".join(path.read_text() for path in WEB.rglob("*.js") if not {"vendor", "dist"} & set(path.parts))
    return set(re.findall(r'(?:^  code = |\bnew \w+\()"([a-z_]+)"', sources, re.MULTILINE))


def wanted_keys(language: str) -> set[str]:
    counted = {f"{stem}.{form}" for stem in COUNTED for form in FORMS[language]}
    return {key for key in ENGLISH if plain(key) == key} | counted


def test_the_languages_that_can_be_picked_are_those_with_a_catalogue() -> None:
    offered = re.search(r"LANGUAGES = Object\.freeze\(\{(.*?)\}\)", (WEB / "i18n.js").read_text(), re.DOTALL)
    assert offered is not None
    assert set(re.findall(r"(\w+):", offered[1])) == set(LOCALES)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_keys_of_english_and_the_forms_of_its_own(language: str) -> None:
    found = set(LOCALES[language])
    assert (wanted_keys(language) - found, found - wanted_keys(language)) == (set(), set())


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_a_text_has_the_gaps_of_english(language: str) -> None:
    english = {plain(key): gaps(text) for key, text in ENGLISH.items()}
    wrong = {}
    for key, text in LOCALES[language].items():
        # Some forms name their number by a word ("two requests"); none may have a gap that is never filled.
        missing = english[plain(key)] - gaps(text) - ({"count"} if plain(key) != key else set())
        if missing or gaps(text) - english[plain(key)]:
            wrong[key] = text
    assert wrong == {}


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_no_text_is_empty_or_untidy(language: str) -> None:
    texts = LOCALES[language]
    assert [key for key, text in texts.items() if not text.strip() or text != text.strip() or "  " in text] == []
    assert [key for key, text in texts.items() if re.search(r"[{}]", re.sub(r"\{\w+\}", "", text))] == []
    # The typewriter's apostrophe, which no book of these languages has.
    assert [key for key, text in texts.items() if "'" in text] == []


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_was_left_in_english(language: str) -> None:
    same = {key for key, text in LOCALES[language].items() if text == ENGLISH.get(key)}
    assert same == SAME[language] & set(ENGLISH)


# What only the operators' page and commands answer: they are in English.
FOR_OPERATORS = ("tikiwallet.console.", "tikiwallet.identity.operator", "tikiwallet.ledger.corrections")


@pytest.mark.parametrize("language", sorted(LOCALES))
def test_every_code_that_can_reach_a_screen_is_a_sentence(language: str) -> None:
    texts = ENGLISH if language == "en" else LOCALES[language]
    of_people = [kind for kind in refusals() if not kind.__module__.startswith(FOR_OPERATORS)]
    codes = {kind.code for kind in of_people} | set(SENTENCES) | set(OWN_SENTENCES) | own_codes()
    assert len(codes) > 125
    assert {code for code in codes if f"code.{code}" not in texts} == set()
    assert [code for code in codes if not texts[f"code.{code}"].endswith((".", "।"))] == []
