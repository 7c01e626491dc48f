"""The routes of payments: read the order, call one use case, answer."""

from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.types import (
    Asked,
    OutgoingCapped,
    PersonFrozen,
    PersonId,
    StepUpRequired,
    WalletCloses,
    require_giving,
    require_taking,
)
from tikiwallet.ledger.types import InsufficientFunds, LimitExceeded, TransferId, WalletClosed
from tikiwallet.payments.request_payments import PaymentUnderway
from tikiwallet.payments.requests import (
    PayerIsPayee,
    PayerUnknown,
    RequestNotOpen,
    RequestNotYours,
    RequestsTooMany,
    RequestUnknown,
)
from tikiwallet.payments.service import Payments
from tikiwallet.payments.shown_requests import CodeDiffers, CodeNotYours, CodesTooMany, CodeUnknown
from tikiwallet.payments.statement_csv import statement_csv
from tikiwallet.payments.statements import (
    ReceiptQuery,
    Statement,
    StatementDataQuery,
    StatementMonthInvalid,
    StatementQuery,
    StatementTooLong,
)
from tikiwallet.payments.transfers import MemoInvalid, PayeeCloses, PayeeIsPayer, PayeeUnknown, TransferUnknown
from tikiwallet.payments.types import (
    Allowances,
    Balances,
    HistoryPage,
    HistoryQuery,
    MoneyRequest,
    PersonRef,
    Receipt,
    RequestOrder,
    RequestPage,
    RequestQuery,
    SendOrder,
    ShownOrder,
    ShownPayment,
    ShownRequest,
)
from tikiwallet.platform import http
from tikiwallet.platform.http import RequestInvalid, route
from tikiwallet.platform.money import Amount, CurrencyNotOffered
from tikiwallet.platform.thin import begun
from tikiwallet.platform.throttle import Throttle, TooManyRequests

AnyRequest = Request[Any, Any, Any]
Q = TypeVar("Q")

MONEY_MOVES = (
    InsufficientFunds, LimitExceeded, OutgoingCapped, PersonFrozen, StepUpRequired, TooManyRequests, WalletClosed,
)  # fmt: skip
MONEY_COMES = (PersonFrozen, WalletCloses)
PAGE_QUERY = (("cursor", "where the page before this one ended"), ("limit", "1 to 100; 20 if not given"))
HISTORY_QUERY = (
    *PAGE_QUERY,
    ("currency", "ISO 4217 code; the wallet's first currency if not given"),
    ("kind", "payment, top_up, withdrawal, load, release, settlement or correction"),
    ("direction", "in or out"),
    ("since", "RFC 3339 instant, inclusive"),
    ("until", "RFC 3339 instant, exclusive"),
)
REQUEST_QUERY = (
    *PAGE_QUERY,
    ("role", "payer (I was asked) or payee (I asked); both if not given"),
    ("state", "open, accepted, paid, declined, cancelled or expired"),
)
STATEMENT_QUERY = (
    ("currency", "ISO 4217 code; the wallet's first currency if not given"),
    ("language", "en, fr, id, sw, ar or hi; en if not given"),
)
STATEMENT_REFUSALS = (StatementMonthInvalid, StatementTooLong, CurrencyNotOffered)
PDF, CSV = "application/pdf", "text/csv"
ONE_COFFEE = Amount(amount_minor=450, currency="SGD")


def payments_of(request: AnyRequest) -> Payments:
    """Return the use cases of this application."""
    found: Payments = request.app.state.payments
    return found


def person_of(request: AnyRequest) -> PersonId:
    """Return who is asking, proven by the session."""
    return PersonId(http.caller(request).person_id)


def payer_of(request: AnyRequest) -> http.Caller:
    """Return who is asking to pay. Refusal: `PersonFrozen`."""
    require_giving(http.caller(request).state)
    return http.caller(request)


def taker_of(request: AnyRequest) -> PersonId:
    """Return who is asking for money. Refusals: `PersonFrozen`, `WalletCloses`."""
    require_taking(http.caller(request).state)
    return person_of(request)


def order_key(request: AnyRequest) -> str:
    """Return the Idempotency-Key of an order to pay, counted among those that one person may give in a minute.

    Refusals: `IdempotencyKeyMissing`, `IdempotencyKeyInvalid`, `TooManyRequests`.
    """
    key = http.idempotency_key(request)
    throttle: Throttle = request.app.state.throttle
    throttle.count_order(http.caller(request).person_id, now=http.clock_now(request))
    return key


