"""Every way to say no stands in docs/api.md, as it is served, and has a test that names it.

`make codes` rewrites the table (REWRITE_CODES=1).
"""

import importlib
import os
import pkgutil
import re
from collections import Counter
from pathlib import Path

import tikiwallet
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import MethodNotAllowed
from tikiwallet.platform.problems import STATUS, InternalError

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api.md"
HEAD = "| code | status | sentence |\n|---|---|---|\n"
TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\|\n)*")
# HTTP itself says more exactly what these are than their kind does.
STATUS_OF_ITS_OWN = {InternalError: 500, MethodNotAllowed: 405}


def refusals() -> list[type[Refused]]:
    """Every refusal of the server, in the order of their codes."""
    for module in pkgutil.walk_packages(tikiwallet.__path__, "tikiwallet."):
        importlib.import_module(module.name)
    found, left = set(), [Refused]
    while left:
        left += left.pop().__subclasses__()
        found |= {kind for kind in left if kind.__module__.startswith("tikiwallet.")}
    return sorted(found, key=lambda kind: kind.code)


def table() -> str:
    """The table of all codes."""
    rows = [(kind.code, STATUS_OF_ITS_OWN.get(kind, STATUS[kind.kind]), kind.sentence()) for kind in refusals()]
    return HEAD + "".join(f"| `{code}` | {status} | {sentence} |\n" for code, status, sentence in rows)


def test_the_api_page_lists_every_code() -> None:
    page = API.read_text()
    if os.environ.get("REWRITE_CODES"):
        page = TABLE.sub(lambda _: table(), page)
        API.write_text(page)
    assert table() in page, "run `make codes`"


def test_no_code_is_used_twice() -> None:
    assert [code for code, times in Counter(kind.code for kind in refusals()).items() if times > 1] == []


def test_every_code_has_a_sentence_and_a_test() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    assert [kind.code for kind in refusals() if not kind.sentence().endswith((".", "?"))] == []
    assert [kind.code for kind in refusals() if f'"{kind.code}"' not in tests] == []
