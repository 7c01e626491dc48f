"""The session of a browser: a cookie that no script can read and no other site can use.

A client that is a browser says so with a header of its own. A page of another site can't send that header without
asking first (CORS), which this server never allows; so a cookie counts only beside it (OWASP, Cross-Site Request
Forgery Prevention Cheat Sheet, "custom request headers"), and `SameSite=Strict` keeps it at home besides. Over TLS the
name begins with `__Host-`: no other host and no plain HTTP can set it (RFC 6265bis, section 4.1.3.2).
"""

from datetime import datetime
from typing import Any, Final

from litestar.connection import ASGIConnection

from tikiwallet.platform.config import Settings

CLIENT_HEADER: Final = "tikiwallet-client"
BROWSER: Final = "web"

Connection = ASGIConnection[Any, Any, Any, Any]


def is_browser(connection: Connection) -> bool:
    """Return whether the client wants its session in a cookie."""
    return connection.headers.get(CLIENT_HEADER) == BROWSER


def token_of(connection: Connection) -> str:
    """Return the token in the cookie; "" if there is none, or nothing shows that our own client sent it."""
    return connection.cookies.get(_name(_settings(connection)), "") if is_browser(connection) else ""


def keep(connection: Connection, token: str, *, expires_at: datetime, now: datetime) -> dict[str, str]:
    """Return the header that makes a browser keep `token` until `expires_at`."""
    return _header(_settings(connection), token, seconds=int((expires_at - now).total_seconds()))


def forget(connection: Connection) -> dict[str, str]:
    """Return the header that makes a browser forget its session."""
    return _header(_settings(connection), "", seconds=0)


def _settings(connection: Connection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


def _is_secure(settings: Settings) -> bool:
    """Whether browsers reach the server by HTTPS only: then they may refuse a cookie that came otherwise."""
    return settings.is_production or bool(settings.tls_cert)


def _name(settings: Settings) -> str:
    return "__Host-tikiwallet" if _is_secure(settings) else "tikiwallet"


def _header(settings: Settings, token: str, *, seconds: int) -> dict[str, str]:
    secure = "; Secure" if _is_secure(settings) else ""
    cookie = f"{_name(settings)}={token}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"
    return {"set-cookie": cookie}
