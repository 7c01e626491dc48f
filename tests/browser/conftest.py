"""These tests need Playwright and a Chromium; where either is missing, there is nothing here to run."""

from importlib.util import find_spec
from pathlib import Path

if find_spec("playwright") is not None and Path("/usr/bin/chromium").exists():
    from browser.fixtures import *  # noqa: F403 - pytest finds fixtures in this file only
else:
    collect_ignore_glob = ["test_*.py"]
