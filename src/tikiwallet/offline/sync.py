"""A sync: a phone brings what it has and takes home what it needs.

One that has much brings it in portions. Only the last of them takes something home: until then the answer says what
became of each document, which is all that the phone needs to go on, and a slow network carries nothing twice.

It may be cut at any byte and sent again, by the same phone or another: everything in it is a set or has an id of its
own, so that the second time finds it done. One bad document never holds up the good ones beside it.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
import structlog

from tikicash.messages import Certificate, IssuerKey, Revocations, Signed, SignedTime
from tikiwallet.identity.types import OutgoingCapped, Person, PersonId, require_taking
from tikiwallet.ledger.types import TransferId
from tikiwallet.offline.at_hand import AtHand, read_at_hand
from tikiwallet.offline.certificates import certificate_at_hand, certify, lock_holder
from tikiwallet.offline.claims import NOTHING_APPENDED, Appended, Claims, Judged, sentence_of
from tikiwallet.offline.devices import DeviceRetired, DeviceUnknown, find_device, read_devices
from tikiwallet.offline.double_spends import find_double_spends
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.money import Money, MoneyView
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.release import Releases, person_ids
from tikiwallet.offline.revocations import RevocationList, read_blocked, sign_time
from tikiwallet.offline.types import Blocked, BlockReason, Device, DeviceId, Loading
from tikiwallet.offline.vouchers import CurrencyNotOffline, Draw, Vouchers
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.jobs import NotYet
from tikiwallet.platform.money import Amount

BUNDLES_MAX: Final = 500
REFUSALS_MAX: Final = 500
BODY_BYTES_MAX: Final = 750_000

DEVICE_BLOCKED: Final = (
    "This phone's key signed the same money to two people, so nobody takes its money any more. What it holds comes "
    "home by its dates, and what it was paid is still credited."
)

log = structlog.get_logger()


class SyncTooLarge(Refused):
    """This is too much for one sync: bring it in several, at most 500 payments and 750 000 bytes each."""

    code, kind = "sync_too_large", Kind.TOO_LARGE


class SyncOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody brings; None among the documents stands for what wasn't base64url."""

    device_id: DeviceId | None
    bundles: tuple[bytes | None, ...]
    refusals: tuple[bytes | None, ...]
    offline_balance_wanted: Amount | None  # None if more follows
    more_follows: bool  # this is a portion, and not the last one


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document."""

    kind: str  # "bundle" or "refusal"
    index: int
    payment_id: bytes | None
    outcome: str  # "recorded", "known" or "rejected"
    code: str | None
    detail: str


class TakenHome(msgspec.Struct, frozen=True, kw_only=True):
    """What the phone takes home."""

    vouchers: tuple[Loading, ...]
    device: Device | None
    blocked: Blocked | None  # the phone's own key
    certificate: Signed[Certificate] | None
    revocations: Signed[Revocations]
    signed_time: Signed[SignedTime]
    issuer_keys: tuple[Signed[IssuerKey], ...]
    money: MoneyView
    loading: Loading | None
    loading_refused: Refused | None


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What became of what was brought, and what the phone takes home: None as long as more follows."""

    results: tuple[Result, ...]
    home: TakenHome | None


