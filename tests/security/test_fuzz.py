"""A slice of `make fuzz` over HTTP: the same cases every time."""

from pathlib import Path

from security.fuzz import fuzz

# What is made up as a session is left to `make fuzz`: it takes a third of the time, and tests/security try all of it.
SLICE = ("--seed", "1", "--max-examples", "3", "--phases", "examples,fuzzing", "--generation-with-security-parameters",
         "false")  # fmt: skip


def test_no_request_breaks_the_description_or_the_books(tmp_path: Path, database_url: str) -> None:
    assert fuzz(tmp_path, database_url, SLICE, at_stripe=True)
