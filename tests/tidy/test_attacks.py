"""docs/attacks.md names every attack of the list once, and tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attacks.md").read_text()
IDS = [*(f"A{number}" for number in range(1, 22)), *(f"B{number}" for number in range(1, 12)),
       *(f"C{number}" for number in range(1, 6)), *(f"D{number}" for number in range(1, 10))]  # fmt: skip
ANSWERED, OPEN = (
    re.findall(r"^\| ([ABCD]\d+) \|(.*)\|$", part, re.MULTILINE) for part in PAGE.split("## Not answered")
)


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the tests in a file under tests/."""
    file = ROOT / "tests" / path
    if not file.exists():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions))


def test_every_attack_is_on_the_page_once() -> None:
    assert sorted(name for name, _ in [*ANSWERED, *OPEN]) == sorted(IDS)


def test_every_answer_has_a_test_that_exists() -> None:
    missing = [
        f"{attack}: {path}::{name}"
        for attack, row in ANSWERED
        for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", row)
        if not name.startswith("test_") or name not in names_in(path)
    ]
    assert missing == []
    assert [attack for attack, row in ANSWERED if "::" not in row] == []


def test_every_row_is_whole() -> None:
    assert [
        attack for attack, row in ANSWERED if len(row.split("|")) != 3 or not all(map(str.strip, row.split("|")))
    ] == []
    assert [attack for attack, row in OPEN if len(row.split("|")) != 2 or not all(map(str.strip, row.split("|")))] == []
