"""The story of `make demo`, told with other amounts: it keeps every promise or says the difference and fails."""

import os
import subprocess
import sys
from pathlib import Path

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
