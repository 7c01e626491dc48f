"""Which points there have to be, read from the source of funding, so that the fault table forgets nothing new."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from funding.points import LEDGER_CHANGES, is_write
from tikiwallet.funding.queries import SQL

FUNDING = Path(__file__).parents[2] / "src" / "tikiwallet" / "funding"
WRITES = {name for name in SQL.names() if is_write(SQL[name])}
READS_OF_STRIPE = ("retrieve", "list")
THE_ONE_WAY_TO_STRIPE = "client.py"  # asks for others: they are the points
LEDGER_CHANGE = re.compile(rf"_ledger\.({'|'.join(LEDGER_CHANGES)})\(")
STRIPE_CALL = re.compile(r"v1\.[\w.]+\.(\w+)_async\b")


def points_in_source() -> set[str]:
    """Every point of funding: a function that commits, changes the ledger or asks Stripe, and how."""
    found = set()
    for path in FUNDING.rglob("*.py"):
        for name, source in functions(path):
            if "_db.transaction()" in source or "pool.acquire(" in source or _writes(source):
                found.add(f"commit {name}")
            found |= {f"ledger {change} {name}" for change in LEDGER_CHANGE.findall(source)}
            if path.name != THE_ONE_WAY_TO_STRIPE:
                found |= {f"stripe {verb} {name}" for verb in _verbs(source)}
    assert len(found) > 50, found
    return found


def functions(path: Path) -> Iterator[tuple[str, str]]:
    """Each function's name and what it does itself, without the functions inside it."""
    text = path.read_text()

    def walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{name}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}{child.name}", _own_source(text, child)
                yield from walk(child, f"{name}{child.name}.<locals>.")
            else:
                yield from walk(child, name)

    yield from walk(ast.parse(text), "")


def _own_source(text: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    inner = {
        line for child in ast.walk(node) if child is not node
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in range(child.lineno, (child.end_lineno or 0) + 1)
    }  # fmt: skip
    lines = text.splitlines()
    return "\n".join(lines[n - 1] for n in range(node.lineno, (node.end_lineno or 0) + 1) if n not in inner)


def _writes(source: str) -> set[str]:
    return set(re.findall(r'pool\.\w+\(\s*SQL\["(\w+)"\]', source)) & WRITES


def _verbs(source: str) -> set[str]:
    return {"GET" if call in READS_OF_STRIPE else "POST" for call in STRIPE_CALL.findall(source)}
