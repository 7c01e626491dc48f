"""The story of `make demo`, told with other amounts: it keeps every promise or says the difference and fails."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo.__main__ import Story, main
from demo.story import check

ROOT = Path(__file__).parents[2]
SEED = "7"


def test_the_story_keeps_every_promise_with_other_amounts() -> None:
    environment = {**os.environ, "SEED": SEED}
    told = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"Every promise held. seed={SEED}" in told.stdout
    assert "The same in all 6 orders of coming back." in told.stdout


def test_a_broken_promise_is_told_with_its_difference_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Story, "play", lambda _: check("all money", 49_99, 50_00))
    assert main() == 1
    told = capsys.readouterr().out
    assert "Broken: all money: 4999, expected 5000" in told
    kept = re.search(r"Everything is kept in\s+(\S+)", told)
    assert kept is not None
    shutil.rmtree(kept[1])
