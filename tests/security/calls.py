"""One call of each route that works for its owner: the example of the description, with things that exist.

A route whose path or body names no thing needs nothing here.
"""

import base64
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec

from authenticator import Authenticator
from funding.stripe_world import StripeWorld
from offline.phone import Phone
from operators import REASON, SignedInOperator, an_operator, make_operator
from security.callers import PHONE_IN_EXAMPLES, Callers
from tikiwallet.platform.http import Operation
from world import PASSWORD, Someone, World, body_of, money

Ids = dict[str, str]


class Call:
    """What is sent: the ids that stand in the path, in the query or in the body, and the body that they make."""

    def __init__(self, ids: Ids | None = None, body: Callable[[Ids], Any] | None = None, query: str = "") -> None:
        self.ids = ids or {}
        self.body = body
        self.query = query

    def about_nothing(self) -> "Call":
        """The same call about things that don't exist."""
        return Call({name: nothing_like(value) for name, value in self.ids.items()}, self.body, self.query)

    def content(self, operation: Operation | None) -> bytes | None:
        """The body: made of the ids, or else the example of the description."""
        if operation is None or operation.body is None:
            return None
        return msgspec.json.encode(self.body(self.ids) if self.body else operation.example)


def nothing_like(value: str) -> str:
    """An id of the same form that nothing has."""
    try:
        UUID(value)
    except ValueError:
        return base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()
    return str(uuid4())


