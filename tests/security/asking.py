"""Who asks a server that is fuzzed, and what about: without either, most requests are refused at the door.

One person with money asks, and one operator with every role. A request may use up who asks (sign out, close the
wallet, reach a limit); then somebody new asks from there on.
"""

import time

from operators import SignedInOperator, an_operator, sign_in, token_in
from security.callers import OTHERS_IN_EXAMPLES, PHONE_IN_EXAMPLES, ROLES, Callers
from security.calls import Call, Things
from security.far_world import FarStripe, FarWorld
from world import PASSWORD, ProblemAnswer, Someone, body_of, money

VISA = "4242424242424242"
FUNDS, FUNDS_AT_STRIPE = "500.00", 10_000_00
FRESH_SECONDS = 240  # a little less than a proof counts
LOOKS_MAX = 2000
OPERATOR_COOKIE = "tikiwallet-operator"


class Asking:
    """Those who ask, one after the other."""

    def __init__(self, world: FarWorld, stripe: FarStripe | None, operator: SignedInOperator) -> None:
        self.world, self.stripe, self.operator = world, stripe, operator
        self.owner: Someone
        self.things: Things
        self._calls: dict[str, Call] = {}
        self._people = 0
        self._proved_at = 0.0

    @classmethod
    async def begin(cls, world: FarWorld, stripe: FarStripe | None) -> "Asking":
        """Sign up everybody whom the examples name, and who asks."""
        asking = cls(world, stripe, await an_operator(world, "support", *ROLES))
        for name in OTHERS_IN_EXAMPLES:
            await world.sign_up(name)
        await asking.renew()
        return asking

    async def renew(self) -> None:
        """Let somebody new ask from now on, from another address."""
        self._people += 1
        self._calls.clear()
        self.world.http.headers["x-forwarded-for"] = self.address
        phone = PHONE_IN_EXAMPLES if self._people == 1 else ""
        self.owner = await self.world.sign_up(f"asking_{self._people}", phone=phone)
        self._proved_at = time.monotonic()
        if self.stripe is None:
            body_of(await self.owner.top_up(FUNDS), 201)
        else:
            await self._top_up_at_stripe(self.stripe)
        callers = Callers(self.owner, self.owner, {}, [self.operator])
        friend = await self.world.sign_up(f"friend_{self._people}")
        self.things = Things(self.world, callers, at_stripe=self.stripe, friend=friend)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """Where who asks is, as the proxy says."""
        return f"198.18.{self._people // 250}.{self._people % 250 + 1}"

    async def _top_up_at_stripe(self, stripe: FarStripe) -> None:
        """Pay by card, and say where to be paid."""
        order = {"amount": money(FUNDS), "through": "native"}
        started = body_of(await self.owner.post("/v1/top-ups", order), 201)
        stripe.control("pay", id=started["client_secret"].partition("_secret_")[0], card=VISA)
        body_of(await self.owner.post("/v1/payout-account"), 201)
        stripe.control("onboard", id=stripe.newest_account())
        stripe.control("fund", amount=FUNDS_AT_STRIPE)
        for _ in range(LOOKS_MAX):
            found = body_of(await self.owner.get(f"/v1/top-ups/{started['operation_id']}"), 200)
            if found["state"] == "settled":
                return
        raise AssertionError(f"paid and not settled: {found}")

    async def call(self, route: str) -> Call:
        """A call of a route that works for who asks; the same one until it is used up."""
        if route not in self._calls:
            try:
                self._calls[route] = await self.things.call(route)
            except ProblemAnswer:  # a limit of this person is reached; nobody new has one
                await self.renew()
                self._calls[route] = await self.things.call(route)
        return self._calls[route]

    def used(self, route: str) -> None:
        """Make the next call of a route about something else."""
        self._calls.pop(route, None)

    async def prove(self) -> None:
        """Prove who asks, unless that was a moment ago."""
        if time.monotonic() - self._proved_at > FRESH_SECONDS:
            body_of(await self.owner.post("/v1/proofs", {"password": PASSWORD}), 201)
            self._proved_at = time.monotonic()

    async def sign_in_operator(self) -> None:
        """Let the operator in again."""
        self.operator.token = token_in(await sign_in(self.world, self.operator.key))
