"""The stand-in on HTTP, as an ASGI application: the API, the pages that people see, and the control surface.

Requests from other machines are refused, and so is a browser that was led here under another name: the control surface
has no password.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from tikiwallet.stripe_standin import visits
from tikiwallet.stripe_standin.control import control
from tikiwallet.stripe_standin.standin import StandIn

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
SendMessage: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_BYTES_MAX = 1_000_000
HERE = {"127.0.0.1", "localhost", "::1"}


class App:
    """An ASGI application. A lost answer is raised as `AnswerLost`: what serves it has to fall silent."""

    def __init__(self, standin: StandIn, *, changed: Callable[[], None] = lambda: None) -> None:
        self._standin = standin
        self._changed = changed  # called after every request that may have changed something

    async def __call__(self, scope: Scope, receive: Receive, send: SendMessage) -> None:
        """Answer one request."""
        assert scope["type"] == "http", scope["type"]
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if urlsplit(f"//{headers.get('host', '')}").hostname not in HERE:
            await _respond(send, 403, b"The stand-in serves this machine only.", {"content-type": "text/plain"})
            return
        body = await _body(receive)
        method, path = scope["method"], scope["path"]
        try:
            if path.startswith("/v1/"):
                parameters = body.decode() if method == "POST" else scope["query_string"].decode()
                answer = self._standin.answer(method, path, parameters, headers)
                more = {"idempotent-replayed": "true"} if answer.is_replayed else {}
                await self._done(
                    send, answer.status, answer.body.encode(), {"content-type": "application/json", **more}
                )
            elif path.startswith("/_control"):
                status, shown = control(self._standin, path, body)
                await self._done(send, status, shown, {"content-type": "application/json"})
            else:
                self._standin.tick()
                page = visits.visit(self._standin.store, method, path, body.decode())
                await self._done(send, page.status, page.body, dict(page.headers))
        finally:
            self._changed()

    async def _done(self, send: SendMessage, status: int, body: bytes, headers: dict[str, str]) -> None:
        self._changed()  # before the answer: who has an answer may rely on it
        await _respond(send, status, body, {"request-id": self._standin.store.next_id("req"), **headers})


async def _body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        assert len(body) <= BODY_BYTES_MAX
        if not message.get("more_body"):
            return body


async def _respond(send: SendMessage, status: int, body: bytes, headers: dict[str, str]) -> None:
    found = [(name.encode(), value.encode()) for name, value in {**headers, "content-length": str(len(body))}.items()]
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": body})
