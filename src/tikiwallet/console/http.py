"""The operators' routes: how one is declared, who is asking, and what is done about people and operators.

A session counts only beside the header that the operators' page sends, as people's do (platform/session_cookie.py), and
by a cookie of its own: what opens the one opens nothing of the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath

from tikiwallet.console.rights import Right, RightMissing, require_right, rights_of
from tikiwallet.console.service import Console
from tikiwallet.console.types import (
    FreezeOrder,
    LookupOrder,
    Me,
    OperatorsAnswer,
    PersonView,
    ReasonOrder,
    RolesOrder,
    TierOrder,
    TierSet,
)
from tikiwallet.identity.operator_accounts import OperatorDisabled, OperatorIsYou, OperatorRole, OperatorUnknown
from tikiwallet.identity.operator_sessions import SignedInOperator
from tikiwallet.identity.operators import PersonClosed, PersonUnknown
from tikiwallet.identity.session_labels import label_of
from tikiwallet.identity.types import FreezeReason, Tier
from tikiwallet.platform import session_cookie
from tikiwallet.platform.audit import By
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import SessionMissing, clock_now, read, respond, route
from tikiwallet.platform.throttle import client_address

AnyRequest = Request[Any, Any, Any]
AnyConnection = ASGIConnection[Any, Any, Any, Any]
Declare = Callable[[Callable[..., Awaitable[Response[Any]]]], HTTPRouteHandler]
REASON = "the customer wrote to us about it"


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the console in `app.state.console`."""
    return [
        me, look_up, end_sessions, freeze, unfreeze, set_tier, list_operators, set_roles, disable_operator,
    ]  # fmt: skip


def operator_route(
    method: str, path: str, *, right: Right, refusals: Sequence[type[Refused]] = (), **options: Any
) -> Declare:
    """Declare a route for operators who have this right (`rights.RIGHTS` says who)."""

    async def guard(connection: AnyConnection, _: BaseRouteHandler) -> None:
        token = session_cookie.operator_token_of(connection)
        if not token:
            raise SessionMissing
        operator = await console(connection).sessions.authenticate(token, now=clock_now(connection))
        connection.state.operator = operator
        try:
            require_right(right, operator.roles)
        except RightMissing:
            now = clock_now(connection)
            await console(connection).traces.is_refused(right.value, by=asking(connection), now=now)
            raise

    return route(
        method, path, tag="operators", guard=guard, scheme="operator", refusals=(RightMissing, *refusals), **options
    )


def console(connection: AnyConnection) -> Console:
    """Return the console of this application."""
    found: Console = connection.app.state.console
    return found


def operator(request: AnyRequest) -> SignedInOperator:
    """Return who is asking. Only for routes declared with `operator_route`."""
    found: SignedInOperator = request.state.operator
    return found


def asking(connection: AnyConnection) -> By:
    """Return who is asking, and from where, for the audit log."""
    who: SignedInOperator = connection.state.operator
    return By.operator(
        who.name, address=address_of(connection), session_id=who.session_id, label=browser_of(connection)
    )


def address_of(connection: AnyConnection) -> str:
    """Return from where somebody asks: the peer, or whom a proxy of ours says it speaks for."""
    return client_address(
        connection.client.host if connection.client else "",
        forwarded_for=",".join(connection.headers.getall("x-forwarded-for", [])),
        trusted=connection.app.state.settings.trusted_proxies,
    )


def browser_of(connection: AnyConnection) -> str:
    """Return the browser and system in short."""
    return label_of(connection.headers.get("user-agent", ""))


@operator_route("GET", "/v1/operator/me", right=Right.BE_SIGNED_IN, summary="Which operator am I?", answer=Me)
async def me(request: AnyRequest) -> Response[bytes]:
    """Show an operator their name, roles and what these allow."""
    who = operator(request)
    return respond(
        Me(
            operator_id=who.operator_id, name=who.name, roles=who.roles, rights=rights_of(who.roles),
            expires_at=who.expires_at,
        )
    )  # fmt: skip


@operator_route(
    "POST", "/v1/operator/lookups", right=Right.FIND_PEOPLE, summary="Find a person", body=LookupOrder,
    answer=PersonView, refusals=(PersonUnknown,), example=LookupOrder(who="alice", reason=REASON),
)  # fmt: skip
async def look_up(request: AnyRequest) -> Response[bytes]:
    """Show state, tier, sessions and what is stuck of one person. It is written down who looked, and why."""
    order = await read(request, LookupOrder)
    return respond(
        await console(request).look_up(order.who, reason=order.reason, by=asking(request), now=clock_now(request))
    )


