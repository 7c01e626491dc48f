"""The rules of STYLE.md for JavaScript that a machine can keep. Each failure names the place and the rule."""

import json
import re
import subprocess
from pathlib import Path

from tikiwallet.web.setup import find_node
from web.shell import SHELL_BYTES_MAX, shell_bytes

ROOT = Path(__file__).parents[2]
WEB = ROOT / "src" / "tikiwallet" / "web"
OURS = sorted(path for path in WEB.rglob("*.js") if not {"vendor", "dist"} & set(path.parts))
CONSOLE = ROOT / "src" / "tikiwallet" / "console" / "page"
MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style="
TESTS = sorted(Path(__file__).parent.glob("*.js"))
FILE_LINES_MAX = 400
SCREEN_LINES_MAX = 200
LINE_LENGTH_MAX = 120


def name_of(path: Path) -> str:
    return str(path.relative_to(WEB))


def test_files_and_lines_fit_their_room() -> None:
    assert len(OURS) > 30
    limits = {path: SCREEN_LINES_MAX if path.parent.name == "screens" else FILE_LINES_MAX for path in [*OURS, *TESTS]}
    assert [path for path, limit in limits.items() if len(path.read_text().splitlines()) > limit] == []
    assert [path for path in limits if any(len(line) > LINE_LENGTH_MAX for line in path.read_text().splitlines())] == []


def test_modules_say_why_they_exist() -> None:
    assert [name_of(path) for path in OURS if not path.read_text().startswith("// ")] == []


def only_in(pattern: str, *places: str) -> list[str]:
    """Files outside some places whose code has a pattern."""
    return [
        f"{name_of(path)}:{number}"
        for path in OURS
        if name_of(path) not in places
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line) and not line.lstrip().startswith(("//", "*", "/*"))
    ]


def test_only_one_file_fetches_stores_or_knows_the_device() -> None:
    assert only_in(r"\bfetch\(", "api.js", "sw.js") == []
    assert only_in(r"\bindexedDB\b", "store.js") == []
    assert only_in(r"\bnavigator\.|\blocalStorage\b|\bspeechSynthesis\b", "platform.js", "store.js") == []
    assert only_in(r"\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(", "platform.js") == []


def test_nothing_can_become_code_or_markup() -> None:
    assert only_in(MARKUP) == []


def test_the_operators_page_keeps_the_same_rules() -> None:
    sources = {path.name: path.read_text() for path in CONSOLE.glob("*.js")}
    assert len(sources) > 5
    for name, text in sources.items():
        lines = text.splitlines()
        assert text.startswith("// "), name
        assert len(lines) <= SCREEN_LINES_MAX, name
        assert max(map(len, lines)) <= LINE_LENGTH_MAX, name
        assert not re.search(MARKUP, text), name
        assert name == "api.js" or "fetch(" not in text, name
        assert not re.search(r"\blocalStorage\b|\bindexedDB\b|\bdocument\.cookie\b", text), name


def test_every_text_on_a_screen_is_in_the_catalogue_and_none_is_left_over() -> None:
    catalogue = json.loads((WEB / "locales" / "en.json").read_text())
    code = "\n".join(path.read_text() for path in OURS)
    used = set(re.findall(r'\bt\("([\w.]+)"', code))
    assert used - set(catalogue) == {"code.not_enough_offline_money"}  # from the standard
    # A key that is put together (`verdict.${word}`) is used by its first part.
    parts = set(re.findall(r"[`\"]([a-z_]+(?:\.[a-z_]+)*)\.?\$\{", code)) | {"code", "kind", "status", "move"}
    parts |= {f"{key}." for key in re.findall(r'\btCount\("([\w.]+)"', code)}  # its forms differ by language
    named = set(re.findall(r'"([\w.]+)"', code))
    left_over = [key for key in catalogue if key not in used | named and not any(key.startswith(p) for p in parts)]
    assert left_over == []


def test_the_first_screen_fits_a_slow_network() -> None:
    assert shell_bytes() <= SHELL_BYTES_MAX


def test_types_are_right() -> None:
    node, _ = find_node()
    tsc = [str(node), str(ROOT / "node_modules" / "typescript" / "bin" / "tsc"), "-p", str(ROOT / "jsconfig.json")]
    done = subprocess.run(tsc, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
