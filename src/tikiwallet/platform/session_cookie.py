"""The session of a browser: cookies that no script can read and no other site can use.

A client that is a browser says so with a header of its own. A page of another site can't send that header without
asking first (CORS), which this server never allows; so a cookie counts only beside it (OWASP, Cross-Site Request
Forgery Prevention Cheat Sheet, "custom request headers"), and `SameSite=Strict` keeps it at home besides. Over TLS the
name begins with `__Host-`: no other host and no plain HTTP can set it (RFC 6265bis, section 4.1.3.2). That needs
`Path=/`, so that the refresh token comes with every request; only its own route looks at it.

Operators have a cookie of their own, which counts only beside another word in that header.

A third cookie outlives the session: the secret by which a browser is known again (identity/known_devices.py).
"""

from datetime import datetime, timedelta
from typing import Any, Final

from litestar import Response
from litestar.connection import ASGIConnection

from tikiwallet.platform.config import Settings

CLIENT_HEADER: Final = "tikiwallet-client"
BROWSER: Final = "web"
OPERATOR: Final = "operator"  # the operators' page
DEVICE_HEADER: Final = "tikiwallet-device"  # of clients that keep no cookies
DEVICE_KEPT: Final = timedelta(days=400)  # no browser keeps a cookie for longer

Connection = ASGIConnection[Any, Any, Any, Any]
Answer = Response[Any]


def is_browser(connection: Connection) -> bool:
    """Return whether the client wants its session in a cookie."""
    return connection.headers.get(CLIENT_HEADER) == BROWSER


def token_of(connection: Connection) -> str:
    """Return the access token in its cookie; "" if there is none, or nothing shows that our own client sent it."""
    return _value(connection)


def refresh_token_of(connection: Connection) -> str:
    """Return the refresh token in its cookie, as `token_of` does."""
    return _value(connection, "-refresh")


def device_of(connection: Connection) -> str:
    """Return the secret of the device, from a browser's cookie or from the header of another client; "" if none."""
    if is_browser(connection):
        return _value(connection, "-device")
    return connection.headers.get(DEVICE_HEADER, "")


def keep_token(connection: Connection, answer: Answer, token: str, *, until: datetime, now: datetime) -> None:
    """Let a browser keep the access token."""
    _set(connection, answer, "", token, life=until - now)


def keep_refresh_token(connection: Connection, answer: Answer, token: str, *, until: datetime, now: datetime) -> None:
    """Let a browser keep the refresh token."""
    _set(connection, answer, "-refresh", token, life=until - now)


def keep_device(connection: Connection, answer: Answer, device: str) -> None:
    """Let a browser keep the secret by which it is known again."""
    _set(connection, answer, "-device", device, life=DEVICE_KEPT)


def operator_token_of(connection: Connection) -> str:
    """Return an operator's token in its cookie; "" if there is none, or the operators' page didn't send it."""
    if connection.headers.get(CLIENT_HEADER) != OPERATOR:
        return ""
    return connection.cookies.get(_name(_settings(connection), "-operator"), "")


def keep_operator_token(connection: Connection, answer: Answer, token: str, *, life: timedelta) -> None:
    """Let a browser keep an operator's token; a life of zero forgets it."""
    _set(connection, answer, "-operator", token, life=life)


def forget(connection: Connection, answer: Answer) -> None:
    """Let a browser forget its session, and stay known."""
    for which in ("", "-refresh"):
        _set(connection, answer, which, "", life=timedelta())


def _settings(connection: Connection) -> Settings:
    settings: Settings = connection.app.state.settings
    return settings


def _is_secure(settings: Settings) -> bool:
    """Whether browsers reach the server by HTTPS only: then they may refuse a cookie that came otherwise."""
    return settings.is_production or bool(settings.tls_cert)


def _name(settings: Settings, which: str) -> str:
    return f"{'__Host-' if _is_secure(settings) else ''}tikiwallet{which}"


def _value(connection: Connection, which: str = "") -> str:
    return connection.cookies.get(_name(_settings(connection), which), "") if is_browser(connection) else ""


def _set(connection: Connection, answer: Answer, which: str, value: str, *, life: timedelta) -> None:
    settings = _settings(connection)
    answer.set_cookie(
        _name(settings, which), value, max_age=int(life.total_seconds()), path="/", httponly=True, samesite="strict",
        secure=_is_secure(settings),
    )  # fmt: skip
