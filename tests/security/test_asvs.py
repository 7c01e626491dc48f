"""docs/security/asvs.csv claims nothing that isn't there: every "met" names a test, or what takes a test's place.

What may stand in the column `test`, several by `;`:
  tests/x/test_y.py::test_z     a test that exists
  rule:<id>                     a rule of tools/semgrep/rules.yaml, which has examples of its own
  doc:<file>#<heading>          a heading of a document, for the lines that ask for something in writing
"""

import ast
import csv
import functools
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "security" / "asvs.csv"
LINES_OF_LEVEL = {"1": 70, "2": 183}  # of ASVS 5.0.0
MET_MIN = 0.93  # of the lines that apply; it only ever goes up
# What these lines ask for is a document, a name on a deployment, or both: nothing that a program could show.
WRITTEN = re.compile(r"V(2\.1|3\.5\.4|3\.7\.1|6\.1|6\.2\.10|6\.4\.2|7\.1|8\.1|11\.1|12\.2\.2|13\.1|14\.1|15\.1|16\.1)")


def lines() -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["id", "level", "status", "test", "note"]
        return list(reader)


@functools.cache
def names_of_tests(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


@functools.cache
def headings(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE))


def is_there(proof: str) -> bool:
    kind, _, rest = proof.partition(":")
    if kind == "rule":
        return f"- id: {rest}\n" in (ROOT / "tools" / "semgrep" / "rules.yaml").read_text()
    if kind == "doc":
        name, _, heading = rest.partition("#")
        return (ROOT / name).is_file() and heading in headings(ROOT / name)
    name, _, function = proof.partition("::")
    return (ROOT / name).is_file() and function in names_of_tests(ROOT / name)


def test_every_line_of_both_levels_is_there_once() -> None:
    assert Counter(line["level"] for line in lines()) == LINES_OF_LEVEL
    ids = [line["id"] for line in lines()]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"V\d{1,2}\.\d{1,2}\.\d{1,2}", name)] == []


def test_what_is_met_is_shown_and_what_is_not_says_why() -> None:
    for line in lines():
        name, proofs = line["id"], line["test"].split(";")
        assert line["status"] in {"met", "not met", "n/a"}, name
        if line["status"] == "met":
            assert [proof for proof in proofs if not is_there(proof)] == [], name
            written_only = all(proof.startswith("doc:") for proof in proofs)
            assert not written_only or WRITTEN.match(name), f"{name} wants a test and not a document"
        else:
            assert line["test"] == "", name
            assert len(line["note"]) > 5, f"{name} says no reason"


def test_so_much_of_what_applies_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counter(line["status"] for line in lines())
    applicable = found["met"] + found["not met"]
    with capsys.disabled():
        sys.stdout.write(
            f"\nASVS 5.0.0: {found['met']} of {applicable} lines that apply are met, {found['n/a']} don't\n"
        )
    assert found["met"] / applicable >= MET_MIN


def test_a_claim_that_nothing_shows_is_noticed() -> None:
    for wrong in (
        "",
        "tests/security/test_asvs.py::test_nothing",
        "tests/none.py::test_x",
        "rule:none",
        "doc:README.md#No",
    ):
        assert not is_there(wrong), wrong
    assert is_there("tests/security/test_asvs.py::test_a_claim_that_nothing_shows_is_noticed")
