"""The files of the operators' page: below "/operator", with the wallet's headers, and no part of the wallet.

A few plain modules in English, not built and not kept by the wallet's service worker: an operator has a network, and
the wallet's first screen shall not pay for a page that nobody with a wallet sees.
"""

import functools
from typing import Final

from litestar.handlers import HTTPRouteHandler

from tikiwallet.platform import pages

PACKAGE: Final = "tikiwallet.console.page"
BELOW: Final = "/operator"


def routes() -> list[HTTPRouteHandler]:
    """Return a route for every file; "/operator" is the page."""
    return pages.routes(_pages(), below=BELOW)


@functools.cache
def _pages() -> dict[str, pages.Page]:
    """Return all files, read and zipped once a process."""
    return pages.pages_of(pages.read_files(PACKAGE))