@operator_route(
    "POST", "/v1/operator/people/{person_id:uuid}/sign-out", right=Right.END_SESSIONS,
    summary="Sign a person out everywhere", body=ReasonOrder, answer=PersonView, refusals=(PersonUnknown,),
    example=ReasonOrder(reason=REASON),
)  # fmt: skip
async def end_sessions(request: AnyRequest, person_id: FromPath[UUID]) -> Response[bytes]:
    """End every session of a person at once."""
    order = await read(request, ReasonOrder)
    return respond(
        await console(request).end_sessions(person_id, reason=order.reason, by=asking(request), now=clock_now(request))
    )


@operator_route(
    "POST", "/v1/operator/people/{person_id:uuid}/freeze", right=Right.FREEZE, summary="Freeze a wallet",
    body=FreezeOrder, answer=PersonView, refusals=(PersonUnknown, PersonClosed),
    example=FreezeOrder(because=FreezeReason.UNUSUAL, reason=REASON),
)  # fmt: skip
async def freeze(request: AnyRequest, person_id: FromPath[UUID]) -> Response[bytes]:
    """Let nothing leave a wallet any more. `because` is told to the owner, `reason` to the audit log."""
    order = await read(request, FreezeOrder)
    return respond(
        await console(request).freeze(
            person_id, order.because, reason=order.reason, by=asking(request), now=clock_now(request)
        )
    )


@operator_route(
    "POST", "/v1/operator/people/{person_id:uuid}/unfreeze", right=Right.FREEZE, summary="Let a wallet work again",
    body=ReasonOrder, answer=PersonView, refusals=(PersonUnknown,), example=ReasonOrder(reason=REASON),
)  # fmt: skip
async def unfreeze(request: AnyRequest, person_id: FromPath[UUID]) -> Response[bytes]:
    """Let a frozen wallet work again; of any other nothing changes."""
    order = await read(request, ReasonOrder)
    return respond(
        await console(request).unfreeze(person_id, reason=order.reason, by=asking(request), now=clock_now(request))
    )


@operator_route(
    "POST", "/v1/operator/tiers", right=Right.SET_TIER, summary="Give a person a tier", body=TierOrder,
    answer=TierSet, refusals=(PersonUnknown,),
    example=TierOrder(who="alice", tier=Tier.IDENTIFIED, reason="passport seen at the counter"),
)  # fmt: skip
async def set_tier(request: AnyRequest) -> Response[bytes]:
    """Give a person a tier, with its limits."""
    order = await read(request, TierOrder)
    return respond(await console(request).set_tier(order, by=asking(request), now=clock_now(request)))


@operator_route(
    "GET", "/v1/operator/operators", right=Right.MANAGE_OPERATORS, summary="Who are the operators?",
    answer=OperatorsAnswer,
)  # fmt: skip
async def list_operators(request: AnyRequest) -> Response[bytes]:
    """List all operators, also those who were."""
    found = await console(request).operators(by=asking(request), now=clock_now(request))
    return respond(OperatorsAnswer(items=found))


@operator_route(
    "POST", "/v1/operator/operators/{operator_id:uuid}/roles", right=Right.MANAGE_OPERATORS,
    summary="Change an operator's roles", body=RolesOrder, answer=OperatorsAnswer,
    refusals=(OperatorIsYou, OperatorUnknown, OperatorDisabled),
    example=RolesOrder(roles=[OperatorRole.SUPPORT], reason="moved to another team"),
)  # fmt: skip
async def set_roles(request: AnyRequest, operator_id: FromPath[UUID]) -> Response[bytes]:
    """Give another operator these roles instead of those before, from the next request on."""
    order = await read(request, RolesOrder)
    found = await console(request).set_roles(
        operator_id, order, operator(request), by=asking(request), now=clock_now(request)
    )
    return respond(OperatorsAnswer(items=found))


@operator_route(
    "POST", "/v1/operator/operators/{operator_id:uuid}/disable", right=Right.MANAGE_OPERATORS,
    summary="Let somebody be an operator no more", body=ReasonOrder, answer=OperatorsAnswer,
    refusals=(OperatorIsYou, OperatorUnknown), example=ReasonOrder(reason="left the company"),
)  # fmt: skip
async def disable_operator(request: AnyRequest, operator_id: FromPath[UUID]) -> Response[bytes]:
    """Take key, link and sessions away from another operator, at once and for ever."""
    order = await read(request, ReasonOrder)
    found = await console(request).disable(
        operator_id, operator(request), reason=order.reason, by=asking(request), now=clock_now(request)
    )
    return respond(OperatorsAnswer(items=found))
