"""The size of what a phone must have got before the first screen: the shell."""

import posixpath
import re

from tikiwallet.platform.pages import Page, pages_of, read_files
from tikiwallet.web import bundle

SHELL_BYTES_MAX = 80_000  # zipped
BESIDE_MODULES = {"index.html", "style.css", "logo.svg", "locales/en.json"}


def shell_bytes() -> int:
    """Return the zipped bytes of the shell of the bundle, which has to be current."""
    files = read_files("tikiwallet.web")
    assert bundle.is_current(files), "run python -m tikiwallet.web.setup first"
    pages = pages_of(bundle.served(files))
    shell = _loaded_from("app.js", pages, set()) | BESIDE_MODULES
    return sum(len(pages[path].zipped or pages[path].content) for path in shell)


def _loaded_from(path: str, pages: dict[str, Page], seen: set[str]) -> set[str]:
    """What a module needs before it runs: itself and everything that it imports."""
    if path not in seen:
        seen.add(path)
        for target in re.findall(r'(?:from|import) ?"(\.[^"]+)"', pages[path].content.decode()):
            _loaded_from(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)), pages, seen)
    return seen
