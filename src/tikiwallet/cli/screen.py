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
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
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
        for notice in self.notices:
            self.err.print(Text("! ", "bold yellow").append(notice.detail, "yellow"))
            self.err.print(Text(f"  {notice.code}", "dim"))
        render(self.out, result)

    def problem(self, problem: Problem) -> None:
        """Show why nothing was done, and what to do next."""
        for notice in self.notices:
            if not self.as_json:
                self.err.print(Text("! ", "bold yellow").append(notice.detail, "yellow"))
        if self.as_json:
            document: dict[str, Any] = {"code": problem.code, "detail": problem.detail, **problem.facts}
            if self.notices:
                document["notices"] = [{"code": item.code, "detail": item.detail} for item in self.notices]
            self._write(document)
            return
        self.err.print(Text("✗ ", "bold red").append(problem.detail, "default"))
        self.err.print(Text(f"  {problem.code}", "dim"))

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show that something is being waited for, if anybody watches; yields a function that says how far it is."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
        watched = self.err.is_terminal and not self.as_json
        with Progress(*columns, console=self.err, transient=True, disable=not watched) as progress:
            task = progress.add_task(what, total=None)

            def far(description: str, done: int, total: int) -> None:
                progress.update(task, description=description, completed=done, total=total or None)

            yield far

    def _write(self, document: dict[str, Any]) -> None:
        self.out.file.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


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
