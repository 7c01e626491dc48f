"""The few routes that are asked all day, served without the framework's machinery.

The framework finds the handler, resolves what it wants and builds an answer in more time than a payment takes in the
database. The handlers here are the same functions, declared once with `route(..., thin=True)`, that read the same
request and give the same answer; only what lies between the connection and them is ours. Everything else, and every
other method of these addresses, goes to the framework.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, lru_cache
from http.cookies import CookieError, SimpleCookie
from itertools import product
from types import SimpleNamespace
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from litestar import Litestar, Response
from litestar.datastructures import MultiDict
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler, HTTPScope, Receive

from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import (
    BODY_BYTES_MAX,
    BodyTooLarge,
    Operation,
    RequestInvalid,
    on_bug,
    problem,
    require_session,
)

HEADERS_REMEMBERED_MAX = 64  # nearly all answers have the same few

Handler: TypeAlias = Callable[[Any], Awaitable[Response[Any]]]


class Application(Litestar):
    """A Litestar application that serves its thin routes by itself."""

    def __init__(self, route_handlers: Sequence[ControllerRouterHandler], **options: Any) -> None:
        super().__init__(route_handlers=route_handlers, **options)
        self._thin: dict[tuple[str, str], tuple[Handler, bool]] = {}
        for handler in route_handlers:
            if isinstance(handler, HTTPRouteHandler) and handler.opt.get("thin"):
                operation: Operation = handler.opt["operation"]
                assert list(inspect.signature(handler.fn).parameters) == ["request"], handler.fn
                for path, method in product(handler.paths, handler.http_methods):
                    self._thin[method, path] = (handler.fn, operation.signed_in)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection (ASGI)."""
        route = self._thin.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await super().__call__(scope, receive, send)
            return
        handler, is_signed_in = route
        request: Any = ThinRequest(scope, receive, self)
        answer: Response[bytes]
        try:
            if is_signed_in:
                await require_session(request)
            answer = await handler(request)
        except Refused as refused:
            answer = problem(refused)
        except Exception as error:  # a bug answers 500, and the next request is served
            answer = on_bug(request, error)
        content = answer.content
        fixed = _encoded(str(answer.media_type), tuple(answer.headers.items()))
        headers = [*fixed, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@lru_cache(maxsize=HEADERS_REMEMBERED_MAX)
def _encoded(media_type: str, headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    pairs = (("content-type", media_type), *headers)
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)


class ThinRequest:
    """What handlers use of a request: the part of `litestar.Request` that these routes need, under the same names."""

    def __init__(self, scope: HTTPScope, receive: Receive, app: Litestar) -> None:
        self.scope = scope
        self.app = app
        self.state = SimpleNamespace()
        # Of a header that comes twice the first one counts, as in the framework.
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed([*scope["headers"]])
        }
        self._receive = receive
        self._body: bytes | None = None

    @cached_property
    def query_params(self) -> MultiDict[str]:
        """The parameters of the query."""
        return MultiDict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies; none if they can't be read."""
        found: SimpleCookie = SimpleCookie()
        try:
            found.load(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in found.items()}

    async def body(self) -> bytes:
        """Return the body. Refusal: `BodyTooLarge`, before more than that is read."""
        if self._body is not None:
            return self._body
        parts: list[bytes] = []
        size = 0
        while True:
            event: Any = await self._receive()
            if event["type"] == "http.disconnect":
                raise RequestInvalid("The request ended before its body did.")
            parts.append(event.get("body", b""))
            size += len(parts[-1])
            if size > BODY_BYTES_MAX:
                raise BodyTooLarge
            if not event.get("more_body", False):
                break
        self._body = b"".join(parts)
        return self._body