def read_query(request: AnyRequest, kind: type[Q]) -> Q:
    """Return the query parameters as `kind`; refuses unknown, malformed and repeated ones (`RequestInvalid`)."""
    found = dict(request.query_params)
    if len(found) != len(request.query_params):
        raise RequestInvalid("A parameter stands in the query twice.")
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise RequestInvalid(message, field=path.rstrip("`").lstrip(".")) from error


@route("GET", "/v1/balance", summary="What is in my wallet?", tag="payments", answer=Balances, thin=True)
async def get_balance(request: AnyRequest) -> Response[bytes]:
    """Answer every currency of the wallet, also those that hold nothing."""
    return http.respond(Balances(balances=await payments_of(request).wallets.balances(person_of(request))))


@route("GET", "/v1/limits", summary="What may I still do?", tag="payments", answer=Allowances)
async def get_limits(request: AnyRequest) -> Response[bytes]:
    """Answer what the wallet may hold, and what may still leave it today and this month, in every currency."""
    found = await payments_of(request).wallets.allowances(person_of(request), now=http.clock_now(request))
    return http.respond(Allowances(items=found))


async def read_order(request: AnyRequest) -> tuple[SendOrder, Asked]:
    """Return the order to pay, and who is asked for as its payee: in the same call as the session of the payer."""
    order = await http.read(request, SendOrder)
    return order, payments_of(request).transfers.ask_for(order.to)


@route(
    "POST", "/v1/transfers", summary="Pay somebody", tag="payments", body=SendOrder, answer=Receipt, status=201,
    idempotent=True, thin=True, early=read_order,
    refusals=(MemoInvalid, CurrencyNotOffered, PayeeUnknown, PayeeIsPayer, PayeeCloses, *MONEY_MOVES),
    example=SendOrder(to=PersonRef(username="bob"), amount=ONE_COFFEE, memo="coffee"),
)  # fmt: skip
async def post_transfer(request: AnyRequest) -> Response[bytes]:
    """Pay at most once for each Idempotency-Key and answer the receipt."""
    order, payee = await begun(request, read_order)
    key = order_key(request)
    return http.respond(
        await payments_of(request).transfers.send(
            order, payee, caller=payer_of(request), key=key, now=http.clock_now(request)
        ),
        status=201,
    )


@route(
    "GET", "/v1/transfers/{transfer_id:uuid}", summary="The receipt of a payment", tag="payments", answer=Receipt,
    refusals=(TransferUnknown,),
)  # fmt: skip
async def get_transfer(request: AnyRequest, transfer_id: FromPath[UUID]) -> Response[bytes]:
    """Answer the receipt to either party; to anybody else the payment doesn't exist."""
    transfers = payments_of(request).transfers
    return http.respond(await transfers.receipt(TransferId(transfer_id), reader_id=person_of(request)))


@route(
    "GET", "/v1/history", summary="What happened to my wallet?", tag="payments", answer=HistoryPage, thin=True,
    query=HISTORY_QUERY, refusals=(CurrencyNotOffered,),
)  # fmt: skip
async def get_history(request: AnyRequest) -> Response[bytes]:
    """Answer movements newest first, each with the balance after it."""
    query = read_query(request, HistoryQuery)
    return http.respond(await payments_of(request).history.page(person_of(request), query))


@route(
    "POST", "/v1/requests", summary="Ask somebody for money", tag="payments", body=RequestOrder, answer=MoneyRequest,
    status=201, idempotent=True,
    refusals=(MemoInvalid, CurrencyNotOffered, PayerUnknown, PayerIsPayee, RequestsTooMany, *MONEY_COMES),
    example=RequestOrder(payer=PersonRef(username="alice"), amount=ONE_COFFEE, memo="you owe me a coffee"),
)  # fmt: skip
async def post_request(request: AnyRequest) -> Response[bytes]:
    """Ask at most once for each Idempotency-Key; the request is open for seven days."""
    order = await http.read(request, RequestOrder)
    key = http.idempotency_key(request)
    asked = await payments_of(request).requests.ask(
        order, payee_id=taker_of(request), key=key, now=http.clock_now(request)
    )
    return http.respond(asked, status=201)


