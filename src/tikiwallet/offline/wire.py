"""What offline money looks like in JSON: the bodies and answers of the routes.

Keys and documents are base64url without padding, and only that: two spellings of one document would make a phone that
compares texts believe in two.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from tikicash.messages import Opening, Signed
from tikiwallet.offline.devices import Challenge
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.money import MoneyView
from tikiwallet.offline.money_lines import Line
from tikiwallet.offline.policy import Policy, TierPolicy
from tikiwallet.offline.revocations import sign_time
from tikiwallet.offline.sync import Result, Synced, TakenHome, told_to_phone
from tikiwallet.offline.types import Blocked, Loading, Registered
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.money import Amount, Balance

Base64Url = Annotated[str, msgspec.Meta(description="base64url without padding")]


class DeviceOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone that wants to be registered, and its signature of "TK1/device", challenge and public key."""

    challenge_id: UUID
    public_key: Base64Url
    signature: Base64Url
    name: Annotated[str, msgspec.Meta(max_length=64, description="your own label for the phone")]
    receive_only: bool = False


class VoucherOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much to load onto which phone, and the key of the only phone that it may be paid to, if there is one."""

    device_id: UUID
    amount: Amount
    audience_key: Base64Url | None = None


class SyncBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a phone brings."""

    device_id: UUID | None = None
    bundles: tuple[Base64Url, ...] = ()
    refusals: tuple[Base64Url, ...] = ()
    offline_balance_wanted: Amount | None = None
    more_follows: Annotated[
        bool, msgspec.Meta(description="true: another portion comes after this one, so answer with the results only")
    ] = False


class IssuerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a phone has to trust, and what time it is."""

    network_id: int
    root_key: Base64Url
    issuer_keys: list[Base64Url]
    operator_key: Base64Url
    signed_time: Base64Url


class PolicyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the tier of whoever asks."""

    tier: str
    currency: str
    payment_max_minor: int
    voucher_max_minor: int
    vouchers_open_max: int
    spend_seconds: int
    claim_seconds: int
    cover_minor: int
    budget_minor: int
    early_release_minor: int
    receive_only: bool
    phones_max: int


class ChallengeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone has to sign, and until when."""

    challenge_id: UUID
    challenge: Base64Url
    expires_at: datetime


class OpeningAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a commitment hides; for the direct payee only."""

    opens: int
    salt: Base64Url
    text: str


class DeviceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A phone and its certificate (none once it is retired)."""

    device_id: UUID
    public_key: Base64Url
    name: str
    receive_only: bool
    registered_at: datetime
    retired_at: datetime | None
    blocked: Blocked | None
    certificate: Base64Url | None
    certificate_opening: OpeningAnswer | None


class DevicesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All phones of a person."""

    items: list[DeviceAnswer]
    next_cursor: str | None = None


class LoadingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A load: `voucher` is there once it is open; `code` says why it was refused.

    `locked_to` is the username of the only person whom it may be paid to, "" for anybody.
    """

    loading_id: UUID | None
    device_id: UUID
    state: str
    amount: Balance
    voucher: Base64Url | None
    openings: list[OpeningAnswer]
    locked_to: str = ""
    spend_by: datetime | None = None
    code: str | None = None
    detail: str = ""


class VoucherAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An open voucher of the phone that syncs; `locked_to` as in a load."""

    voucher: Base64Url | None
    opening: OpeningAnswer | None
    state: str
    locked_to: str


class ResultAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document of a sync."""

    kind: str
    index: int
    payment_id: Base64Url | None
    outcome: str
    code: str | None
    detail: str


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is on its way."""

    line: str
    title: str
    amount: Balance
    state: str
    counterparty: str
    spend_by: datetime | None
    claim_by: datetime | None
    voucher_id: UUID
    payment_id: Base64Url | None
    final: Balance
    provisional: Balance
    sentence: str
    device_id: UUID | None


class MoneyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person's money is."""

    as_of: datetime
    online: list[Balance]
    offline: list[Balance]
    final: list[Balance]
    provisional: list[Balance]
    underway: list[Balance]
    lines: list[LineAnswer]


class SyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what a phone brought, and what it takes home: nothing as long as more follows."""

    results: list[ResultAnswer]
    vouchers: list[VoucherAnswer] = []
    certificate: Base64Url | None = None
    certificate_opening: OpeningAnswer | None = None
    revocations: Base64Url | None = None
    signed_time: Base64Url | None = None
    issuer_keys: list[Base64Url] = []
    money: MoneyAnswer | None = None
    loading: LoadingAnswer | None = None
    code: str | None = None
    detail: str = ""


def to_base64url(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes | None:
    """Return the bytes of base64url without padding, or None for anything but their only spelling."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if to_base64url(data) == text else None


def _document(document: Signed[Any]) -> str:
    return to_base64url(document.to_bytes())


def _opening(opening: Opening) -> OpeningAnswer:
    return OpeningAnswer(opens=opening.opens, salt=to_base64url(opening.salt), text=opening.text)


def issuer_answer(issuer: Issuer, *, now: datetime) -> IssuerAnswer:
    """Return whom to trust, with the time signed now."""
    return IssuerAnswer(
        network_id=issuer.net,
        root_key=to_base64url(issuer.root_key),
        issuer_keys=[_document(item) for item in issuer.documents],
        operator_key=to_base64url(issuer.operator_key_at(now)),
        signed_time=_document(sign_time(issuer, now=now)),
    )