class Things:
    """Makes what a call is about, each time anew, since a call may use it up."""

    def __init__(
        self, world: World, callers: Callers, *, at_stripe: StripeWorld | None = None, friend: Someone | None = None
    ) -> None:
        self.at_stripe = at_stripe
        self._friend = friend
        self.world, self.owner, self.other = world, callers.owner, callers.other
        self.callers = callers
        self._proposer: SignedInOperator | None = None
        self._phones = 0
        self._kept: dict[str, Phone] = {}
        self._authenticator: Authenticator | None = None

    def friend(self) -> Someone:
        """Who asks the owner for money and shows codes to pay."""
        return self._friend or self.world.person("bob")

    async def call(self, route: str) -> Call:
        """A call of a route that works for the owner."""
        maker = MAKERS.get(route)
        return await maker(self) if maker else Call()

    async def registration(self) -> Call:
        order = {"phone": self.world.new_phone(), "username": f"new{secrets.token_hex(4)}", "password": PASSWORD}
        started = body_of(await self.world.http.post("/v1/registrations", json=order), 202)
        code = self.world.code_sent_to(order["phone"])
        return Call({"registration_id": started["registration_id"]}, lambda _: {"code": code})

    async def session(self) -> Call:
        await self.world.sign_in_again(self.owner)
        (ended, *_) = [
            item for item in body_of(await self.owner.get("/v1/sessions"), 200)["items"] if not item["is_current"]
        ]
        return Call({"session_id": ended["session_id"]})

    async def text_message(self) -> Call:
        return Call({"message_id": str(uuid4())})

    async def refresh(self) -> Call:
        token = (await self.world.sign_in_again(self.owner)).refresh_token
        return Call(body=lambda _: {"refresh_token": token})

    async def notice(self) -> Call:
        """Somebody signed in on a device that wasn't seen before."""
        new_device = secrets.token_urlsafe(32)
        body_of(await self.world.sign_in_anywhere(self.owner.phone, tikiwallet_device=new_device), 201)
        (newest, *_) = body_of(await self.owner.get("/v1/notices"), 200)["items"]
        return Call({"notice_id": newest["notice_id"]})

    async def proof(self) -> Call:
        return Call(body=lambda _: {"password": PASSWORD})

    async def lost_password(self) -> Call:
        started = body_of(await self.world.http.post("/v1/password-resets", json={"phone": self.owner.phone}), 202)
        order = {"code": self.world.code_sent_to(self.owner.phone), "password": "three yellow kettles"}
        return Call({"reset_id": started["reset_id"]}, lambda _: order)

    async def waiting_password(self) -> Call:
        call = await self.lost_password()
        path = f"/v1/password-resets/{call.ids['reset_id']}/verification"
        body_of(await self.world.http.post(path, json=call.body({}) if call.body else None), 200)
        return Call()

    async def same_password(self) -> Call:
        return Call(body=lambda _: {"old_password": PASSWORD, "new_password": PASSWORD})

    async def phone_change(self) -> Call:
        phone = self.world.new_phone()
        started = body_of(await self.owner.post("/v1/me/phone-changes", {"phone": phone}), 202)
        order = {"new_code": self.world.code_sent_to(phone), "old_code": ""}
        return Call({"change_id": started["change_id"]}, lambda _: order)

    async def waiting_phone(self) -> Call:
        call = await self.phone_change()
        path = f"/v1/me/phone-changes/{call.ids['change_id']}/verification"
        body_of(await self.owner.post(path, call.body({}) if call.body else None), 200)
        return Call()

    async def month(self) -> Call:
        return Call({"month": f"{self.world.clock.now:%Y-%m}"})

    async def new_passkey(self) -> Call:
        challenge = body_of(await self.owner.post("/v1/passkeys/challenge"), 201)
        made = Authenticator().make(challenge)
        return Call(body=lambda _: made)

    async def passkey_sign_in(self) -> Call:
        if self._authenticator is None:
            self._authenticator = Authenticator()
            made = self._authenticator.make(body_of(await self.owner.post("/v1/passkeys/challenge"), 201))
            body_of(await self.owner.post("/v1/passkeys", made), 201)
        signed = self._authenticator.sign(body_of(await self.world.http.post("/v1/sessions/challenge"), 201))
        return Call(body=lambda _: signed)

    async def passkey(self) -> Call:
        call = await self.new_passkey()
        made = body_of(await self.owner.post("/v1/passkeys", call.body(call.ids) if call.body else None), 201)
        return Call({"passkey_id": made["passkey_id"]}, lambda _: {"name": "Another name"})

    async def transfer(self) -> Call:
        order = {"to": {"username": "bob"}, "amount": money("1.00"), "memo": ""}
        return Call({"transfer_id": body_of(await self.owner.post("/v1/transfers", order), 201)["transfer_id"]})

    async def request_to_owner(self) -> Call:
        order = {"payer": {"username": self.owner.username}, "amount": money("1.00"), "memo": ""}
        bob = await self.world.sign_in_again(self.friend())
        return Call({"request_id": body_of(await bob.post("/v1/requests", order), 201)["request_id"]})

    async def request_by_owner(self) -> Call:
        order = {"payer": {"username": "bob"}, "amount": money("1.00"), "memo": ""}
        return Call({"request_id": body_of(await self.owner.post("/v1/requests", order), 201)["request_id"]})

    async def phone_of(self, someone: Someone) -> Phone:
        """The phone that somebody keeps: a person may have a few only."""
        if someone.username not in self._kept:
            self._kept[someone.username] = await Phone(someone, self.world, "kept").register()
        return self._kept[someone.username]

    async def code_of_owner(self) -> Call:
        reference = base64.urlsafe_b64encode((await self.phone_of(self.owner)).id + secrets.token_bytes(8)).decode()
        return Call({"reference": reference}, lambda ids: {"reference": ids["reference"], "amount": money("1.00")})

    async def shown_by_owner(self) -> Call:
        call = await self.code_of_owner()
        body_of(await self.owner.post("/v1/shown-requests", call.body(call.ids) if call.body else None), 200)
        return Call(call.ids)

    async def shown_to_owner(self) -> Call:
        """A code of somebody else's phone, which the owner and anybody may pay."""
        bob = await self.world.sign_in_again(self.friend())
        reference = base64.urlsafe_b64encode((await self.phone_of(bob)).id + secrets.token_bytes(8)).decode()
        body_of(await bob.post("/v1/shown-requests", {"reference": reference, "amount": money("1.00")}), 200)
        return Call({"reference": reference})

    async def top_up(self) -> Call:
        return Call({"operation_id": body_of(await self.owner.top_up("2.00"), 201)["operation_id"]})

    async def withdrawal(self) -> Call:
        started = await self.owner.post("/v1/withdrawals", {"amount": money("1.00")})
        return Call({"operation_id": body_of(started, 201)["operation_id"]})

    async def top_up_underway(self) -> Call:
        return Call({"operation_id": body_of(await self.owner.top_up("2.37"), 201)["operation_id"]})

    async def withdrawal_underway(self) -> Call:
        started = await self.owner.post("/v1/withdrawals", {"amount": money("2.37")})
        return Call({"operation_id": body_of(started, 201)["operation_id"]})

    async def saved_card(self) -> Call:
        assert self.at_stripe is not None
        saving = body_of(await self.owner.post("/v1/saved-cards", {"through": "native"}), 201)
        self.at_stripe.control("pay", id=saving["client_secret"].partition("_secret_")[0], card="4242424242424242")
        (card, *_) = body_of(await self.owner.get("/v1/saved-cards"), 200)["cards"]
        return Call({"method_id": card["method_id"]})

    async def registered(self) -> Call:
        return Call({"device_id": (await self.phone_of(self.owner)).device_id})

    async def to_retire(self) -> Call:
        self._phones += 1
        phone = await Phone(self.owner, self.world, f"phone {self._phones}").register()
        return Call({"device_id": phone.device_id})

    async def challenge(self) -> Call:
        self._phones += 1
        order = await Phone(self.owner, self.world, f"phone {self._phones}").order()
        return Call({"challenge_id": order["challenge_id"]}, lambda ids: order | ids)

    async def voucher(self) -> Call:
        return Call((await self.registered()).ids, lambda ids: {**ids, "amount": money("1.00")})

    async def sync(self) -> Call:
        return Call((await self.registered()).ids, lambda ids: ids)

    async def person(self) -> Call:
        return Call(query=f"?phone=%2B{PHONE_IN_EXAMPLES[1:]}")

    async def link(self) -> Call:
        """The link of an operator who was just made, and what a browser answers with it."""
        key, token = Authenticator(), await make_operator(self.world, f"made-{secrets.token_hex(4)}", ["support"])
        asked = body_of(await self.world.http.post("/v1/operator/enrolments/challenge", json={"token": token}), 201)
        passkey = key.make(asked["challenge"])
        return Call({"token": token}, lambda ids: {**ids, "passkey": passkey})

    async def only_link(self) -> Call:
        return Call({"token": await make_operator(self.world, f"made-{secrets.token_hex(4)}", ["support"])}, dict)

    async def operators_answer(self) -> Call:
        asked = body_of(await self.world.http.post("/v1/operator/sessions/challenge"), 201)
        answer = self.callers.operators["support"].key.sign(asked)
        return Call({}, lambda _: answer)

    async def another_person(self) -> Call:
        return Call({"person_id": str(self.world.person("alice").person_id)})

    async def another_operator(self) -> Call:
        name = f"made-{secrets.token_hex(4)}"
        await make_operator(self.world, name, ["support"])
        return Call({"operator_id": str((await self.world.identity.operator_accounts.find(name)).operator_id)})

    async def correction(self) -> Call:
        if self._proposer is None:
            self._proposer = await an_operator(self.world, f"proposer-{secrets.token_hex(4)}", "finance")
        order = {
            "debit": {"own": "bank"}, "credit": {"person": "alice"}, "amount": money("1.00"), "reason": REASON,
        }  # fmt: skip
        return Call({"correction_id": body_of(await self._proposer.post("/corrections", order), 201)["correction_id"]})