@route(
    "GET", "/v1/requests", summary="Requests for money, by me and to me", tag="payments", answer=RequestPage,
    query=REQUEST_QUERY,
)  # fmt: skip
async def get_requests(request: AnyRequest) -> Response[bytes]:
    """Answer my requests, newest first."""
    query = read_query(request, RequestQuery)
    page = await payments_of(request).requests.page(query, reader_id=person_of(request), now=http.clock_now(request))
    return http.respond(page)


@route(
    "GET", "/v1/requests/{request_id:uuid}", summary="One request for money", tag="payments", answer=MoneyRequest,
    refusals=(RequestUnknown,),
)  # fmt: skip
async def get_request(request: AnyRequest, request_id: FromPath[UUID]) -> Response[bytes]:
    """Answer the request to either party; to anybody else it doesn't exist."""
    requests = payments_of(request).requests
    return http.respond(await requests.get(request_id, reader_id=person_of(request), now=http.clock_now(request)))


@route(
    "POST", "/v1/requests/{request_id:uuid}/payment", summary="Pay a request", tag="payments", answer=MoneyRequest,
    status=201, idempotent=True,
    refusals=(RequestUnknown, RequestNotYours, RequestNotOpen, PaymentUnderway, *MONEY_MOVES),
)  # fmt: skip
async def post_request_payment(request: AnyRequest, request_id: FromPath[UUID]) -> Response[bytes]:
    """Pay the request, once and for ever, and answer it with its receipt."""
    paid = await payments_of(request).request_payments.pay(
        request_id, caller=payer_of(request), key=order_key(request), now=http.clock_now(request)
    )
    return http.respond(paid, status=201)


@route(
    "POST", "/v1/requests/{request_id:uuid}/decline", summary="Say no to a request", tag="payments",
    answer=MoneyRequest, refusals=(RequestUnknown, RequestNotYours, RequestNotOpen),
)  # fmt: skip
async def post_request_decline(request: AnyRequest, request_id: FromPath[UUID]) -> Response[bytes]:
    """Decline, for the person who was asked."""
    requests = payments_of(request).requests
    return http.respond(await requests.decline(request_id, payer_id=person_of(request), now=http.clock_now(request)))


@route(
    "POST", "/v1/requests/{request_id:uuid}/cancellation", summary="Take a request back", tag="payments",
    answer=MoneyRequest, refusals=(RequestUnknown, RequestNotYours, RequestNotOpen),
)  # fmt: skip
async def post_request_cancellation(request: AnyRequest, request_id: FromPath[UUID]) -> Response[bytes]:
    """Cancel, for the person who asked."""
    requests = payments_of(request).requests
    return http.respond(await requests.cancel(request_id, payee_id=person_of(request), now=http.clock_now(request)))


@route(
    "POST", "/v1/shown-requests", summary="My phone shows a request code", tag="payments", body=ShownOrder,
    answer=ShownRequest, refusals=(CurrencyNotOffered, CodeNotYours, CodeDiffers, CodesTooMany, *MONEY_COMES),
    example=ShownOrder(reference="RPqV0m6e2Q1yFzqk0m7u9wABAgMEBQYH", amount=ONE_COFFEE),
)  # fmt: skip
async def post_shown_request(request: AnyRequest) -> Response[bytes]:
    """Make a code payable online for two minutes more; to be repeated while it is shown. Answers how it stands."""
    order = await http.read(request, ShownOrder)
    shown = payments_of(request).shown_requests
    return http.respond(await shown.show(order, payee_id=taker_of(request), now=http.clock_now(request)))


@route(
    "GET", "/v1/shown-requests/{reference:str}", summary="How does a request code stand?", tag="payments",
    answer=ShownRequest, refusals=(CodeUnknown,),
)  # fmt: skip
async def get_shown_request(request: AnyRequest, reference: FromPath[str]) -> Response[bytes]:
    """Answer anybody who has seen the code; who paid it is told to the two parties only."""
    shown = payments_of(request).shown_requests
    return http.respond(await shown.get(reference, reader_id=person_of(request), now=http.clock_now(request)))


