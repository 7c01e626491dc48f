"""Pictures of every screen of the wallet, made by `make screenshots`: a real server, a real browser, a short story.

All of them go to build/screenshots; docs/screenshots gets those of the README and one sheet of all for each colour
scheme. The walk fails when a screen of the app's table is not reached, so no screen stays without a picture. Where
there is an Arabic catalogue, each screen that can be opened by its address is shown in Arabic too.
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import sync_playwright

from browser.fixtures import ARGUMENTS, CHROMIUM
from browser.phones import Phone
from browser.server import ROOT, Server
from browser.tour import Tour
from tikiwallet.web.setup import set_up

ALL = ROOT / "build" / "screenshots"
KEPT = ROOT / "docs" / "screenshots"
PHONE = {"width": 390, "height": 844}
SCHEMES = ("light", "dark")
IN_README = ("home", "asked", "confirm", "paid", "verdict", "received")
ARABIC = ROOT / "src" / "tikiwallet" / "web" / "locales" / "ar.json"
QUALITY = 85
KEPT_BYTES_MAX = 1_500_000
SHEET_COLUMNS = 7
SHEET_WIDTH, SHEET_GAP = 240, 16
SHEET_GROUND = {"light": "#dcd8cd", "dark": "#000000", "arabic": "#dcd8cd"}
# The language is a fact of the wallet's store; a page reads it when it starts.
SPEAK = """(language) => new Promise((resolve, reject) => {
  const opening = indexedDB.open("tikiwallet");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const change = opening.result.transaction("facts", "readwrite");
    change.objectStore("facts").put({ name: "language", value: language });
    change.oncomplete = () => { opening.result.close(); resolve(true); };
  };
})"""


def main() -> None:
    """Make all pictures anew; ends with what was written."""
    set_up()
    shutil.rmtree(ALL, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        server = Server(Path(folder))
        server.start()
        try:
            browser = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            asha, ben = (Phone(browser, server, name) for name in ("asha", "ben"))
            for phone in (asha, ben):
                phone.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            tour = Tour(asha, ben, _shoot)
            tour.walk()
            browser.close()
        finally:
            server.stop()
    KEPT.mkdir(exist_ok=True)
    for name in IN_README:
        shutil.copyfile(ALL / "light" / f"{name}.webp", KEPT / f"{name}.webp")
    for folder_of_scheme in sorted(ALL.iterdir()):
        _write(_sheet(folder_of_scheme, tour.seen), KEPT / f"all-{folder_of_scheme.name}.webp")
    size = sum(path.stat().st_size for path in KEPT.iterdir())
    click.echo(f"{len(tour.seen)} screens in {ALL}; {size / 1000:.0f} kB in {KEPT}.")
    if size > KEPT_BYTES_MAX:
        sys.exit(f"That is more than {KEPT_BYTES_MAX / 1000:.0f} kB: keep fewer, or make them coarser.")


def _shoot(phone: Phone, name: str) -> None:
    for scheme in SCHEMES:
        phone.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        _save(phone.page.screenshot(), ALL / scheme / f"{name}.webp")
    phone.page.emulate_media(color_scheme="light")
    if ARABIC.exists():
        _shoot_in_arabic(phone, name)


def _shoot_in_arabic(phone: Phone, name: str) -> None:
    phone.page.evaluate(SPEAK, "ar")
    page = phone.context.new_page()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(phone.page.url)
    page.locator("html[data-ready]").wait_for()
    page.locator("h1").wait_for()
    if f"#/{name}" in page.url:  # what is only in the memory of the other page leads elsewhere
        _save(page.screenshot(), ALL / "arabic" / f"{name}.webp")
    page.close()
    phone.page.evaluate(SPEAK, "en")


def _save(screenshot: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(Image.open(io.BytesIO(screenshot)).convert("RGB"), path)


def _write(picture: Image.Image, path: Path) -> None:
    # Lossy, because a palette turns soft shadows into rings and rare colours, such as a refusal's red, into others.
    picture.save(path, "WEBP", quality=QUALITY, method=6)


def _sheet(folder: Path, names: list[str]) -> Image.Image:
    """Return one picture of all screens of a scheme, in the order of the walk."""
    pictures = [
        Image.open(folder / f"{name}.webp").convert("RGB") for name in names if (folder / f"{name}.webp").exists()
    ]
    height = SHEET_WIDTH * PHONE["height"] // PHONE["width"]
    rows = -(-len(pictures) // SHEET_COLUMNS)
    size = (SHEET_COLUMNS * (SHEET_WIDTH + SHEET_GAP) + SHEET_GAP, rows * (height + SHEET_GAP) + SHEET_GAP)
    sheet = Image.new("RGB", size, SHEET_GROUND[folder.name])
    for at, picture in enumerate(pictures):
        left, top = (at % SHEET_COLUMNS) * (SHEET_WIDTH + SHEET_GAP), (at // SHEET_COLUMNS) * (height + SHEET_GAP)
        small = picture.resize((SHEET_WIDTH, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (left + SHEET_GAP, top + SHEET_GAP))
    return sheet


if __name__ == "__main__":
    main()
