"""The routes of the offline context: whom to trust, my phones, load, sync, where is my money."""

import secrets
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from tikiwallet.identity.types import (
    OutgoingCap,
    OutgoingCapped,
    PersonFrozen,
    PersonId,
    WalletCloses,
    caller_in_full,
    require_taking,
)
from tikiwallet.ledger.types import InsufficientFunds, LimitExceeded, WalletClosed
from tikiwallet.offline.audience import AudienceBlocked, AudienceIsYou, AudienceUnknown
from tikiwallet.offline.debts import DebtOpen
from tikiwallet.offline.devices import (
    ChallengeInvalid,
    DeviceKeyTaken,
    DeviceNameInvalid,
    DeviceRetired,
    DeviceSignatureWrong,
    DeviceUnknown,
    PublicKeyInvalid,
    Registration,
    TooManyDevices,
)
from tikiwallet.offline.exposure import OfflinePaused
from tikiwallet.offline.phone_wire import PhoneMoneyAnswer, phone_money_answer
from tikiwallet.offline.service import Offline
from tikiwallet.offline.sync import SyncOrder, SyncTooLarge, check_size
from tikiwallet.offline.types import DeviceId, derive_voucher_id
from tikiwallet.offline.vouchers import (
    CurrencyNotOffline,
    LoadingStopped,
    ReceiveOnly,
    TooManyVouchers,
    VoucherAboveLimit,
)
from tikiwallet.offline.wire import (
    ChallengeAnswer,
    DeviceAnswer,
    DeviceOrder,
    DevicesAnswer,
    IssuerAnswer,
    LoadingAnswer,
    MoneyAnswer,
    PolicyAnswer,
    SyncAnswer,
    SyncBody,
    VoucherOrder,
    challenge_answer,
    device_answer,
    from_base64url,
    issuer_answer,
    loading_answer,
    money_answer,
    policy_answer,
    sync_answer,
)
from tikiwallet.platform.http import RequestInvalid, caller, clock_now, idempotency_key, read, respond, route
from tikiwallet.platform.money import Amount

EXAMPLE_ID = UUID("0193b3a0-0000-7000-8000-000000000001")
CHALLENGE_BYTES = 32
SALT_BYTES = 16


def routes() -> list[HTTPRouteHandler]:
    """Return the routes; they find the context in `app.state.offline`."""
    return [
        issuer, policy, new_challenge, register_device, list_devices, money_of_device, retire_device, load, sync, money,
    ]  # fmt: skip


def _offline(request: Request[Any, Any, Any]) -> Offline:
    offline: Offline = request.app.state.offline
    return offline


def _person_id(request: Request[Any, Any, Any]) -> PersonId:
    return PersonId(caller(request).person_id)


def _binary(text: str, *, field: str) -> bytes:
    data = from_base64url(text)
    if data is None:
        raise RequestInvalid("Send base64url without padding.", field=field)
    return data