@route(
    "POST", "/v1/shown-requests/{reference:str}/payment", summary="Pay a request code online", tag="payments",
    body=ShownPayment, answer=ShownRequest, status=201, idempotent=True,
    refusals=(MemoInvalid, CodeUnknown, PayeeIsPayer, RequestNotOpen, PaymentUnderway, *MONEY_MOVES),
    example=ShownPayment(memo="two mangoes"),
)  # fmt: skip
async def post_shown_request_payment(request: AnyRequest, reference: FromPath[str]) -> Response[bytes]:
    """Pay the code, once and for ever, while the payee's phone is in touch, and answer it with its receipt."""
    order = await http.read(request, ShownPayment)
    paid = await payments_of(request).shown_requests.pay(
        reference, memo=order.memo, caller=payer_of(request), key=order_key(request),
        now=http.clock_now(request),
    )  # fmt: skip
    return http.respond(paid, status=201)


@route(
    "POST", "/v1/shown-requests/{reference:str}/cancellation", summary="My phone doesn't show this code any more",
    tag="payments", answer=ShownRequest, refusals=(CodeUnknown, RequestNotYours, RequestNotOpen),
)  # fmt: skip
async def post_shown_request_cancellation(request: AnyRequest, reference: FromPath[str]) -> Response[bytes]:
    """Take a code back, for the person whose phone showed it; from then on nobody can pay it online."""
    shown = payments_of(request).shown_requests
    return http.respond(await shown.cancel(reference, payee_id=person_of(request), now=http.clock_now(request)))


@route(
    "GET", "/v1/statements/{month:str}", summary="The statement of a month", tag="payments", answer=Statement,
    query=(STATEMENT_QUERY[0],), refusals=STATEMENT_REFUSALS,
)  # fmt: skip
async def get_statement(request: AnyRequest, month: FromPath[str]) -> Response[bytes]:
    """Answer opening balance, every movement, oldest first, and closing balance."""
    query = read_query(request, StatementDataQuery)
    return http.respond(await _statement(request, month, query.currency))


@route(
    "GET", "/v1/statements/{month:str}/pdf", summary="The statement of a month as PDF", tag="payments",
    file_type=PDF, query=STATEMENT_QUERY, refusals=STATEMENT_REFUSALS,
)  # fmt: skip
async def get_statement_pdf(request: AnyRequest, month: FromPath[str]) -> Response[bytes]:
    """Answer the statement in the language that is asked for."""
    query = read_query(request, StatementQuery)
    statement = await _statement(request, month, query.currency)
    made = await payments_of(request).papers.statement_pdf(statement, query.language)
    return http.respond_file(made, media_type=PDF, name=f"tikiwallet-{month}.pdf")


@route(
    "GET", "/v1/statements/{month:str}/csv", summary="The statement of a month as CSV", tag="payments",
    file_type=CSV, query=STATEMENT_QUERY, refusals=STATEMENT_REFUSALS,
)  # fmt: skip
async def get_statement_csv(request: AnyRequest, month: FromPath[str]) -> Response[bytes]:
    """Answer the statement as a table in which no text can be taken for a formula."""
    query = read_query(request, StatementQuery)
    made = statement_csv(await _statement(request, month, query.currency), query.language)
    return http.respond_file(made.encode(), media_type=CSV, name=f"tikiwallet-{month}.csv")


@route(
    "GET", "/v1/transfers/{transfer_id:uuid}/pdf", summary="The receipt of a payment as PDF", tag="payments",
    file_type=PDF, query=(STATEMENT_QUERY[1],), refusals=(TransferUnknown,),
)  # fmt: skip
async def get_receipt_pdf(request: AnyRequest, transfer_id: FromPath[UUID]) -> Response[bytes]:
    """Answer the receipt to either party; to anybody else the payment doesn't exist."""
    query = read_query(request, ReceiptQuery)
    receipt = await payments_of(request).transfers.receipt(TransferId(transfer_id), reader_id=person_of(request))
    made = await payments_of(request).papers.receipt_pdf(receipt, query.language)
    return http.respond_file(made, media_type=PDF, name=f"tikiwallet-{transfer_id}.pdf")


async def _statement(request: AnyRequest, month: str, currency: str | None) -> Statement:
    statements = payments_of(request).statements
    return await statements.month(person_of(request), month, currency=currency, now=http.clock_now(request))


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.payments`."""
    return [
        get_balance,
        get_limits,
        post_transfer,
        get_transfer,
        get_history,
        get_statement,
        get_statement_pdf,
        get_statement_csv,
        get_receipt_pdf,
        post_request,
        get_requests,
        get_request,
        post_request_payment,
        post_request_decline,
        post_request_cancellation,
        post_shown_request,
        get_shown_request,
        post_shown_request_payment,
        post_shown_request_cancellation,
    ]