class Sync:
    """Puts the parts of a sync together."""

    def __init__(
        self, db: Database, *, claims: Claims, releases: Releases, vouchers: Vouchers, money: Money, issuer: Issuer,
        policy: Policy, settle_up: Callable[[PersonId, DeviceId | None], Awaitable[AtHand]],
    ) -> None:  # fmt: skip
        self._db = db
        self._claims = claims
        self._releases = releases
        self._vouchers = vouchers
        self._money = money
        self._issuer = issuer
        self._revocations = RevocationList(issuer)
        self._policy = policy
        self._settle_up = settle_up

    async def sync(
        self, order: SyncOrder, person: Person, *, draw: Draw, now: datetime, capped_until: datetime | None = None
    ) -> Synced:
        """Append what is brought, release what may be released, and return what the phone needs.

        Refusals: `SyncTooLarge`, `DeviceUnknown`, `CurrencyNotOffline`; a document that is wrong is no refusal but a
        result, and a load that is refused is told beside the rest. Nothing is loaded by itself while the person is
        capped, which the phone can't know: what may leave then is for payments that somebody means.
        """
        check_size(bundles=len(order.bundles), refusals=len(order.refusals), body_bytes=0)
        devices = await read_devices(self._db.pool, person.person_id)
        device = next((item for item in devices if item.device_id == order.device_id), None)
        if order.device_id is not None and device is None:
            raise DeviceUnknown
        wanted = order.offline_balance_wanted
        if wanted is not None and wanted.currency != self._policy.currency:
            raise CurrencyNotOffline(f"Offline money is in {self._policy.currency} only.")
        judged = await self._claims.judge(order.bundles)
        results = await self._append(judged, order.refusals, person, devices)
        if order.more_follows:
            return Synced(results=results, home=None)
        at_hand = await self._settle_up(person.person_id, order.device_id)
        loading: Loading | None = None
        refused: Refused | None = None
        if device is not None and wanted is not None and capped_until is not None:
            refused = OutgoingCapped()
        elif device is not None and wanted is not None:
            loading, refused = await self._fill_up(person, device, wanted, draw=draw, now=now)
            at_hand = await read_at_hand(self._db.pool, person.person_id, order.device_id)
        home = await self._home(person, device, devices, at_hand, loading=loading, refused=refused, now=now)
        return Synced(results=results, home=home)

    async def _append(
        self, judged: Sequence[Judged], refusals: Sequence[bytes | None], person: Person, own: Sequence[Device]
    ) -> tuple[Result, ...]:
        chains = [item.chain for item in judged if item.chain is not None]
        if not chains and not refusals:
            return tuple(_result(index, item, NOTHING_APPENDED) for index, item in enumerate(judged))
        devices = await self._releases.beneficiaries(self._db.pool, chains, own=own)
        if not devices and not refusals:
            appended = await self._claims.append_plain(chains, person.person_id)
            if appended is not None:
                return tuple(_result(index, item, appended) for index, item in enumerate(judged))
        async with self._db.transaction() as tx:
            for person_id in person_ids(devices):
                await lock_holder(tx, person_id)
            if devices:  # read again under the locks: a budget may have changed since
                devices = await self._releases.beneficiaries(tx, chains)
            appended = await self._claims.append(tx, chains, refusals, person.person_id)
            if appended.contested_ids:
                await find_double_spends(tx, appended.new_ids, appended.contested_ids, issuer=self._issuer)
            refused = [await self._claims.append_refusal(tx, data) for data in refusals]
            good = [chain for chain in chains if chain.payment.id not in appended.unknown]
            transfers = await self._releases.promise(tx, good, devices, appended.voucher_ids)
        await self._post(transfers)
        found = [_result(index, item, appended) for index, item in enumerate(judged)]
        found += [
            Result(
                kind="refusal", index=index, payment_id=payment_id, code=code or None,
                outcome="rejected" if code else ("recorded" if is_new else "known"),
                detail=sentence_of(code) if code else "",
            )
            for index, (code, payment_id, is_new) in enumerate(refused)
        ]  # fmt: skip
        return tuple(found)

    async def _post(self, transfers: Sequence[TransferId]) -> None:
        for transfer_id in transfers:
            try:
                await self._releases.post(transfer_id)
            except NotYet as waits:
                log.info("release waits", transfer_id=str(transfer_id), reason=str(waits))

    async def _fill_up(
        self, person: Person, device: Device, wanted: Amount, *, draw: Draw, now: datetime
    ) -> tuple[Loading | None, Refused | None]:
        """Load what is missing to the wanted offline balance of this phone, if anything is."""
        async with self._db.transaction() as tx:
            # Counted and promised under one lock, so that the same sync sent twice at once loads once.
            await lock_holder(tx, person.person_id)
            held_minor, number = await self._vouchers.held(tx, device, now=now)
            missing_minor = wanted.amount_minor - held_minor
            if missing_minor <= 0:
                return None, None
            try:
                require_taking(person.state)  # settling goes on, loading doesn't
                voucher_id = await self._vouchers.draft_next(
                    tx, person, device, amount_minor=missing_minor, number=number, draw=draw, now=now
                )
            except Refused as refused:
                return None, refused
        return await self._vouchers.open(voucher_id, now=now), None

    async def _home(
        self, person: Person, device: Device | None, devices: list[Device], at_hand: AtHand, *,
        loading: Loading | None, refused: Refused | None, now: datetime,
    ) -> TakenHome:  # fmt: skip
        certificate, has = None, at_hand.has
        if device is not None:
            found = certificate_at_hand(
                at_hand.phone, policy=self._policy.of(person.tier), issuer=self._issuer, now=now
            )
            device, certificate = found or (device, None)
        async with self._db.pool.acquire() as connection:  # one for all: taking it costs as much as asking
            revocations = await self._revocations.of_today(connection, epoch=at_hand.revocation_epoch, now=now)
            blocked, vouchers = dict[bytes, Blocked](), list[Loading]()
            if device is not None and has.blocks:
                blocked = await read_blocked(connection, [device.key_id])
            if device is not None and has.open_vouchers:
                vouchers = await self._vouchers.of_device(connection, device)
            money = await self._money.view_by(connection, person.person_id, devices, has=has, now=now)
        if device is not None and certificate is None:
            device, certificate = await self._certificate(device.device_id, person, now=now)
        return TakenHome(
            vouchers=tuple(vouchers),
            device=device,
            blocked=blocked.get(device.key_id) if device is not None else None,
            certificate=certificate,
            revocations=revocations,
            signed_time=sign_time(self._issuer, now=now),
            issuer_keys=self._issuer.documents,
            money=money,
            loading=loading,
            loading_refused=refused,
        )

    async def _certificate(
        self, device_id: DeviceId, person: Person, *, now: datetime
    ) -> tuple[Device, Signed[Certificate] | None]:
        """Return a phone as it is now, and its certificate; none once it is retired."""
        async with self._db.transaction() as tx:
            await lock_holder(tx, person.person_id)
            device = await find_device(tx, device_id, person.person_id)
            if device.retired_at is not None:
                return device, None
            return device, await certify(tx, device, policy=self._policy.of(person.tier), issuer=self._issuer, now=now)