def policy_answer(tier: str, numbers: TierPolicy, policy: Policy) -> PolicyAnswer:
    """Return the numbers of one tier."""
    names = set(PolicyAnswer.__struct_fields__) - {"tier", "currency"}
    return PolicyAnswer(tier=tier, currency=policy.currency, **{name: getattr(numbers, name) for name in names})


def challenge_answer(challenge: Challenge) -> ChallengeAnswer:
    """Return what to sign."""
    return ChallengeAnswer(
        challenge_id=challenge.challenge_id,
        challenge=to_base64url(challenge.challenge),
        expires_at=challenge.expires_at,
    )


def device_answer(registered: Registered) -> DeviceAnswer:
    """Return a phone of the person who asks."""
    device, certificate = registered.device, registered.certificate
    return DeviceAnswer(
        device_id=device.device_id,
        public_key=to_base64url(device.public_key),
        name=device.name,
        receive_only=device.receive_only,
        registered_at=device.registered_at,
        retired_at=device.retired_at,
        blocked=registered.blocked,
        certificate=_document(certificate) if certificate is not None else None,
        certificate_opening=_opening(device.opening) if certificate is not None else None,
    )


def loading_answer(loading: Loading) -> LoadingAnswer:
    """Return a load, with the voucher and the opening of its owner's name once it is open."""
    return LoadingAnswer(
        loading_id=loading.voucher_id,
        device_id=loading.device.device_id,
        state=loading.state.value,
        amount=Balance(amount_minor=loading.amount_minor, currency=loading.currency),
        voucher=_document(loading.voucher) if loading.voucher is not None else None,
        openings=[_opening(loading.device.opening)] if loading.voucher is not None else [],
        locked_to=_locked_to(loading),
        spend_by=datetime.fromtimestamp(loading.voucher.body.spend_by, UTC) if loading.voucher is not None else None,
        code=loading.refused_code,
    )


def _locked_to(loading: Loading) -> str:
    return loading.audience.device.shown_name if loading.audience is not None else ""


def money_answer(view: MoneyView) -> MoneyAnswer:
    """Return where a person's money is."""
    return MoneyAnswer(
        as_of=view.as_of,
        online=list(view.online),
        offline=[view.offline],
        final=[view.final],
        provisional=[view.provisional],
        underway=[view.underway],
        lines=[line_answer(line) for line in view.lines],
    )


def line_answer(line: Line) -> LineAnswer:
    """Return one line of somebody's money."""
    payment_id = to_base64url(line.payment_id) if line.payment_id is not None else None
    return LineAnswer(
        line=line.line,
        title=line.title,
        amount=line.amount,
        state=line.state,
        counterparty=line.counterparty,
        spend_by=line.spend_by,
        claim_by=line.claim_by,
        voucher_id=line.voucher_id,
        payment_id=payment_id,
        final=line.final,
        provisional=line.provisional,
        sentence=line.sentence,
        device_id=line.device_id,
    )


def _result(result: Result) -> ResultAnswer:
    payment_id = to_base64url(result.payment_id) if result.payment_id is not None else None
    return ResultAnswer(
        kind=result.kind,
        index=result.index,
        payment_id=payment_id,
        outcome=result.outcome,
        code=result.code,
        detail=result.detail,
    )


def _sync_loading(home: TakenHome, wanted: Amount | None) -> LoadingAnswer | None:
    if home.loading is not None:
        return loading_answer(home.loading)
    if home.loading_refused is None:
        return None
    assert home.device is not None
    assert wanted is not None
    return refused_loading(home.loading_refused, home.device.device_id, wanted)


def refused_loading(refused: Refused, device_id: UUID, wanted: Amount) -> LoadingAnswer:
    """Return a load that was refused before anything was written down."""
    return LoadingAnswer(
        loading_id=None,
        device_id=device_id,
        state="refused",
        amount=Balance(amount_minor=wanted.amount_minor, currency=wanted.currency),
        voucher=None,
        openings=[],
        code=refused.code,
        detail=refused.detail,
    )


def sync_answer(synced: Synced, *, wanted: Amount | None) -> SyncAnswer:
    """Return the answer to a sync; `wanted` is the offline balance that the phone asked for."""
    results, home = [_result(result) for result in synced.results], synced.home
    if home is None:
        return SyncAnswer(results=results)
    device, certificate = home.device, home.certificate
    code, detail = told_to_phone(home)
    return SyncAnswer(
        results=results,
        vouchers=[
            VoucherAnswer(
                voucher=_document(loading.voucher) if loading.voucher is not None else None,
                opening=_opening(loading.device.opening),
                state=loading.state.value,
                locked_to=_locked_to(loading),
            )
            for loading in home.vouchers
        ],
        certificate=_document(certificate) if certificate is not None else None,
        certificate_opening=_opening(device.opening) if device is not None and certificate is not None else None,
        revocations=_document(home.revocations),
        signed_time=_document(home.signed_time),
        issuer_keys=[_document(item) for item in home.issuer_keys],
        money=money_answer(home.money),
        loading=_sync_loading(home, wanted),
        code=code,
        detail=detail,
    )
