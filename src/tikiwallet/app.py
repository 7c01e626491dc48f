"""The composition root: builds every part once and hands each what it needs. Nothing else knows all of them."""

import contextlib
from collections.abc import AsyncIterator
from importlib import metadata

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from tikiwallet.platform import http, openapi
from tikiwallet.platform.config import Settings
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import route

CONTEXTS = ("ledger", "identity", "payments", "offline", "funding")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can serve."""

    status: str


def build_app(settings: Settings, *, database_url: str) -> Litestar:
    """Return the ASGI application that serves the wallet on a migrated database.

    `database_url` is the owner's; every context connects under its own role. Nothing runs until the ASGI lifespan.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        app.state.ready = True
        yield
        app.state.ready = False

    application = Litestar(
        route_handlers=[healthz, readyz, openapi_json],
        lifespan=[lifespan],
        state=State({"settings": settings, "database_url": database_url, "ready": False}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=http.BODY_BYTES_MAX,
        exception_handlers={
            Refused: http.on_refused,
            HTTPException: http.on_http_exception,
            Exception: http.on_bug,
        },
    )
    application.state.openapi = msgspec.json.encode(
        openapi.describe(application, version=metadata.version("tikiwallet"))
    )
    return application


@route("GET", "/healthz", summary="Is this process alive?", tag="operations", answer=Health, signed_in=False)
async def healthz() -> Response[bytes]:
    """Answer while the process runs; a load balancer restarts what doesn't."""
    return http.respond(Health(status="ok"))


@route(
    "GET", "/readyz", summary="Can this process serve now?", tag="operations", answer=Health, signed_in=False,
    refusals=(http.Overloaded,),
)  # fmt: skip
async def readyz(state: State) -> Response[bytes]:
    """Answer 200 when the database answers too, else 503; a load balancer sends nobody here until then."""
    if not state.ready:
        raise http.Overloaded(retry_after_seconds=1)
    return http.respond(Health(status="ok"))


@get("/openapi.json", include_in_schema=False)
async def openapi_json(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
    """Serve the description of the API."""
    return Response(request.app.state.openapi, media_type="application/json")
