"""The stand-in itself: takes a request as Stripe would and gives the answer that Stripe would give.

It knows nothing of sockets, so a test can put it where the network would be. Every request is carried out to its end
before the next one begins: two with one idempotency key can never run at once.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from tikiwallet.stripe_standin import balance, checkout, expand, faults, forms, payouts, refunds
from tikiwallet.stripe_standin.call import Call
from tikiwallet.stripe_standin.errors import StripeError, Thing, invalid
from tikiwallet.stripe_standin.events import Send, deliver
from tikiwallet.stripe_standin.forms import Form
from tikiwallet.stripe_standin.routes import endpoint_of
from tikiwallet.stripe_standin.store import API_VERSION, SECONDS_OF_KEYS, Fault, Remembered, State, Store

API_KEY = "sk_test_standin"
BASIC = base64.b64encode(f"{API_KEY}:".encode()).decode()  # as `curl -u` sends it
KEY_LENGTH_MAX = 255


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A status, a body and whether an idempotency key gave them."""

    status: int
    body: str
    is_replayed: bool = False


class StandIn:
    """A Stripe account of one platform, with whatever accounts are connected to it."""

    def __init__(
        self,
        *,
        run: str,
        clock: Callable[[], datetime],
        base_url: str,
        secrets: Sequence[str] = ("whsec_standin",),
        state: State | None = None,
    ) -> None:
        self.store = Store(state or State(run=run), clock=clock, base_url=base_url)
        self.secrets = tuple(secrets)

    def tick(self) -> None:
        """Let everything happen that time makes due."""
        balance.let_ripen(self.store)
        checkout.let_come_due(self.store)
        refunds.let_come_due(self.store)
        payouts.let_come_due(self.store)

    async def deliver(self, send: Send) -> int:
        """Send the webhooks that are due; returns how many were taken."""
        self.tick()
        return await deliver(self.store, send, secrets=self.secrets)

    def answer(self, method: str, path: str, parameters: str, headers: Mapping[str, str]) -> Answer:
        """Carry out a request. `parameters` is the query or the form. Raises `faults.AnswerLost`."""
        self.tick()
        fault = faults.next_for(self.store, method, path)
        try:
            if fault is not None:
                faults.before(fault)
            self._authenticate(headers)
            answered = self._once(method, path, parameters, headers, fault)
        except StripeError as error:
            return _answer(error.status, error.body)
        if fault is not None:
            try:
                faults.after(fault)
            except StripeError as error:
                return _answer(error.status, error.body)
        return answered

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        if headers.get("authorization", "") not in {f"Bearer {API_KEY}", f"Basic {BASIC}"}:
            raise StripeError("Invalid API Key provided.", status=401)
        version = headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid(f"The stand-in speaks {API_VERSION}, not {version}.", code="api_version_unknown")

    def _once(self, method: str, path: str, parameters: str, headers: Mapping[str, str], fault: Fault | None) -> Answer:
        """Answer from memory what was asked before under the same idempotency key."""
        key, account = headers.get("idempotency-key", ""), headers.get("stripe-account", "")
        if method == "GET" or not key:
            return self._carry_out(method, path, parameters, account)[0]
        if len(key) > KEY_LENGTH_MAX:
            raise invalid("Idempotency keys are at most 255 characters.", code="idempotency_key_too_long")
        now, remembered = self.store.now(), self.store.state.remembered
        for old in [name for name, item in remembered.items() if item.until <= now]:
            del remembered[old]
        name = f"{account}/{key}"
        fingerprint = hashlib.sha256(msgspec.json.encode([method, path, forms.parse(parameters)])).hexdigest()
        before = remembered.get(name)
        if before is not None and before.fingerprint != fingerprint:
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        if before is not None:
            return Answer(status=before.status, body=before.body, is_replayed=True)
        answered, began = self._carry_out(method, path, parameters, account)
        if fault is not None and fault.kind == "fail_for_good":
            answered = _answer(*faults.failure(fault))
        if began:
            remembered[name] = Remembered(
                fingerprint=fingerprint, status=answered.status, body=answered.body, until=now + SECONDS_OF_KEYS
            )
        return answered

    def _carry_out(self, method: str, path: str, parameters: str, account: str) -> tuple[Answer, bool]:
        """Return the answer and whether the request had begun to be carried out."""
        try:
            endpoint, names = endpoint_of(method, path)
            if account:
                self.store.get("account", account, param="Stripe-Account")
            form = Form(forms.parse(parameters))
            wanted = form.texts("expand")
            made = endpoint(Call(self.store, form, names=names, account=account, path=path))
            return _answer(200, expand.expanded(self.store, made, wanted)), True
        except StripeError as error:
            return _answer(error.status, error.body), error.began


def _answer(status: int, body: Thing) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(body).decode())