@route(
    "GET", "/v1/offline/issuer", summary="Whom a phone has to trust", tag="offline", answer=IssuerAnswer,
    signed_in=False,
)  # fmt: skip
async def issuer(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer the network, the operator's keys and the time, signed."""
    return respond(issuer_answer(_offline(request).issuer, now=clock_now(request)))


@route("GET", "/v1/offline/policy", summary="What my tier may do offline", tag="offline", answer=PolicyAnswer)
async def policy(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer the numbers of the caller's tier."""
    offline = _offline(request)
    person = caller_in_full(caller(request))
    return respond(policy_answer(person.tier.value, offline.policy.of(person.tier), offline.policy))


@route(
    "POST", "/v1/offline/devices/challenges", summary="A challenge for a phone to sign", tag="offline",
    answer=ChallengeAnswer, status=201,
)  # fmt: skip
async def new_challenge(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Make a challenge that can be used once, for five minutes."""
    challenge = await _offline(request).devices.challenge(
        _person_id(request),
        challenge_id=uuid4(), challenge=secrets.token_bytes(CHALLENGE_BYTES), now=clock_now(request),
    )  # fmt: skip
    return respond(challenge_answer(challenge), status=201)


@route(
    "POST", "/v1/offline/devices", summary="Register a phone's key", tag="offline", body=DeviceOrder,
    answer=DeviceAnswer, status=201,
    refusals=(
        ChallengeInvalid, DeviceKeyTaken, DeviceNameInvalid, DeviceSignatureWrong, PublicKeyInvalid, TooManyDevices,
    ),
    example=DeviceOrder(challenge_id=EXAMPLE_ID, public_key="A" * 44, signature="A" * 86, name="My phone"),
)  # fmt: skip
async def register_device(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Register a key that the phone proves to hold."""
    order = await read(request, DeviceOrder)
    offline = _offline(request)
    registered = await offline.register(
        Registration(
            challenge_id=order.challenge_id,
            public_key=_binary(order.public_key, field="public_key"),
            signature=_binary(order.signature, field="signature"),
            name=order.name,
            receive_only=order.receive_only,
        ),
        caller_in_full(caller(request)),
        device_id=DeviceId(uuid4()), name_salt=secrets.token_bytes(SALT_BYTES), now=clock_now(request),
    )  # fmt: skip
    return respond(device_answer(registered), status=201)


@route("GET", "/v1/offline/devices", summary="My phones", tag="offline", answer=DevicesAnswer)
async def list_devices(request: Request[Any, Any, Any]) -> Response[bytes]:
    """List the caller's phones, oldest first, retired ones too."""
    found = await _offline(request).devices.of_person(_person_id(request))
    return respond(DevicesAnswer(items=[device_answer(item) for item in found]))


@route(
    "GET", "/v1/offline/devices/{device_id:uuid}/money", summary="What is on one phone", tag="offline",
    answer=PhoneMoneyAnswer, refusals=(DeviceUnknown,),
)  # fmt: skip
async def money_of_device(request: Request[Any, Any, Any], device_id: FromPath[UUID]) -> Response[bytes]:
    """Answer what is on a phone, what it was paid, and what whoever has it can still do; also of a retired one."""
    offline = _offline(request)
    device = await offline.devices.find(DeviceId(device_id), _person_id(request))
    return respond(phone_money_answer(await offline.money.of_phone(device, now=clock_now(request))))


@route(
    "POST", "/v1/offline/devices/{device_id:uuid}/retirement", summary="Retire a phone's key", tag="offline",
    answer=DeviceAnswer, refusals=(DeviceUnknown,),
)  # fmt: skip
async def retire_device(request: Request[Any, Any, Any], device_id: FromPath[UUID]) -> Response[bytes]:
    """Retire a key for ever: lost, sold, or restored from a copy. What was paid to it is still paid out."""
    retired = await _offline(request).devices.retire(DeviceId(device_id), _person_id(request), now=clock_now(request))
    return respond(device_answer(retired))


@route(
    "POST", "/v1/offline/vouchers", summary="Load offline money onto a phone", tag="offline", body=VoucherOrder,
    answer=LoadingAnswer, status=201, idempotent=True,
    refusals=(
        AudienceBlocked, AudienceIsYou, AudienceUnknown, CurrencyNotOffline, DebtOpen, DeviceRetired, DeviceUnknown,
        InsufficientFunds, LimitExceeded, LoadingStopped, OfflinePaused, OutgoingCapped, PersonFrozen, PublicKeyInvalid,
        ReceiveOnly, TooManyVouchers, VoucherAboveLimit, WalletCloses, WalletClosed,
    ),
    example=VoucherOrder(device_id=EXAMPLE_ID, amount=Amount(amount_minor=2000, currency="SGD")),
)  # fmt: skip
async def load(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Move online money into escrow and answer the voucher that it became; locked to one phone, if one is named."""
    require_taking(caller(request).state)  # onto a phone: a wallet that closes is emptied of that too
    key = idempotency_key(request)
    order = await read(request, VoucherOrder)
    offline = _offline(request)
    audience_key = _binary(order.audience_key, field="audience_key") if order.audience_key is not None else None
    person, now = caller_in_full(caller(request)), clock_now(request)
    voucher_id = derive_voucher_id(person.person_id, key)

    async def is_loaded() -> bool:
        return await offline.vouchers.is_loaded(voucher_id)

    outgoing: OutgoingCap = request.app.state.outgoing
    async with outgoing.held(caller(request), voucher_id, order.amount, is_done=is_loaded, now=now):
        loading = await offline.vouchers.load(
            person, device_id=DeviceId(order.device_id), amount=order.amount, audience_key=audience_key, key=key,
            draw=secrets.randbelow, now=now,
        )  # fmt: skip
    return respond(loading_answer(loading), status=201)


@route(
    "POST", "/v1/offline/sync", summary="Bring payments, take home what a phone needs", tag="offline", body=SyncBody,
    answer=SyncAnswer, refusals=(CurrencyNotOffline, DeviceUnknown, SyncTooLarge),
    thin=True, example=SyncBody(bundles=("g4GAgA",)),
)  # fmt: skip
async def sync(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Append what is brought; safe to repeat. The size is judged before anything is read."""
    check_size(bundles=0, refusals=0, body_bytes=len(await request.body()))
    order = await read(request, SyncBody)
    if order.more_follows and order.offline_balance_wanted is not None:
        raise RequestInvalid("Ask for the offline balance with the last portion.", field="offline_balance_wanted")
    offline = _offline(request)
    synced = await offline.syncs.sync(
        SyncOrder(
            device_id=DeviceId(order.device_id) if order.device_id is not None else None,
            bundles=tuple(from_base64url(text) for text in order.bundles),
            refusals=tuple(from_base64url(text) for text in order.refusals),
            offline_balance_wanted=order.offline_balance_wanted,
            more_follows=order.more_follows,
        ),
        caller_in_full(caller(request)),
        draw=secrets.randbelow,
        now=clock_now(request),
        capped_until=caller(request).outgoing_capped_until,
    )
    return respond(sync_answer(synced, wanted=order.offline_balance_wanted))


@route("GET", "/v1/offline/money", summary="Where my money is", tag="offline", answer=MoneyAnswer)
async def money(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer the caller's money, online and offline, each line with its date."""
    view = await _offline(request).money.view(_person_id(request), now=clock_now(request))
    return respond(money_answer(view))
