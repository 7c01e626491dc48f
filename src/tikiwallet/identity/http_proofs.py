"""The routes by which a person who is signed in shows again that it is them."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from tikiwallet.identity.service import Identity
from tikiwallet.identity.step_up import ProofWrong, Proven
from tikiwallet.platform.http import caller, clock_now, read, respond, route
from tikiwallet.platform.throttle import TooManyRequests

AnyRequest = Request[Any, Any, Any]


class ProofOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows that it is me."""

    password: Annotated[str, msgspec.Meta(max_length=1024)]


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.identity`."""
    return [prove]


@route(
    "POST", "/v1/proofs", summary="Show again that it is me", tag="identity", body=ProofOrder, answer=Proven,
    status=201, refusals=(ProofWrong, TooManyRequests),
    example=ProofOrder(password="seven green umbrellas"),  # noqa: S106
)  # fmt: skip
async def prove(request: AnyRequest) -> Response[bytes]:
    """Prove it for this session, for five minutes; then send the order again that was refused."""
    order = await read(request, ProofOrder)
    step_up = _identity(request).step_up
    proven = await step_up.prove_by_password(caller(request), order.password, now=clock_now(request))
    return respond(proven, status=201)


def _identity(request: AnyRequest) -> Identity:
    found: Identity = request.app.state.identity
    return found
