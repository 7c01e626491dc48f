"""A broken camera, or one computer: every code is also a text and a file, and a wrong file is told so in a sentence."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from browser.phones import Phone
from browser.server import Server

SENTENCE = re.compile(r"^[A-Z].{20,}[.]$")


@pytest.fixture(scope="module")
def two(browser: Browser, server: Server) -> Iterator[tuple[Phone, Phone]]:
    """Asha with 40.00 on her phone, which is enough for all of this, and Ben."""
    asha, ben = (Phone(browser, server, f"{name}_without_a_camera", is_installed=False) for name in ("asha", "ben"))
    for each in (asha, ben):
        each.sign_up()
    asha.fund(offline="20.00")
    asha.load("20.00")  # one voucher holds no more
    yield asha, ben
    for each in (asha, ben):
        each.check()
        each.context.close()


def offline_minor(who: Phone) -> int:
    return int(re.sub(r"\D", "", who.money()["offline"]))


def saved(who: Phone, chip: str, folder: Path) -> Path:
    """Save the code that is shown as a file."""
    with who.page.expect_download() as download:
        who.page.get_by_role("button", name=chip, exact=True).click()
    path = folder / f"{who.name}-{download.value.suggested_filename}"
    download.value.save_as(path)
    return path


def open_file(who: Phone, file: Path) -> None:
    details = who.page.locator("details.other-ways")
    if details.get_attribute("open") is None:
        who.page.get_by_text("Without a camera").click()
    who.page.locator('[data-name="open-file"]').set_input_files(file)


def drop(who: Phone, file: Path, media_type: str) -> None:
    """Drop a file onto the screen, as from a computer's desktop."""
    who.page.locator('[data-name="drop"]').evaluate(
        """(place, [bytes, name, type]) => {
          const given = new DataTransfer();
          given.items.add(new File([new Uint8Array(bytes)], name, { type }));
          for (const kind of ["dragover", "drop"]) {
            place.dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
          }
        }""",
        [list(file.read_bytes()), file.name, media_type],
    )


def test_a_payment_goes_through_saved_pictures_and_text_files(two: tuple[Phone, Phone], tmp_path: Path) -> None:
    asha, ben = two
    before = (offline_minor(asha), offline_minor(ben))
    ben.ask("6.00")
    asha.go("pay")
    open_file(asha, saved(ben, "Picture", tmp_path))
    asha.press("Pay")
    asha.code("Payment code")
    ben.press("Scan the payment")
    ben.page.get_by_text("Without a camera").click()
    drop(ben, saved(asha, "Text file", tmp_path), "text/plain")
    ben.press("Accept")
    ben.code("Receipt code")
    asha.press("Scan the receipt")
    asha.page.get_by_text("Without a camera").click()
    drop(asha, saved(ben, "Picture", tmp_path), "image/png")
    asha.verdict("received")
    assert (offline_minor(asha), offline_minor(ben)) == (before[0] - 600, before[1] + 600)


def picture(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("1", size, 1).save(out, "PNG")
    return out.getvalue()


WRONG_FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no_code_in_picture": ("photo.png", lambda: picture((400, 300))),
    "picture_too_large": ("bomb.png", lambda: picture((9000, 9000))),  # 10 kB that unpack to 324 MB
    "picture_unreadable": ("broken.png", lambda: picture((400, 300))[:60]),
    "file_not_text": ("song.mp3", lambda: b"\xff\xfb\x90\x00" * 100),
    "no_code_in_text": ("empty.txt", lambda: b"\xef\xbb\xbf# nothing\r\n\r\n"),
    "file_too_large": ("novel.txt", lambda: b"TK1:" * 5_000_001),
    "several_codes": ("all.txt", lambda: b"TK1:AAA\n# and\nTK1:BBB\n"),
    "not_a_code": ("shop.txt", lambda: b"https://shop.example/pay\n"),
}


def test_a_wrong_file_is_told_in_a_sentence_and_the_next_is_taken(two: tuple[Phone, Phone], tmp_path: Path) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    asha.go("pay")
    for code, (name, content) in WRONG_FILES.items():
        (tmp_path / name).write_bytes(content())
        open_file(asha, tmp_path / name)
        said = asha.page.locator(f'.code-entry [data-code="{code}"]')
        expect(said).to_have_text(SENTENCE)
    (tmp_path / "windows.txt").write_bytes(request.encode("utf-16"))
    open_file(asha, tmp_path / "windows.txt")
    expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)


def test_a_code_of_the_wrong_kind_is_told_to_who_pastes_it(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    payment = asha.pay(ben.ask("6.00"))
    ben.go("pay")
    ben.enter(payment)
    expect(ben.page.locator('[data-code="not_a_request"]')).to_be_visible()


def test_a_code_that_a_messenger_broke_into_lines_is_read(two: tuple[Phone, Phone]) -> None:
    asha, ben = two
    request = ben.ask("6.00")
    broken = "\r\n".join(request[at : at + 60] for at in range(0, len(request), 60))
    asha.go("pay")
    asha.enter(f"# from Ben\n{broken}\n")
    expect(asha.page.locator('[data-name="payee"]')).to_have_text(ben.name)


# In a block: the same phone is given another voice by each test.
HEAR = """{
window.heard = [];
speechSynthesis.speak = (said) => window.heard.push(`${said.lang}: ${said.text}`);
let isAsked = false; // browsers look for the voices when they are first asked for them
speechSynthesis.getVoices = () => {
  if (isAsked) return VOICES;
  isAsked = true;
  setTimeout(() => speechSynthesis.dispatchEvent(new Event("voiceschanged")));
  return [];
};
navigator.vibrate = (pattern) => window.heard.push(JSON.stringify(pattern));
}"""


@pytest.mark.parametrize("voice", ["en-GB", "fr-FR", None], ids=["a voice", "a foreign voice", "switched off"])
def test_the_payees_phone_speaks_after_its_own_verification_only(two: tuple[Phone, Phone], voice: str | None) -> None:
    asha, ben = two
    ben.context.add_init_script(HEAR.replace("VOICES", f"[{{ lang: '{voice or 'en-GB'}' }}]"))
    ben.reopen()
    ben.go("settings")
    ben.page.locator('[data-name="spoken"]').set_checked(voice is not None)
    payment = asha.pay(ben.ask("6.00"))
    ben.press("Scan the payment")
    ben.enter(payment[:-4])  # somebody else's word, or damage, is never spoken
    ben.page.locator("[data-code='bad_cbor'], [data-code='bad_base45']").wait_for()
    assert ben.page.evaluate("() => window.heard") == []
    ben.page.locator('[data-name="code"]').fill(payment)
    ben.page.locator('[data-name="use-code"]').click()
    ben.verdict("risk")
    ben.press("Accept")
    ben.code("Receipt code")
    spoken = ["en-GB: $6.00, at your risk. Accept or refuse.", "en-GB: Received $6.00"]
    heard = ben.page.evaluate("() => window.heard")
    assert heard == (["[60,90,60]", spoken[0], "60", spoken[1]] if voice == "en-GB" else ["[60,90,60]", "60"])
