"""Where everything is shown: results on standard output, questions, progress and problems on standard error.

With --json the result is one JSON object on standard output, a problem too, so that a script reads one thing only.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from tikiwallet.cli.problems import Problem

T = TypeVar("T")
INSTANTS = ("_at", "_by")


@dataclass(kw_only=True)
class Screen:
    """The two streams of one run."""

    out: Console
    err: Console
    as_json: bool
    notices: list[Problem] = field(default_factory=list)

    def show(self, result: T, render: Callable[[Console, T], None], *, currency: str = "") -> None:
        """Show a result: as JSON, or as `render` draws it. Notices come first, since they change what is read."""
        if self.as_json:
            document = {**as_plain(result), **({"currency": currency} if currency else {})}
            if self.notices:
                document["notices"] = [{"code": item.code, "detail": item.detail} for item in self.notices]
            self._write(document)
            return
        self._notices()
        render(self.out, result)

    def problem(self, problem: Problem) -> None:
        """Show why nothing was done, and what to do next."""
        if self.as_json:
            document: dict[str, Any] = {"code": problem.code, "detail": problem.detail, **problem.facts}
            if self.notices:
                document["notices"] = [{"code": item.code, "detail": item.detail} for item in self.notices]
            self._write(document)
            return
        self._notices()
        if problem.headline:
            words = Group(Text(problem.headline, "bold red"), sentence(problem.detail), Text(problem.code, "dim"))
            self.err.print(Panel(words, border_style="red", padding=(1, 2)))
            return
        self.err.print(marked("✗", "bold red", sentence(problem.detail)))
        self.err.print(marked(" ", "", Text(problem.code, "dim")))

    def _notices(self) -> None:
        for notice in self.notices:
            self.err.print(marked("!", "bold yellow", sentence(notice.detail, "yellow")))
            self.err.print(marked(" ", "", Text(notice.code, "dim")))

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show that something is being waited for, if anybody watches; yields a function that says how far it is."""
        columns = (SpinnerColumn(), TextColumn("{task.description}{task.fields[far]}", style="dim"))
        watched = self.err.is_terminal and not self.as_json
        with Progress(*columns, console=self.err, transient=True, disable=not watched) as progress:
            task = progress.add_task(what, total=None, far="")

            def far(description: str, done: int, total: int) -> None:
                progress.update(task, description=description, far=f": {done} of {total}" if total else "")

            yield far

    def _write(self, document: dict[str, Any]) -> None:
        self.out.file.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def marked(mark: str, style: str, content: Text) -> Table:
    """Return a line that begins with a mark, its further lines indented below the first."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(Text(mark, style), content)
    return table


def sentence(text: str, style: str = "") -> Text:
    """Return a sentence in which commands stand out; in it they are `between these`."""
    parts = text.split("`")
    return Text.assemble(*((part, "bold" if number % 2 else style) for number, part in enumerate(parts)))


def as_plain(result: object) -> dict[str, Any]:
    """Return a result as JSON knows it: instants in RFC 3339, amounts in minor units."""
    plain = _instants(msgspec.to_builtins(result))
    return plain if isinstance(plain, dict) else {"items": plain}


def _instants(value: Any) -> Any:
    if isinstance(value, list):
        return [_instants(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: datetime.fromtimestamp(item, UTC).isoformat().replace("+00:00", "Z")
        if name.endswith(INSTANTS) and isinstance(item, int)
        else _instants(item)
        for name, item in value.items()
    }
