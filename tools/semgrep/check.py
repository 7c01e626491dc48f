"""Look for what `rules.yaml` forbids, and first prove that it is found: `make semgrep`.

A rule that finds nothing looks like clean sources. So each rule has bad examples that it must find and good ones that
it must leave alone, in the same run as the sources; a rule without both fails. Nothing is asked of or sent to anybody.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
RULES = FOLDER / "rules.yaml"
EXAMPLES = (FOLDER / "examples.py", FOLDER / "examples.js")
SOURCES = ("src", "demo", "sim", "bench")
MARK = re.compile(r"(?:#|//) (ruleid|ok): ([\w-]+)")
ALONE = {"SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0"}

Line = tuple[str, int]


def findings(semgrep: str) -> dict[str, set[Line]]:
    """Return where each rule found something, as (path, line). Raises if a file or a rule can't be read."""
    where = [*map(str, EXAMPLES), *(str(ROOT / folder) for folder in SOURCES)]
    command = [
        semgrep, "scan", "--json", "--quiet", "--metrics=off", "--disable-version-check", "--no-git-ignore", "--jobs=2",
        "--exclude=dist", "--exclude=vendor", f"--config={RULES}", *where,
    ]  # fmt: skip
    done = subprocess.run(command, env={**os.environ, **ALONE}, capture_output=True, text=True, check=False, cwd=ROOT)
    answer = json.loads(done.stdout or "{}")
    if done.returncode not in {0, 1} or answer.get("errors"):
        raise SystemExit(f"semgrep failed: {answer.get('errors')} {done.stderr}")
    scanned = answer["paths"]["scanned"]
    assert len(scanned) > 250, f"only {len(scanned)} files were read"
    found: dict[str, set[Line]] = defaultdict(set)
    for result in answer["results"]:
        path = str((ROOT / result["path"]).resolve().relative_to(ROOT))
        found[result["check_id"].rpartition(".")[2]].add((path, result["start"]["line"]))
    return found


def marks() -> dict[str, dict[str, set[Line]]]:
    """Return the lines that the examples say each rule must find ("ruleid") and leave alone ("ok")."""
    found: dict[str, dict[str, set[Line]]] = defaultdict(lambda: {"ruleid": set(), "ok": set()})
    for file in EXAMPLES:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for kind, rule in MARK.findall(line):
                found[rule][kind].add((str(file.relative_to(ROOT)), number + 1))
    return found


def main() -> None:
    """The command: the path of semgrep is its argument."""
    expected, found = marks(), findings(sys.argv[1])
    rules = re.findall(r"^  - id: ([\w-]+)$", RULES.read_text(), re.MULTILINE)
    examples = {str(file.relative_to(ROOT)) for file in EXAMPLES}
    wrong = [f"{rule}: no such rule" for rule in expected.keys() - set(rules)]
    for rule in rules:
        if not expected[rule]["ruleid"] or not expected[rule]["ok"]:
            wrong.append(f"{rule}: it needs a bad example and a good one")
        here = {line for line in found[rule] if line[0] in examples}
        wrong += [f"{path}:{line}: {rule} should find this" for path, line in sorted(expected[rule]["ruleid"] - here)]
        wrong += [
            f"{path}:{line}: {rule} should not find this" for path, line in sorted(here - expected[rule]["ruleid"])
        ]
        wrong += [f"{path}:{line}: {rule}" for path, line in sorted(found[rule] - here)]
    print("\n".join([*wrong, f"semgrep: {len(rules)} rules, {len(wrong)} problems"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
