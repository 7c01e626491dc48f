"""The bundle is that of the sources, whole, and whoever changes a source is never served yesterday's."""

import re

import pytest

from tikiwallet.platform.pages import read_files
from tikiwallet.web import bundle, setup


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """What is in the folder after set-up."""
    return read_files("tikiwallet.web")


def test_a_bundle_takes_the_place_of_its_sources(files: dict[str, bytes]) -> None:
    served = bundle.served(files)
    assert bundle.is_current(files)
    assert {"app.js", "sw.js", "scan-worker.js", "index.html", "style.css", "locales/en.json"} <= set(served)
    others = {"app.js", "sw.js", "scan-worker.js"}
    assert {path for path in served if path.endswith(".js")} - others == {p for p in served if p.startswith("chunks/")}
    assert served["app.js"] != files["app.js"]


@pytest.mark.parametrize("path", ["app.js", "screens/home.js", "vendor/ui.js", "index.html", "setup.py"])
def test_a_bundle_of_other_sources_is_not_served(files: dict[str, bytes], path: str) -> None:
    changed = {**files, path: files[path] + b"\n"}
    assert not bundle.is_current(changed)
    served = bundle.served(changed)
    assert served["screens/home.js"] == changed["screens/home.js"]
    assert not {name for name in served if name.startswith(("dist/", "chunks/"))}


def test_a_file_that_came_or_went_is_noticed(files: dict[str, bytes]) -> None:
    assert not bundle.is_current({**files, "screens/new.js": b""})
    assert not bundle.is_current({path: content for path, content in files.items() if path != "screens/history.js"})


def test_texts_and_colours_are_no_part_of_the_bundle(files: dict[str, bytes]) -> None:
    changed = {**files, "locales/en.json": b"{}", "style.css": b""}
    assert bundle.is_current(changed)
    assert bundle.served(changed)["locales/en.json"] == b"{}"


def test_every_file_that_the_bundle_asks_for_is_in_it(files: dict[str, bytes]) -> None:
    served = bundle.served(files)
    asked = {
        (path, target)
        for path, content in served.items()
        if path.endswith(".js")
        for target in re.findall(r'(?:from|import) ?\(?"\.{1,2}/([^"]+)"', content.decode())
    }
    assert len(asked) > 10
    there = {path.removeprefix("chunks/") for path in served}
    assert [pair for pair in asked if pair[1].removeprefix("chunks/") not in there] == []


def test_what_the_first_screen_needs_is_one_module_that_the_page_announces(files: dict[str, bytes]) -> None:
    served = bundle.served(files)
    (shell,) = re.findall(r'import"\./([^"]+)"', served["app.js"].decode())
    assert f'<link rel="modulepreload" href="./{shell}">' in served["index.html"].decode()
    assert not re.search(r'(?:from|import) ?"\.', served[shell].decode())
    assert "/*! preact" in served[shell].decode()  # whose code it is, and under which licence


def test_nothing_is_made_twice() -> None:
    assert setup.set_up() is False
