"""Stripe's own client as this wallet uses it, and the one way to make something there.

A request that changes something carries a key made of the operation and the step, never of the attempt, so that Stripe
answers a repetition with what it did the first time. That alone isn't enough: Stripe forgets a key after a day, and
answers for ever with the failure that it remembers if it failed after the effect. Then what was made is looked for.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID, uuid5

import httpx
import stripe

from tikiwallet.platform.config import Settings

VERSION: Final = "2026-05-27.dahlia"  # what the code was written for; a newer one is a change with its own tests
TIMEOUT_SECONDS: Final = 20
KEYS_KEPT: Final = timedelta(hours=23)  # Stripe says at least 24
LOOKED_AT_MAX: Final = 1000  # objects, when one is looked for
PAGE: Final = 100
CLOCKS_DIFFER: Final = timedelta(minutes=10)


M = TypeVar("M")


class HttpClient(stripe.HTTPXClient):
    """Stripe's HTTP client on a transport of our choice (None: the network)."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(timeout=TIMEOUT_SECONDS, verify_ssl_certs=transport is None)
        if transport is not None:
            self._client_async = httpx.AsyncClient(transport=transport)

    def _get_request_args_kwargs(self, method: str, url: str, headers: Mapping[str, str], post_data: Any) -> list[Any]:
        arguments, named = super()._get_request_args_kwargs(method, url, headers, post_data)
        named["content"] = named.pop("data") or b""  # httpx warns of text that is called data
        return [arguments, named]


def open_client(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> stripe.StripeClient:
    """Return the client for the key of the settings. It repeats nothing by itself: our steps do."""
    stripe.enable_telemetry = False
    return stripe.StripeClient(
        settings.stripe_api_key,
        stripe_version=VERSION,
        base_addresses={"api": settings.stripe_api_url} if settings.stripe_api_url else None,
        http_client=HttpClient(transport),
        max_network_retries=0,
    )


def key_of(operation_id: UUID, step: str) -> str:
    """Return the idempotency key of one step of an operation (or of what else is named by an id of ours)."""
    return str(uuid5(operation_id, f"stripe/{step}"))


async def made_once(
    create: Callable[[], Awaitable[M]],
    find: Callable[[], Awaitable[M | None]],
    *,
    age: timedelta = timedelta(0),
) -> M:
    """Make something at most once, whenever and however often this is called.

    `age` is how long ago it may have been asked for first: past the life of a key, and where Stripe failed in the
    middle, it is looked for. Raises what Stripe says otherwise.
    """
    if age > KEYS_KEPT and (found := await find()) is not None:
        return found
    try:
        return await create()
    except stripe.APIError:
        if (found := await find()) is None:
            raise
        return found


ListPage: TypeAlias = Callable[[Any], Awaitable[Any]]


async def found_for(maker_id: UUID, list_page: ListPage, *, name: str = "operation_id", **filters: object) -> Any:
    """Return, of the newest in a list of Stripe's, the one that was made for this operation; None if none was."""
    async for item in everything(list_page, count_max=LOOKED_AT_MAX, **filters):
        if item.metadata is not None and item.metadata.to_dict().get(name) == str(maker_id):
            return item
    return None


async def everything(list_page: ListPage, *, count_max: int, **filters: object) -> AsyncIterator[Any]:
    """Yield what is in a list of Stripe's, newest first, page by page."""
    seen, params = 0, {**filters, "limit": PAGE}
    while seen < count_max:
        page = await list_page(params)
        for item in page.data:
            yield item
        if not page.has_more:
            return
        seen += len(page.data)
        params = {**filters, "limit": PAGE, "starting_after": page.data[-1].id}


def since(at: datetime) -> dict[str, int]:
    """Return a filter (`created`) for what was made since a moment of our clock."""
    return {"gte": int((at - CLOCKS_DIFFER).timestamp())}


def has_code(error: stripe.StripeError, codes: Sequence[str]) -> bool:
    """Whether Stripe refused for one of these reasons."""
    return error.code in codes
