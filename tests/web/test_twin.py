"""The two implementations of the offline protocol are one standard: same vectors, same verdicts, same codes."""

import subprocess
from pathlib import Path

from tikiwallet.web.setup import find_node
from web import fuzz

HERE = Path(__file__).parent


def test_what_runs_in_the_browser_passes_its_own_tests() -> None:
    node, _ = find_node()
    tests = sorted(str(path) for path in HERE.glob("*.test.js"))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_python_and_javascript_judge_two_thousand_broken_codes_alike() -> None:
    verdicts = fuzz.compare(seed=20_260_105, count=2000)
    assert verdicts.total() == 2000
    assert len(verdicts) > 40  # the mutations reach deep into the rules, not only the reader
