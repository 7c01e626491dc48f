"""The wallet over HTTP with a stand-in for Stripe behind it, in one process and without a network."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from funding.stripe_wallet import SECRET, STRIPE_SETTINGS, patched_client
from stripe_standin.client import BASE, Transport
from tikiwallet.stripe_standin.app import App
from tikiwallet.stripe_standin.control import control
from tikiwallet.stripe_standin.standin import StandIn
from world import World, open_world


class StripeWorld:
    """The wallet over HTTP, and Stripe."""

    def __init__(self, world: World, standin: StandIn) -> None:
        self.world = world
        self.standin = standin

    def control(self, command: str, **said: Any) -> Any:
        status, answer = control(self.standin, f"/_control/{command}", msgspec.json.encode(said))
        assert status in {200, 402}, answer
        return json.loads(answer)

    def newest(self, kind: str) -> Any:
        return next(iter(self.standin.store.all(kind, owner=None)))

    async def hear(self) -> None:
        """Webhooks come and are looked at, until there is nothing new."""

        async def take(payload: bytes, headers: dict[str, str]) -> int:
            return (await self.world.http.post("/v1/webhooks/stripe", content=payload, headers=headers)).status_code

        events = self.world.app.state.funding.stripe.events
        while await self.standin.deliver(take):
            for event in list(self.standin.store.all("event", owner=None)):
                await events.process(event["id"].encode(), self.world.clock.now)


@contextlib.asynccontextmanager
async def open_stripe_world(database_url: str, data_dir: Path, **changes: object) -> AsyncIterator[StripeWorld]:
    """Start the wallet with a stand-in for Stripe behind it; `changes` replace settings."""
    worlds: list[World] = []
    standin = StandIn(run="test", clock=lambda: worlds[0].clock.now, base_url=BASE, secrets=[SECRET])
    with patched_client(Transport(App(standin))):
        async with open_world(database_url, data_dir, jobs=False, **STRIPE_SETTINGS, **changes) as world:
            worlds.append(world)
            yield StripeWorld(world, standin)