def told_to_phone(home: TakenHome) -> tuple[str | None, str]:
    """Return the code and the sentence for a phone whose own key is blocked; (None, "") for any other.

    It is no refusal: what such a phone brings is settled like anybody's.
    """
    if home.blocked is None:
        return None, ""
    if home.blocked.reason is BlockReason.RETIRED:
        return DeviceRetired.code, DeviceRetired.sentence()
    return "device_blocked", DEVICE_BLOCKED


def check_size(*, bundles: int, refusals: int, body_bytes: int) -> None:
    """Refuse a sync that is too large (`SyncTooLarge`), before any signature is looked at."""
    if bundles > BUNDLES_MAX or refusals > REFUSALS_MAX or body_bytes > BODY_BYTES_MAX:
        raise SyncTooLarge


def _result(index: int, judged: Judged, appended: Appended) -> Result:
    if judged.chain is None:
        code, detail, outcome = judged.code, judged.detail, "rejected"
    elif judged.payment_id in appended.unknown:
        code, detail, outcome = "voucher_unknown", sentence_of("voucher_unknown"), "rejected"
    else:
        code, detail, outcome = None, "", "recorded" if judged.payment_id in appended.new_ids else "known"
        if judged.payment_id in appended.late:
            day = appended.late[judged.payment_id]
            detail = f"This came after {day.day} {day:%B}, too late to count at the close."
    return Result(kind="bundle", index=index, payment_id=judged.payment_id, outcome=outcome, code=code, detail=detail)