SHOWN = "/v1/shown-requests/{reference}"
MAKERS: dict[str, Callable[[Things], Awaitable[Call]]] = {
    "POST /v1/registrations/{registration_id}/code": Things.registration,
    "POST /v1/registrations/{registration_id}/verification": Things.registration,
    "DELETE /v1/sessions/{session_id}": Things.session,
    "POST /v1/text-messages/{message_id}/status": Things.text_message,
    "POST /v1/sessions/passkey": Things.passkey_sign_in,
    "POST /v1/sessions/refresh": Things.refresh,
    "POST /v1/notices/{notice_id}/dismissal": Things.notice,
    "POST /v1/proofs": Things.proof,
    "POST /v1/password-resets/{reset_id}/code": Things.lost_password,
    "POST /v1/password-resets/{reset_id}/verification": Things.lost_password,
    "DELETE /v1/me/waiting-password": Things.waiting_password,
    "POST /v1/me/password": Things.same_password,
    "POST /v1/me/phone-changes/{change_id}/verification": Things.phone_change,
    "DELETE /v1/me/waiting-phone": Things.waiting_phone,
    "POST /v1/passkeys": Things.new_passkey,
    "PATCH /v1/passkeys/{passkey_id}": Things.passkey,
    "DELETE /v1/passkeys/{passkey_id}": Things.passkey,
    "GET /v1/people": Things.person,
    "GET /v1/statements/{month}": Things.month,
    "GET /v1/statements/{month}/pdf": Things.month,
    "GET /v1/statements/{month}/csv": Things.month,
    "GET /v1/transfers/{transfer_id}": Things.transfer,
    "GET /v1/transfers/{transfer_id}/pdf": Things.transfer,
    "GET /v1/requests/{request_id}": Things.request_to_owner,
    "POST /v1/requests/{request_id}/payment": Things.request_to_owner,
    "POST /v1/requests/{request_id}/decline": Things.request_to_owner,
    "POST /v1/requests/{request_id}/cancellation": Things.request_by_owner,
    "POST /v1/shown-requests": Things.code_of_owner,
    f"GET {SHOWN}": Things.shown_to_owner,
    f"POST {SHOWN}/payment": Things.shown_to_owner,
    f"POST {SHOWN}/cancellation": Things.shown_by_owner,
    "GET /v1/top-ups/{operation_id}": Things.top_up,
    "GET /v1/withdrawals/{operation_id}": Things.withdrawal,
    "POST /v1/top-ups/{operation_id}/cancellation": Things.top_up_underway,
    "POST /v1/withdrawals/{operation_id}/cancellation": Things.withdrawal_underway,
    "DELETE /v1/saved-cards/{method_id}": Things.saved_card,
    "POST /v1/offline/devices": Things.challenge,
    "GET /v1/offline/devices/{device_id}/money": Things.registered,
    "POST /v1/offline/devices/{device_id}/retirement": Things.to_retire,
    "POST /v1/offline/vouchers": Things.voucher,
    "POST /v1/offline/sync": Things.sync,
    "POST /v1/operator/enrolments/challenge": Things.only_link,
    "POST /v1/operator/enrolments": Things.link,
    "POST /v1/operator/sessions": Things.operators_answer,
    "POST /v1/operator/people/{person_id}/sign-out": Things.another_person,
    "POST /v1/operator/people/{person_id}/freeze": Things.another_person,
    "POST /v1/operator/people/{person_id}/unfreeze": Things.another_person,
    "POST /v1/operator/operators/{operator_id}/roles": Things.another_operator,
    "POST /v1/operator/operators/{operator_id}/disable": Things.another_operator,
    "POST /v1/operator/corrections/{correction_id}/approval": Things.correction,
    "POST /v1/operator/corrections/{correction_id}/rejection": Things.correction,
}
