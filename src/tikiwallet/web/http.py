"""The routes of the web wallet: its files, and `wallet.json`, which tells it the wallet's currencies.

Documents of the offline protocol name a currency by its ISO 4217 number, which no browser knows; and without a network
there is nobody to ask. So the numbers are part of what the phone keeps.
"""

import functools
from typing import Final

import msgspec
import structlog
from litestar.handlers import HTTPRouteHandler

from tikiwallet.platform import pages
from tikiwallet.platform.config import Settings
from tikiwallet.platform.money import exponent, numeric_code
from tikiwallet.web import bundle

PACKAGE: Final = "tikiwallet.web"
NEEDED: Final = "vendor/ui.js"  # made by tikiwallet.web.setup
START_PAGE: Final = "start.html"

log = structlog.get_logger()


class OfferedCurrency(msgspec.Struct, frozen=True, kw_only=True):
    """A currency of this wallet: ISO 4217 letters and number, and how many decimals it has."""

    code: str
    number: int
    digits: int


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the web wallet has to know of its server before it asks it anything. The first currency is the default."""

    currencies: list[OfferedCurrency]
    is_demo: bool


def routes(settings: Settings) -> list[HTTPRouteHandler]:
    """Return a route for every file; "/" is the wallet, or the start page if its libraries aren't set up."""
    offered = [
        OfferedCurrency(code=code, number=numeric_code(code), digits=exponent(code)) for code in settings.currencies
    ]
    about = About(currencies=offered, is_demo=not settings.is_production)
    index, found = _pages(msgspec.json.encode(about))
    return pages.routes(found, index=index)


@functools.cache
def _pages(wallet_json: bytes) -> tuple[str, dict[str, pages.Page]]:
    """Return what "/" is, and all pages: read and zipped once a process, however many applications it builds."""
    files = pages.read_files(PACKAGE)
    if not bundle.is_current(files):
        log.warning("web_sources_served", way_out="run python -m tikiwallet.web.setup: a bundle starts sooner")
    found = pages.pages_of({**bundle.served(files), "wallet.json": wallet_json})
    return pages.INDEX if NEEDED in files else START_PAGE, found
