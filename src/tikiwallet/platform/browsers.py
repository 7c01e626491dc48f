"""What every answer tells a browser, and which requests of a browser are refused before any route sees them.

A header that each route had to remember would be missing from one of them. The answers of the API are no documents, so
they get a policy under which nothing runs; pages bring their own (`platform/pages.py`). No answer ever allows another
site anything (CORS), and what another site's page sends in spite of that is refused here: a session cookie isn't sent
with it (`SameSite`) and wouldn't count (`session_cookie.py`), but signing in, for one, needs no session.
"""

from typing import Any, Final
from urllib.parse import urlsplit

from tikiwallet.platform.config import Settings
from tikiwallet.platform.errors import Kind, Refused

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# `none`: the person did it, by the address bar. A sister host is another site: it needn't be ours.
OWN_SITES: Final = frozenset({b"same-origin", b"none"})
ANSWER_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
STRICT_TRANSPORT: Final = "max-age=63072000; includeSubDomains"  # two years


class CrossSiteRefused(Refused):
    """This came from the page of another website; open the wallet itself and do it there."""

    code, kind = "cross_site_refused", Kind.FORBIDDEN


def answer_headers(settings: Settings) -> dict[str, str]:
    """Return the headers that every answer has unless it brings its own.

    In production everything comes by HTTPS, and browsers shall remember that. Elsewhere they shall not: a certificate
    for `localhost` would shut out every other program that a developer serves there, for two years.
    """
    strict = {"strict-transport-security": STRICT_TRANSPORT} if settings.is_production else {}
    return ANSWER_HEADERS | strict


def is_of_another_site(scope: Any) -> bool:
    """Return whether a browser says that the page of another site sends this.

    Browsers say so by `Sec-Fetch-Site`, older ones by `Origin`, and no page can change either. Who says neither is no
    browser of the last years.
    """
    origin = host = b""
    for name, value in scope["headers"]:
        if name == b"sec-fetch-site":
            return value not in OWN_SITES
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    return bool(origin) and urlsplit(origin).netloc != host
