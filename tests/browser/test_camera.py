"""The real camera path of the browser, once: getUserMedia, a video track, frames, the worker that reads them.

The other tests hand pictures to the page themselves, which is faster and can look at a screen that changes.
"""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserType, expect

from browser import optics
from browser.fixtures import ARGUMENTS, CHROMIUM
from browser.phones import Phone
from browser.server import Server


def test_a_request_is_read_by_the_browsers_own_camera(
    shared: Callable[[str], Phone], chromium: BrowserType, server: Server, tmp_path: Path
) -> None:
    ben = shared("ben")
    ben.ask("7.50")
    film = tmp_path / "ben.y4m"
    screen = ben.page.locator("figure.qr canvas").screenshot()
    film.write_bytes(optics.y4m(optics.seen(screen, seed=1)))
    camera = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    browser = chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *camera])
    try:
        asha = Phone(browser, server, "asha_with_a_camera", has_own_camera=True, is_installed=False)
        asha.sign_up()
        asha.go("pay")
        expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)
        asha.check()
    finally:
        browser.close()
