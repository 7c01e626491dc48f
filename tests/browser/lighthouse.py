"""Lighthouse's opinion of the first screen, by `make lighthouse`: at least 95 in every category.

It has a folder and a lock file of its own (tools/lighthouse), because it is a hundred times the wallet's size and no
test needs it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from browser.fixtures import CHROMIUM
from browser.server import ROOT, Server
from tikiwallet.web.setup import find_node, set_up

FOLDER = ROOT / "tools" / "lighthouse"
PROGRAM = FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
SCORE_MIN = 95
TIMEOUT_SECONDS = 600


def main() -> None:
    """Print the score of each category beside the least that is enough; exit code 1 if one is below it."""
    set_up()
    node, npm = find_node()
    environment = {
        **os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}", "CHROME_PATH": CHROMIUM,
    }  # fmt: skip
    if not PROGRAM.exists():
        install = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(install, cwd=FOLDER, env=environment, check=False, timeout=TIMEOUT_SECONDS).returncode != 0:
            sys.exit("Lighthouse can't be installed: see above.")
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        server.start()
        report = Path(folder) / "report.json"
        try:
            run = subprocess.run(
                [node, PROGRAM, server.address, "--quiet", "--output=json", f"--output-path={report}",
                 f"--only-categories={','.join(CATEGORIES)}", "--chrome-flags=--headless=new --no-sandbox"],
                env=environment, check=False, timeout=TIMEOUT_SECONDS,
            )  # fmt: skip
        finally:
            server.stop()
        if run.returncode != 0:
            sys.exit("Lighthouse could not measure (see above); on a busy machine it misses the start of the page.")
        said = json.loads(report.read_text())
    scores = {name: round(100 * (said["categories"][name]["score"] or 0)) for name in CATEGORIES}
    for name, score in scores.items():
        click.echo(f"{name:16}{score:>4}  (at least {SCORE_MIN})")
        for found in said["categories"][name]["auditRefs"]:
            audit = said["audits"][found["id"]]
            if found["weight"] and audit["score"] is not None and audit["score"] < SCORE_MIN / 100:
                click.echo(f"    {audit['score']:.2f}  {audit['title']}  {audit.get('displayValue', '')}")
    if min(scores.values()) < SCORE_MIN:
        sys.exit(1)


if __name__ == "__main__":
    main()
