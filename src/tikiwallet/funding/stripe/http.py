"""The routes of what only Stripe can do: webhooks, saved cards, where to be paid, disputes."""

from typing import TYPE_CHECKING, Any

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.funding.disputes import Disputes
from tikiwallet.funding.operations import FundingUnavailable
from tikiwallet.funding.types import (
    PayoutAccount,
    SavedCards,
    SavedCardUnknown,
    SavingCard,
    SavingOrder,
    Through,
    WebhookInvalid,
)
from tikiwallet.identity.types import PersonId
from tikiwallet.platform import http
from tikiwallet.platform.http import RequestInvalid, route

if TYPE_CHECKING:  # else every start would wait for Stripe's client, also where it isn't wanted
    from tikiwallet.funding.stripe.service import Stripe

AnyRequest = Request[Any, Any, Any]


@route(
    "POST", "/v1/webhooks/stripe", summary="What Stripe tells us", tag="funding", status=204, signed_in=False,
    refusals=(WebhookInvalid, FundingUnavailable),
)  # fmt: skip
async def post_webhook(request: AnyRequest) -> Response[None]:
    """Keep what Stripe signed; a job looks at what it names."""
    payload = await request.body()
    await _stripe(request).events.receive(
        payload, request.headers.get("stripe-signature", ""), now=http.clock_now(request)
    )
    return http.no_content()


@route(
    "GET", "/v1/saved-cards", summary="My saved cards", tag="funding", answer=SavedCards, refusals=(FundingUnavailable,)
)
async def get_cards(request: AnyRequest) -> Response[bytes]:
    """Answer what the provider keeps for me: brand, last digits and until when."""
    return http.respond(SavedCards(cards=await _stripe(request).customers.cards(_person(request))))


@route(
    "POST", "/v1/saved-cards", summary="Save a card", tag="funding", body=SavingOrder, answer=SavingCard, status=201,
    refusals=(FundingUnavailable,), example=SavingOrder(),
)  # fmt: skip
async def post_card(request: AnyRequest) -> Response[bytes]:
    """Answer a page to go to, or a secret for the provider's code in an app."""
    order = await http.read(request, SavingOrder)
    customers, person_id = _stripe(request).customers, _person(request)
    if order.through is Through.SAVED:
        raise RequestInvalid("A card is saved on a page or natively.", field="through")
    saving = customers.save if order.through is Through.PAGE else customers.save_natively
    return http.respond(await saving(person_id), status=201)


@route(
    "DELETE", "/v1/saved-cards/{method_id:str}", summary="Forget a saved card", tag="funding", status=204,
    refusals=(SavedCardUnknown, FundingUnavailable),
)  # fmt: skip
async def delete_card(request: AnyRequest, method_id: FromPath[str]) -> Response[None]:
    """Have the provider forget it."""
    await _stripe(request).customers.remove(_person(request), method_id)
    return http.no_content()


@route(
    "GET", "/v1/payout-account", summary="Can I be paid?", tag="funding", answer=PayoutAccount,
    refusals=(FundingUnavailable,),
)  # fmt: skip
async def get_account(request: AnyRequest) -> Response[bytes]:
    """Answer whether the provider knows where to pay, by what it says now."""
    return http.respond(await _stripe(request).accounts.state_of(_person(request)))


@route(
    "POST", "/v1/payout-account", summary="Say where to be paid", tag="funding", answer=PayoutAccount, status=201,
    refusals=(FundingUnavailable,),
)  # fmt: skip
async def post_account(request: AnyRequest) -> Response[bytes]:
    """Answer a page of the provider's, good for a few minutes, on which to say it."""
    return http.respond(await _stripe(request).accounts.open(_person(request)), status=201)


@route("GET", "/v1/disputes", summary="Top-ups that my bank takes back", tag="funding", answer=Disputes)
async def get_disputes(request: AnyRequest) -> Response[bytes]:
    """Answer the newest, with what is set aside and what is owed."""
    stripe = request.app.state.funding.stripe
    found = [] if stripe is None else await stripe.disputes.of_person(_person(request))
    return http.respond(Disputes(disputes=found))


def _stripe(request: AnyRequest) -> "Stripe":
    found: Stripe | None = request.app.state.funding.stripe
    if found is None:
        raise FundingUnavailable
    return found


def _person(request: AnyRequest) -> PersonId:
    return PersonId(http.caller(request).person_id)


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find Stripe in `app.state.funding`."""
    return [post_webhook, get_cards, post_card, delete_card, get_account, post_account, get_disputes]
