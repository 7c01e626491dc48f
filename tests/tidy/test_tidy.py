"""The rules of STYLE.md that a machine can keep. Each failure names the place and the rule."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
CONTEXTS = ("ledger", "identity", "payments", "offline", "funding")
SQL_TEXT = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|WITH \w+ AS|TRUNCATE|GRANT)\s")
# These two manage databases and roles, whose names are part of the statement.
SQL_ALLOWED = {"platform/migrate.py", "platform/serving.py"}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_fit_their_room() -> None:
    sizes = {name_of(p): len(p.read_text().splitlines()) for p in python_files("src", "tests", "demo", "sim", "bench")}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


def test_functions_fit_a_screen() -> None:
    long = {
        f"{name_of(path)}:{function.name}": function.end_lineno - function.lineno + 1
        for path in python_files("src", "demo", "sim", "bench")
        for function in functions(ast.parse(path.read_text()))
        if function.end_lineno is not None and function.end_lineno - function.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_modules_say_why_they_exist() -> None:
    silent = [
        name_of(p)
        for p in python_files("src", "demo", "sim", "bench")
        if not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


def test_nothing_is_called_utils() -> None:
    banned = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [
        name_of(p) for p in python_files("src", "tests", "demo", "sim", "bench") if banned & {p.stem, p.parent.name}
    ] == []


def test_python_holds_no_sql() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("src/tikiwallet")
        if str(path.relative_to(SRC / "tikiwallet")) not in SQL_ALLOWED
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_TEXT.match(node.value)
    ]
    assert found == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_named_query_is_used_and_every_used_one_exists(context: str) -> None:
    folder = SRC / "tikiwallet" / context
    path = folder / "sql" / "queries.sql"
    named = set(re.findall(r"^-- (\w+) --$", path.read_text(), re.MULTILINE)) if path.exists() else set()
    python = "".join(found.read_text() for found in folder.rglob("*.py"))
    assert set(re.findall(r'SQL\["(\w+)"\]', python)) <= named
    assert {name for name in named if f'"{name}"' not in python} == set()


def is_float(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return any("_minor" in ast.unparse(side) for side in (node.left, node.right))
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"


def without_durations(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but those of `..._SECONDS = 0.05`."""
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if not any(ast.unparse(target).endswith("_SECONDS") for target in targets):
            yield from ast.walk(statement)


def test_no_float_comes_near_money() -> None:
    where = ["src/tikicash", *(f"src/tikiwallet/{context}" for context in CONTEXTS)]
    found = [
        f"{name_of(path)}:{getattr(node, 'lineno', 0)}"
        for path in [*python_files(*where), SRC / "tikiwallet" / "platform" / "money.py"]
        for node in without_durations(ast.parse(path.read_text()))
        if is_float(node)
    ]
    assert found == []


def test_a_todo_names_its_issue() -> None:
    found = [
        f"{name_of(path)}:{number}"
        for path in python_files("src", "tests", "demo", "sim", "bench")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\b(TODO|FIXME)\b(?!\(#\d+\))", line) and path != Path(__file__)
    ]
    assert found == []


def test_markdown_links_lead_somewhere() -> None:
    broken = [
        f"{name_of(page)}: {target}"
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "protocol").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


ENTRY_POINTS = {"tikiwallet.__main__", "tikiwallet.cli.main", "tikiwallet.web.setup"}


def imports_of(path: Path) -> set[str]:
    package = ".".join(path.relative_to(SRC).with_suffix("").parts)
    found = {package.rpartition(".")[0]}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_is_dead() -> None:
    modules = {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in python_files("src")
    }
    alive: set[str] = set()
    waiting = ENTRY_POINTS & modules.keys()
    while waiting:
        name = waiting.pop()
        alive.add(name)
        parents = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}
        waiting |= ((imports_of(modules[name]) | parents) & modules.keys()) - alive
    otherwise = {
        "tikiwallet.ledger.memory",  # the model that the real ledger is kept equal to
        "tikiwallet.web",  # files, read by name
    }
    assert modules.keys() - alive - otherwise == set()
