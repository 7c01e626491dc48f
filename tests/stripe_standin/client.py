"""Stripe's own client, talking to a stand-in through nothing but ASGI; every request and answer is checked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import stripe

from stripe_standin.description import check_answer, check_object, check_request
from tikiwallet.stripe_standin.app import App
from tikiwallet.stripe_standin.faults import AnswerLost
from tikiwallet.stripe_standin.standin import API_KEY, StandIn
from tikiwallet.stripe_standin.store import API_VERSION, State

BASE = "http://127.0.0.1:12111"
SECRET = "whsec_standin"


class Transport(httpx.AsyncBaseTransport):
    """The way to the stand-in: an answer that is lost is a connection that breaks."""

    def __init__(self, app: App) -> None:
        self._inner = httpx.ASGITransport(app)  # type: ignore[arg-type]
        self.requests: list[tuple[str, str]] = []
        self.is_checked = True  # a test that sends nonsense on purpose says so

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        method, path = request.method, request.url.path
        parameters = request.content.decode() if method == "POST" else request.url.query.decode()
        is_api = path.startswith("/v1/")
        if is_api:
            self.requests.append((method, path))
            if self.is_checked:
                check_request(method, path, parameters)
        try:
            response = await self._inner.handle_async_request(request)
        except AnswerLost as lost:
            raise httpx.ReadTimeout("no answer") from lost
        body = await response.aread()
        if is_api and self.is_checked:
            check_answer(method, path, response.status_code, body)
        return response


class Client(stripe.HTTPXClient):
    """Stripe's HTTP client with this transport instead of the network; it doesn't wait between tries."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__()
        self._client_async = httpx.AsyncClient(transport=transport)

    def _get_request_args_kwargs(self, method: str, url: str, headers: Any, post_data: Any) -> Any:
        arguments, named = super()._get_request_args_kwargs(method, url, headers, post_data)
        named["content"] = named.pop("data") or b""  # httpx warns of text that is called data
        return arguments, named

    async def sleep_async(self, secs: float) -> None:
        return None


class Stripe:
    """A stand-in, Stripe's client for it, and a webhook that keeps what it is sent."""

    def __init__(self) -> None:
        self.time = datetime(2026, 6, 1, tzinfo=UTC)
        self.standin = StandIn(run="test", clock=lambda: self.time, base_url=BASE, secrets=[SECRET])
        self.transport = Transport(App(self.standin))
        self.sdk = stripe.StripeClient(
            API_KEY,
            base_addresses={"api": BASE},
            http_client=Client(self.transport),
            stripe_version=API_VERSION,
            max_network_retries=0,
        )
        self.v1 = self.sdk.v1
        self.events: list[stripe.Event] = []
        self.webhook_status = 200

    async def browse(self, method: str, path: str, **form: str) -> httpx.Response:
        """What a browser gets, redirections not followed."""
        async with httpx.AsyncClient(transport=self.transport, base_url=BASE) as browser:
            return await browser.request(method, urlsplit(path).path, data=form or None)

    async def control(self, command: str, content: Any) -> Any:
        async with httpx.AsyncClient(transport=self.transport, base_url=BASE) as browser:
            answer = await browser.post(f"/_control/{command}", content=msgspec.json.encode(content))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def later(self, **duration: float) -> None:
        self.time += timedelta(**duration)
        await self.deliver()

    async def deliver(self) -> list[str]:
        """Let the webhooks come; returns the types of the events, in the order in which they came."""
        before = len(self.events)

        async def take(payload: bytes, headers: dict[str, str]) -> int:
            tolerance = 10**9  # the stand-in's clock is ours, the client's is the machine's
            event = self.sdk.construct_event(payload, headers["stripe-signature"], SECRET, tolerance)
            check_object(msgspec.json.decode(payload)["data"]["object"])
            self.events.append(event)
            return self.webhook_status

        await self.standin.deliver(take)
        return [event.type for event in self.events[before:]]

    def restarted(self) -> State:
        """The state as it comes out of a file."""
        return msgspec.json.decode(msgspec.json.encode(self.standin.store.state), type=State)

    def books(self, *, owner: str = "") -> Iterator[int]:
        for entry in self.standin.store.all("balance_transaction", owner=owner):
            yield entry["net"]
