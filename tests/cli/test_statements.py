"""A statement, saved as a file by `tiki`."""

import csv
import io
import stat
from collections.abc import Callable
from datetime import UTC, datetime

import pypdf
from tests.cli.phones import Phone
from tests.cli.server_of_tests import RunningServer


def test_a_statement_is_saved_for_its_owner_alone(server: RunningServer, phone: Callable[[str], Phone]) -> None:
    asha = server.sign_up(phone("asha"))
    asha.does("topup", "20.00")
    month = f"{datetime.now(UTC):%Y-%m}"
    paper, sheet = asha.home / "paper.pdf", asha.home / "sheet.csv"
    saved = asha.does("statement", month, "--language", "sw", "--file", str(paper))
    assert saved == {"file": str(paper), "size_bytes": paper.stat().st_size}
    assert "Pochi ya asha" in pypdf.PdfReader(paper).pages[0].extract_text()
    assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    assert f"Saved as {sheet}." in asha.run("statement", "--csv", "--file", str(sheet)).stdout.replace("\n", "")
    rows = list(csv.DictReader(io.StringIO(sheet.read_text())))
    assert [row["balance"] for row in rows] == ["0.00", "20.00", "20.00"]
    assert asha.refused("statement", "2026-13") == "statement_month_invalid"
    assert asha.refused("statement", "../me") in {"not_found", "statement_month_invalid"}
    assert asha.refused("statement", month, "--file", str(asha.home / "none" / "x.pdf")) == "file_unwritable"
