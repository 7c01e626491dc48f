"""The routes of funding: read the order, call one use case, answer."""

from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.funding.card_testing import TooManyTopUps
from tikiwallet.funding.disputes import DisputeOwed
from tikiwallet.funding.operations import (
    CheckoutExpired,
    DeclinedByBank,
    FeeDiffers,
    FundingUnavailable,
    OperationOver,
    OperationUnderway,
    OperationUnknown,
)
from tikiwallet.funding.service import Funding
from tikiwallet.funding.types import (
    FundingAbout,
    Operation,
    OperationKind,
    PayoutAccountMissing,
    Quote,
    TopUpOrder,
    WithdrawalOrder,
)
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
from tikiwallet.platform.throttle import client_address

AnyRequest = Request[Any, Any, Any]

REFUSALS = (
    CurrencyNotOffered, LimitExceeded, WalletClosed, DeclinedByBank, FundingUnavailable, OperationUnderway,
    PersonFrozen,
)  # fmt: skip
FIFTY = Amount(amount_minor=5000, currency="SGD")


@route(
    "POST", "/v1/top-ups", summary="Move money from my bank into my wallet", tag="funding", body=TopUpOrder,
    answer=Operation, status=201, idempotent=True,
    refusals=(WalletCloses, *REFUSALS, CheckoutExpired, TooManyTopUps), example=TopUpOrder(amount=FIFTY),
)  # fmt: skip
async def post_top_up(request: AnyRequest) -> Response[bytes]:
    """Top up at most once for each Idempotency-Key and answer where it stands."""
    return await _start(request, await http.read(request, TopUpOrder))


@route(
    "POST", "/v1/withdrawals", summary="Move money from my wallet to my bank", tag="funding", body=WithdrawalOrder,
    answer=Operation, status=201, idempotent=True,
    refusals=(
        InsufficientFunds, OutgoingCapped, StepUpRequired, *REFUSALS, PayoutAccountMissing, FeeDiffers, DisputeOwed,
    ),
    example=WithdrawalOrder(amount=FIFTY),
)  # fmt: skip
async def post_withdrawal(request: AnyRequest) -> Response[bytes]:
    """Withdraw at most once for each Idempotency-Key and answer where it stands."""
    return await _start(request, await http.read(request, WithdrawalOrder))


@route(
    "POST", "/v1/withdrawals/quote", summary="What would a withdrawal cost and bring?", tag="funding",
    body=WithdrawalOrder, answer=Quote, refusals=(CurrencyNotOffered, LimitExceeded, FundingUnavailable),
    example=WithdrawalOrder(amount=FIFTY),
)  # fmt: skip
async def post_quote(request: AnyRequest) -> Response[bytes]:
    """Answer the fee and what arrives; nothing is ordered. `fee_minor` of the body counts for nothing here."""
    order = await http.read(request, WithdrawalOrder)
    return http.respond(_funding(request).operations.quote(order.amount))


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


@route(
    "POST", "/v1/top-ups/{operation_id:uuid}/cancellation", summary="Take a top-up back", tag="funding",
    answer=Operation, refusals=(OperationUnknown, OperationOver, FundingUnavailable),
)  # fmt: skip
async def cancel_top_up(request: AnyRequest, operation_id: FromPath[UUID]) -> Response[bytes]:
    """Undo it if nobody has paid yet, and answer where it stands. Safe to repeat."""
    return await _cancel(request, OperationKind.TOP_UP, operation_id)


@route(
    "POST", "/v1/withdrawals/{operation_id:uuid}/cancellation", summary="Take a withdrawal back", tag="funding",
    answer=Operation, refusals=(OperationUnknown, OperationOver, FundingUnavailable),
)  # fmt: skip
async def cancel_withdrawal(request: AnyRequest, operation_id: FromPath[UUID]) -> Response[bytes]:
    """Undo it if the money can still be stopped, and answer where it stands. Safe to repeat."""
    return await _cancel(request, OperationKind.WITHDRAWAL, operation_id)


@route("GET", "/v1/funding", summary="How does money come in and go out here?", tag="funding", answer=FundingAbout)
async def get_about(request: AnyRequest) -> Response[bytes]:
    """Answer which provider there is, and what it can do."""
    return http.respond(_funding(request).about)


async def _start(request: AnyRequest, order: TopUpOrder | WithdrawalOrder) -> Response[bytes]:
    caller = http.caller(request)
    if isinstance(order, TopUpOrder):
        require_taking(caller.state)
    else:
        require_giving(caller.state)
    started = await _funding(request).operations.start(
        order, caller=caller, key=http.idempotency_key(request), now=http.clock_now(request),
        address=_address(request),
    )  # fmt: skip
    return http.respond(started, status=201)


async def _get(request: AnyRequest, kind: OperationKind, operation_id: FromPath[UUID]) -> Response[bytes]:
    return http.respond(await _funding(request).operations.get(kind, operation_id, reader_id=_person(request)))


async def _cancel(request: AnyRequest, kind: OperationKind, operation_id: FromPath[UUID]) -> Response[bytes]:
    cancelled = await _funding(request).operations.cancel(
        kind, operation_id, person_id=_person(request), now=http.clock_now(request)
    )
    return http.respond(cancelled)


def _address(request: AnyRequest) -> str:
    return client_address(
        request.client.host if request.client else "",
        forwarded_for=",".join(request.headers.getall("x-forwarded-for", [])),
        trusted=request.app.state.settings.trusted_proxies,
    )


def _funding(request: AnyRequest) -> Funding:
    found: Funding = request.app.state.funding
    return found


def _person(request: AnyRequest) -> PersonId:
    return PersonId(http.caller(request).person_id)


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.funding`."""
    return [
        post_top_up, post_withdrawal, post_quote, get_top_up, get_withdrawal, cancel_top_up, cancel_withdrawal,
        get_about,
    ]  # fmt: skip
