"""The few routes that are asked all day, served without the framework's machinery.

The framework finds the handler, resolves what it wants and builds an answer in more time than a payment takes in the
database. The handlers here are the same functions, declared once with `route(..., thin=True)`, that read the same
request and give the same answer; only what lies between the connection and them is ours. Everything else, and every
other method of these addresses, goes to the framework.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from http.cookies import CookieError, SimpleCookie
from itertools import product
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from litestar import Litestar, Response
from litestar.datastructures import MultiDict
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler, HTTPScope, Receive

from tikiwallet.platform.browsers import SAFE_METHODS, CrossSiteRefused, is_of_another_site
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import (
    BODY_BYTES_MAX,
    BodyTooLarge,
    Operation,
    RequestInvalid,
    require_session,
)
from tikiwallet.platform.problems import on_bug, on_refused

NO_METHOD = "NONE"
HEADERS_REMEMBERED_MAX = 64  # nearly all answers have the same few

Handler: TypeAlias = Callable[[Any], Awaitable[Response[Any]]]
Early: TypeAlias = Callable[[Any], Coroutine[Any, Any, object]]
T = TypeVar("T")


class Application(Litestar):
    """A Litestar application that serves its thin routes by itself. Every answer has `answer_headers`."""

    def __init__(
        self, route_handlers: Sequence[ControllerRouterHandler], *, answer_headers: Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(route_handlers=route_handlers, **options)
        self._answer_headers = tuple((name.encode(), value.encode()) for name, value in answer_headers.items())
        self._thin: dict[tuple[str, str], tuple[Handler, bool, Early | None]] = {}
        for handler in route_handlers:
            if isinstance(handler, HTTPRouteHandler) and handler.opt.get("thin"):
                operation: Operation = handler.opt["operation"]
                assert list(inspect.signature(handler.fn).parameters) == ["request"], handler.fn
                for path, method in product(handler.paths, handler.http_methods):
                    self._thin[method, path] = (handler.fn, operation.signed_in, handler.opt["early"])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        method = scope["method"]
        if method not in SAFE_METHODS and is_of_another_site(scope):
            stranger: Any = ThinRequest(scope, receive, self)
            await self._answer(on_refused(stranger, CrossSiteRefused()), send)
            return
        route = self._thin.get((method, scope["path"]))
        if route is None:
            await self._by_the_framework(scope, receive, send)
            return
        handler, is_signed_in, early = route
        request: Any = ThinRequest(scope, receive, self)
        answer: Response[bytes]
        try:
            if is_signed_in:
                await require_session(request, partial(_begin, early, request) if early is not None else None)
            answer = await handler(request)
        except Refused as refused:
            answer = on_refused(request, refused)
        except Exception as error:  # a bug answers 500, and the next request is served
            answer = on_bug(request, error)
        await self._answer(answer, send)

    async def _answer(self, answer: Response[bytes], send: Any) -> None:
        content = answer.content
        fixed = _encoded(str(answer.media_type), tuple(answer.headers.items()))
        headers = [*fixed, *self._answer_headers, (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _by_the_framework(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                missing = [pair for pair in self._answer_headers if pair[0] not in own]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        if scope["method"] == "OPTIONS":
            # The framework would answer this at every address. No other site may ask us anything, so nobody has to
            # ask first whether it may: it is a method that no route has.
            scope = {**scope, "method": NO_METHOD}
        await super().__call__(scope, receive, send_with_headers)


async def begun(request: Any, early: Callable[[Any], Awaitable[T]]) -> T:
    """Return what the handler's `early` gives: what it has given while the session was looked up, else of now.

    So a handler can ask the database in the same call as its session. Nothing that `early` finds or refuses is told to
    anybody whose session then turns out to be none: only the handler calls this.
    """
    found: T | None = getattr(request.state, "begun", None)
    return await early(request) if found is None else found


def _begin(early: Early, request: "ThinRequest") -> None:
    beginning = early(request)
    try:
        beginning.send(None)
    except StopIteration as over:
        request.state.begun = over.value
    except Exception:
        return  # the handler comes to the same, if the session lets it
    beginning.close()  # no-op once it is over; else it waits, for the rest of the body


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
        self._parts: list[bytes] = []
        self._size = 0
        self._is_coming = True

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
        """Return the body. Refusal: `BodyTooLarge`, before more than that is read.

        Who stops waiting for it loses nothing of what has come.
        """
        while self._is_coming and self._size <= BODY_BYTES_MAX:
            event: Any = await self._receive()
            if event["type"] == "http.disconnect":
                raise RequestInvalid("The request ended before its body did.")
            self._parts.append(event.get("body", b""))
            self._size += len(self._parts[-1])
            self._is_coming = event.get("more_body", False)
        if self._size > BODY_BYTES_MAX:
            raise BodyTooLarge
        return b"".join(self._parts)
