"""What people see: codes that a camera reads, verdicts across a counter, and questions in a real terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from rich.console import Console
from tests.cli.phones import Phone, pay_offline

from tikiwallet.cli import codes, show
from tikiwallet.cli.problems import PictureUnwritable

ROOT = Path(__file__).parents[2]
# A line through a QR code can look like a bar code of another kind; who scans a payment looks for none.
QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def photographed(lines: list[str]) -> str:
    """Return what a camera reads from lines of half blocks, dark on light."""
    picture = Image.new("L", (len(lines[0]), 2 * len(lines)), 255)
    for y, line in enumerate(lines):
        for x, glyph in enumerate(line):
            for half in (0, 1):
                if glyph == "█" or glyph == "▀▄"[half]:
                    picture.putpixel((x, 2 * y + half), 0)
    large = picture.resize((picture.width * 4, picture.height * 4), Image.Resampling.NEAREST)
    (found,) = zxingcpp.read_barcodes(large, formats=QR)
    text: str = found.text
    return text


def test_a_code_in_the_terminal_is_read_by_a_camera(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "5")["code"]
    assert photographed(codes.half_blocks(asked)) == asked
    shown = ben.run("offline", "show", ben.does("offline", "show")["items"][0]["id"]).stdout.splitlines()
    width = len(codes.half_blocks(asked)[0])
    assert photographed([line for line in shown if len(line) == width]) == asked
    paid = asha.does("offline", "pay", asked, "--yes")["code"]
    assert photographed(codes.half_blocks(paid)) == paid


def test_a_window_too_narrow_for_a_code_says_what_to_do(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "5")["code"]
    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    show.code(console, asked, png=None, caption="Let the payer scan this.")
    console.file.close()
    text = console.export_text()
    assert "make the window wider, or save it with --png FILE" in " ".join(text.split())
    assert asked in text  # in one line, so that it can be copied


def test_what_is_too_large_for_a_picture_is_text(tmp_path: Path) -> None:
    text = "TK1:" + "A" * codes.QR_CHARACTERS_MAX
    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    show.code(console, text, png=None, caption="Handed back: 6.00 SGD.")
    console.file.close()
    assert text in console.export_text()
    with pytest.raises(PictureUnwritable, match="too large for a picture"):
        codes.write_png(text, tmp_path / "code.png")


def test_a_refused_payment_says_so_across_the_counter(asha: Phone, ben: Phone, chi: Phone) -> None:
    taken = pay_offline(asha, ben, "5")
    refused = chi.run("offline", "accept", taken["code"])
    assert refused.exit_code == 1
    assert "REFUSED" in refused.stderr
    assert "This does not answer a request of yours." in " ".join(refused.stderr.replace("│", " ").split())
    assert "no_open_request" in refused.stderr


def test_money_that_rests_is_pointed_out(asha: Phone, ben: Phone) -> None:
    pay_offline(asha, ben, "5")
    ben.clock.now += 8 * 24 * 3600
    shown = " ".join(ben.run("balance").stdout.split())
    assert "5.00 SGD can't be paid with any more: run tiki sync." in shown


def test_what_a_till_was_paid_is_called_its_own(phone: Callable[[str], Phone], asha: Phone) -> None:
    shop = phone("shop").install(certified=False)
    with shop.wallet() as wallet:
        shop.operator.certify(wallet, may_hand_on=False)
    pay_offline(asha, shop, "5")
    shown = " ".join(shop.run("balance").stdout.split())
    assert "5.00 SGD that this phone was paid stays with you: it is credited once brought." in shown
    assert "1 payment is not with the operator yet" in shown
    assert "run tiki login, then tiki sync" in shown


def test_everything_made_offline_is_shown_with_its_picture(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    paid = asha.does("offline", "pay", ben.does("offline", "request", "5")["code"], "--yes")
    assert "The same payment as before: 5.00 SGD to ben." in asha.run("offline", "pay", paid_request(ben)).stdout
    refused = ben.run("offline", "refuse", paid["code"], "--png", str(tmp_path / "refusal.png"))
    assert "You claim nothing from it." in refused.stdout
    learned = asha.run("offline", "accept", str(tmp_path / "refusal.png"))
    assert "ben refused your 5.00 SGD." in learned.stdout
    assert "Nothing was paid or received offline yet." not in asha.run("offline", "show").stdout
    second = asha.does("offline", "pay", ben.does("offline", "request", "1")["code"], "--yes")
    assert "your 1.00 SGD wasn't taken" in asha.run("offline", "not-taken", second["payment_id"]).stdout


def paid_request(phone: Phone) -> str:
    code: str = next(item for item in phone.does("offline", "show")["items"] if item["kind"] == "request")["code"]
    return code


def test_a_coming_home_date_is_shown_after_a_key_was_replaced(asha: Phone) -> None:
    replaced = asha.run("phones", "replace", "--yes")
    assert "This phone has a new key." in replaced.stdout
    assert "50.00 SGD of a retired key comes home by" in asha.run("balance").stdout
    assert "coming home" in asha.run("status").stdout


class Terminal:
    """A person at a real terminal: waits for a question, then types."""

    def __init__(self, phone: Phone, *args: str) -> None:
        self._master, follower = pty.openpty()
        surroundings = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "TIKI_WALLET": str(phone.folder),
            "TIKI_STATE_DIR": str(phone.state_dir), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color",
        }  # fmt: skip
        command = [sys.executable, "-m", "tikiwallet.cli.main", *args]
        self._process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=surroundings)
        os.close(follower)
        self.seen = ""

    def answers(self, question: str, text: str) -> "Terminal":
        """Wait for a question and answer it."""
        while question not in self.seen.rpartition("\n")[2]:
            self.seen += os.read(self._master, 65536).decode(errors="replace")
        self.seen += "\n"
        os.write(self._master, (text + "\n").encode())
        return self

    def ends(self) -> int:
        """Read to the end; return the exit status."""
        while True:
            try:
                part = os.read(self._master, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            self.seen += part.decode(errors="replace")
        os.close(self._master)
        return self._process.wait()


def test_a_new_key_gets_a_passphrase_that_is_asked_for_and_never_shown(asha: Phone) -> None:
    terminal = Terminal(asha, "phones", "replace").answers("[y/N]", "y")
    terminal.answers("(empty: none)", "blue umbrella").answers("Repeat for confirmation", "blue umbrella")
    assert terminal.ends() == 0
    assert "blue umbrella" not in terminal.seen
    (key_file,) = asha.folder.glob("key-*.pem")
    assert b"ENCRYPTED" in key_file.read_bytes()
    opened = Terminal(asha, "offline", "request", "5").answers("Passphrase of this wallet's key", "blue umbrella")
    assert opened.ends() == 0
    assert "\x1b[" in opened.seen  # dark on light, whatever the terminal's colours are
    asha.env["TIKI_PASSPHRASE"] = "blue umbrella"
    assert asha.does("offline", "request", "5")["amount_minor"] == 500


def test_two_passphrases_that_differ_are_asked_for_again_and_none_needs_no_repeating(asha: Phone) -> None:
    terminal = Terminal(asha, "phones", "replace").answers("[y/N]", "y")
    terminal.answers("(empty: none)", "blue umbrella").answers("Repeat for confirmation", "blue umbrela")
    assert terminal.answers("(empty: none)", "").ends() == 0
    assert "These two differ; try again." in terminal.seen
    assert asha.does("offline", "request", "5")["amount_minor"] == 500


@pytest.mark.parametrize("keys", ["\x03", "\x04"])
def test_leaving_a_question_is_a_quiet_stop(asha: Phone, keys: str) -> None:
    terminal = Terminal(asha, "phones", "replace").answers("[y/N]", keys)
    assert terminal.ends() == 1
    assert "Traceback" not in terminal.seen
    assert "not_confirmed" in terminal.seen
    assert asha.offline_balance() == 5000
