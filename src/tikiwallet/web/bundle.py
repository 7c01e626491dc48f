"""Which files a browser is served: the bundle, if it was made from the sources as they are now, else the sources.

A slow network pays a round trip for every file, so set-up (`tikiwallet.web.setup`) makes `dist/` from the modules: one
file that the first screen needs, and one for each screen that is loaded later. The sources run as they are too. A
bundle made from other sources would show yesterday's wallet to whoever tests or serves today's, so it carries their
fingerprint and is left out when that differs.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

DIST: Final = "dist/"
STAMP: Final = "dist/stamp"
INDEX: Final = "index.html"
RECIPE: Final = "setup.py"


def fingerprint(files: Mapping[str, bytes]) -> str:
    """Return what tells one state of the sources from another: the modules, the page that loads them, the recipe."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        if (_is_module(path) and not path.startswith(DIST)) or path in {INDEX, RECIPE}:
            digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def is_current(files: Mapping[str, bytes]) -> bool:
    """Whether `files` hold a bundle of the modules that they hold."""
    return files.get(STAMP) == fingerprint(files).encode()


def served(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files as a browser sees them: the bundle in place of the modules if it is current, else no bundle."""
    others = {path: content for path, content in files.items() if not path.startswith(DIST)}
    if not is_current(files):
        return others
    bundled = {path.removeprefix(DIST): content for path, content in files.items() if path.startswith(DIST)}
    return {path: content for path, content in others.items() if not _is_module(path)} | bundled


def _is_module(path: str) -> bool:
    return path.endswith(".js")
