"""A slice of `make fuzz` over HTTP: the same cases every time."""

from pathlib import Path

from security.fuzz import fuzz


def test_no_request_breaks_the_description_or_the_books(tmp_path: Path) -> None:
    assert fuzz(tmp_path, seed=1, cases=4, phases="examples,fuzzing")
