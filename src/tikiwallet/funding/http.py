"""The routes of funding: read the order, call one use case, answer."""

from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.funding.operations import (
    DeclinedByBank,
    FundingUnavailable,
    OperationUnderway,
    OperationUnknown,
)
from tikiwallet.funding.service import Funding
from tikiwallet.funding.types import Operation, OperationKind, OperationOrder
from tikiwallet.identity.types import (
    OutgoingCapped,
    PersonFrozen,
    PersonId,
    StepUpRequired,
    WalletCloses,
    require_giving,
    require_taking,
)
from tikiwallet.ledger.types import InsufficientFunds, LimitExceeded, WalletClosed
from tikiwallet.platform import http
from tikiwallet.platform.http import route
from tikiwallet.platform.money import Amount, CurrencyNotOffered

AnyRequest = Request[Any, Any, Any]

REFUSALS = (
    CurrencyNotOffered, LimitExceeded, WalletClosed, DeclinedByBank, FundingUnavailable, OperationUnderway,
    PersonFrozen,
)  # fmt: skip
FIFTY = OperationOrder(amount=Amount(amount_minor=5000, currency="SGD"))


@route(
    "POST", "/v1/top-ups", summary="Move money from my bank into my wallet", tag="funding", body=OperationOrder,
    answer=Operation, status=201, idempotent=True, refusals=(WalletCloses, *REFUSALS), example=FIFTY,
)  # fmt: skip
async def post_top_up(request: AnyRequest) -> Response[bytes]:
    """Top up at most once for each Idempotency-Key and answer where it stands."""
    return await _start(request, OperationKind.TOP_UP)


@route(
    "POST", "/v1/withdrawals", summary="Move money from my wallet to my bank", tag="funding", body=OperationOrder,
    answer=Operation, status=201, idempotent=True, example=FIFTY,
    refusals=(InsufficientFunds, OutgoingCapped, StepUpRequired, *REFUSALS),
)  # fmt: skip
async def post_withdrawal(request: AnyRequest) -> Response[bytes]:
    """Withdraw at most once for each Idempotency-Key and answer where it stands."""
    return await _start(request, OperationKind.WITHDRAWAL)


@route(
    "GET", "/v1/top-ups/{operation_id:uuid}", summary="Where does my top-up stand?", tag="funding", answer=Operation,
    refusals=(OperationUnknown,),
)  # fmt: skip
async def get_top_up(request: AnyRequest, operation_id: FromPath[UUID]) -> Response[bytes]:
    """Answer the state, what it means and since when."""
    return await _get(request, OperationKind.TOP_UP, operation_id)


@route(
    "GET", "/v1/withdrawals/{operation_id:uuid}", summary="Where does my withdrawal stand?", tag="funding",
    answer=Operation, refusals=(OperationUnknown,),
)  # fmt: skip
async def get_withdrawal(request: AnyRequest, operation_id: FromPath[UUID]) -> Response[bytes]:
    """Answer the state, what it means and since when."""
    return await _get(request, OperationKind.WITHDRAWAL, operation_id)


async def _start(request: AnyRequest, kind: OperationKind) -> Response[bytes]:
    order = await http.read(request, OperationOrder)
    state = http.caller(request).state
    if kind is OperationKind.TOP_UP:
        require_taking(state)
    else:
        require_giving(state)
    started = await _funding(request).operations.start(
        kind, order, caller=http.caller(request), key=http.idempotency_key(request), now=http.clock_now(request)
    )
    return http.respond(started, status=201)


async def _get(request: AnyRequest, kind: OperationKind, operation_id: FromPath[UUID]) -> Response[bytes]:
    return http.respond(await _funding(request).operations.get(kind, operation_id, reader_id=_person(request)))


def _funding(request: AnyRequest) -> Funding:
    found: Funding = request.app.state.funding
    return found


def _person(request: AnyRequest) -> PersonId:
    return PersonId(http.caller(request).person_id)


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.funding`."""
    return [post_top_up, post_withdrawal, get_top_up, get_withdrawal]
