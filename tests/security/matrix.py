"""The access matrix as tests read it: docs/security/access-matrix.csv, and who may stand in its columns.

What a cell says:
  open        answered to anybody, session or not
  401         refused: nobody is signed in, the session has ended, or it is of people where operators are asked for
  own         takes nobody's id: done for the caller, with what is the caller's own
  yes         done, with a thing of the owner's
  hidden      refused exactly as if the thing didn't exist: the whole answer is compared
  403 code    refused with this status and code
To add a route: one line here, and in `calls.py` how to make what its path names, if that is new. To add a role: a
column here, and in `callers.py` how it signs in.
"""

import csv
from pathlib import Path

from litestar import Litestar

MATRIX = Path(__file__).parents[2] / "docs" / "security" / "access-matrix.csv"
FILES = "GET /<file of the web wallet>"
COLUMNS = (
    "signed_out", "expired", "ended", "wrong_audience", "owner", "other", "support", "risk", "finance", "admin",
)  # fmt: skip


def read_matrix() -> dict[str, dict[str, str]]:
    """What each caller may expect of each route, as {"GET /v1/me": {"owner": "own", ...}}."""
    with MATRIX.open(newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == ("route", *COLUMNS, "note"), reader.fieldnames
        rows = list(reader)
    routes = [row["route"] for row in rows]
    assert len(set(routes)) == len(routes), "a route stands in the matrix twice"
    return {row["route"]: {column: row[column] for column in COLUMNS} for row in rows}


def served_routes(app: Litestar) -> dict[str, list[str]]:
    """Every route that `app` serves by its name in the matrix, each with its addresses (many for files)."""
    found: dict[str, list[str]] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                name = f"{method} {route.path_format}"
                is_file = "operation" not in handler.opt and route.path not in ("/", "/openapi.json")
                found.setdefault(FILES if is_file else name, []).append(route.path_format)
    return found
