"""Loading: online money moves into escrow, and a signed voucher says which numbered units it became.

The promise is written down first, then the money moves, then the voucher is signed; a crash between any two of them is
healed by the job that was promised with the first. A voucher signed before its money stood in escrow would be money
made from nothing, and money in escrow without a voucher would be lost to its owner.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from tikicash.cose import VOUCHER, document_id
from tikicash.layout import write_body
from tikicash.messages import Signed, Voucher, commitment, signed
from tikiwallet.identity.types import Person
from tikiwallet.ledger.types import (
    AccountKind,
    Ledger,
    Limits,
    PostOutcome,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
    derive_transfer_id,
    refusal_for,
    refusal_of,
)
from tikiwallet.offline.audience import audience_key_id, find_audience, read_audiences
from tikiwallet.offline.certificates import lock_holder
from tikiwallet.offline.debts import DebtOpen, Debts
from tikiwallet.offline.devices import DeviceRetired, find_device
from tikiwallet.offline.exposure import OfflinePaused, is_paused
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.policy import Policy, TierPolicy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import (
    Audience,
    Device,
    DeviceId,
    Loading,
    VoucherId,
    VoucherState,
    derive_voucher_id,
    to_device,
)
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import IdempotencyKeyReused
from tikiwallet.platform.jobs import Jobs
from tikiwallet.platform.money import Amount, format_decimal, numeric_code

UNIT_NUMBERS: Final = 2**53
DRAWS_MAX: Final = 20  # with a million vouchers open, one draw in a million meets another
OPEN_VOUCHER: Final = "open_voucher"  # the job
# The request that promises a voucher opens it itself; the job comes after it, and only matters if that one died.
JOB_AFTER_SECONDS: Final = 5

Draw = Callable[[int], int]  # a random number below its argument
log = structlog.get_logger()


class CurrencyNotOffline(Refused):
    """Offline money comes in one currency only; load that one."""

    code, kind = "currency_not_offline", Kind.UNPROCESSABLE


class ReceiveOnly(Refused):
    """This phone may only receive offline money; load it on another phone."""

    code, kind = "device_receive_only", Kind.UNPROCESSABLE


class VoucherAboveLimit(Refused):
    """This is more than may be loaded at once; load less, or ask to be identified."""

    code, kind = "voucher_above_limit", Kind.UNPROCESSABLE


class TooManyVouchers(Refused):
    """You hold offline money from as many loads as you may; wait until one of them has come home."""

    code, kind = "too_many_vouchers", Kind.UNPROCESSABLE


class LoadingStopped(Refused):
    """A phone of yours spent the same offline money twice, so nothing new can be loaded; talk to the operator."""

    code, kind = "loading_stopped", Kind.FORBIDDEN


# What the ledger may answer to a load besides yes; anything else would be a bug of ours.
NO: Final = (PostOutcome.INSUFFICIENT_FUNDS, PostOutcome.LIMIT_EXCEEDED, PostOutcome.ACCOUNT_CLOSED)


class Vouchers:
    """Loads, from the wish to the signed voucher."""

    def __init__(
        self, db: Database, *, ledger: Ledger, issuer: Issuer, policy: Policy, jobs: Jobs, debts: Debts
    ) -> None:
        self._debts = debts
        self._db = db
        self._ledger = ledger
        self._issuer = issuer
        self._policy = policy
        self._jobs = jobs

    async def load(
        self, person: Person, *, device_id: DeviceId, amount: Amount, key: str, draw: Draw, now: datetime,
        audience_key: bytes | None = None,
    ) -> Loading:  # fmt: skip
        """Load `amount` onto a phone of `person`; the same `key` is the same loading, whatever became of it.

        With `audience_key` (33 bytes) it is locked: only the phone with that key may be paid with it. Refusals:
        `CurrencyNotOffline`, `DeviceUnknown`, `DeviceRetired`, `ReceiveOnly`, `VoucherAboveLimit`, `TooManyVouchers`,
        `LoadingStopped`, `DebtOpen`, `OfflinePaused`, `IdempotencyKeyReused`, `PublicKeyInvalid`, those of
        `find_audience`, and what the ledger refuses: `InsufficientFunds`, `LimitExceeded`, `WalletClosed`.
        """
        if amount.currency != self._policy.currency:
            raise CurrencyNotOffline(f"Offline money is in {self._policy.currency} only.", field="amount.currency")
        voucher_id = derive_voucher_id(person.person_id, key)
        await self._debts.collect(person.person_id)
        async with self._db.transaction() as tx:
            await lock_holder(tx, person.person_id)
            await self.draft(
                tx, person, voucher_id, device_id=device_id, amount_minor=amount.amount_minor,
                audience_key=audience_key, draw=draw, now=now,
            )  # fmt: skip
        loading = await self.open(voucher_id, now=now)
        if loading.state is VoucherState.REFUSED:
            outcome = next(no for no in NO if refusal_of(no).code == loading.refused_code)
            transfer = _loading(voucher_id, person.person_id, amount.amount_minor, currency=self._policy.currency)
            raise await refusal_for(self._ledger, transfer, outcome, now=now)
        return loading

    async def is_loaded(self, voucher_id: VoucherId) -> bool:
        """Return whether the money of a load has moved: asked again, it takes no more."""
        known = await self._db.pool.fetchrow(SQL["voucher"], voucher_id)
        return known is not None and known["state"] not in {VoucherState.DRAFT, VoucherState.REFUSED}

    async def draft(
        self,
        tx: Connection,
        person: Person,
        voucher_id: VoucherId,
        *,
        device_id: DeviceId,
        amount_minor: int,
        audience_key: bytes | None,
        draw: Draw,
        now: datetime,
    ) -> None:
        """Promise a voucher: its row and its job. The caller holds `lock_holder` of the person.

        Known already with the same content: nothing changes, except that a refused one is tried again with today's
        dates. Refusals as for `load`.
        """
        device = await find_device(tx, device_id, person.person_id)
        known = await tx.fetchrow(SQL["voucher"], voucher_id)
        content = (device_id, amount_minor, audience_key_id(audience_key))
        if known is not None and (known["device_id"], known["amount_minor"], known["audience_key_id"]) != content:
            raise IdempotencyKeyReused
        if known is not None and known["state"] != VoucherState.REFUSED:
            return
        policy = self._policy.of(person.tier)
        audience = await find_audience(tx, content[2], person.person_id)
        await self._check(tx, device, policy=policy, amount_minor=amount_minor, now=now)
        if known is None:
            await self._insert(
                tx, voucher_id, device, audience, policy=policy, amount_minor=amount_minor, draw=draw, now=now
            )
        else:
            units = known["units"]
            body = self._body(device, audience, policy=policy, first=units.lower, amount_minor=amount_minor, now=now)
            await tx.execute(SQL["redraft_voucher"], voucher_id, *_terms(body))
        await self._jobs.enqueue(tx, OPEN_VOUCHER, key=str(voucher_id), after_seconds=JOB_AFTER_SECONDS)

    async def held(self, tx: Connection, device: Device, *, now: datetime) -> tuple[int, int]:
        """Return the offline money of a phone in minor units as far as anybody brought its payments, and a number.

        The number counts the loads that ever succeeded or are under way, so that it names the next one. Money that is
        on its way into escrow counts as held; what can't be spent any more doesn't.
        """
        row = await tx.fetchrow(SQL["held"], device.device_id, now)
        return row["held_minor"], row["load_count"]

    async def draft_next(
        self, tx: Connection, person: Person, device: Device, *, amount_minor: int, number: int, draw: Draw,
        now: datetime,
    ) -> VoucherId:  # fmt: skip
        """Promise the next voucher of a phone that asks for a balance and not for a load. Refusals as for `load`."""
        voucher_id = derive_voucher_id(person.person_id, f"sync/{device.device_id}/{number}/{amount_minor}")
        await self.draft(
            tx, person, voucher_id, device_id=device.device_id, amount_minor=amount_minor, audience_key=None,
            draw=draw, now=now,
        )  # fmt: skip
        return voucher_id

    async def _check(
        self, tx: Connection, device: Device, *, policy: TierPolicy, amount_minor: int, now: datetime
    ) -> None:
        if device.retired_at is not None:
            raise DeviceRetired
        if device.receive_only or policy.receive_only:
            raise ReceiveOnly
        if await tx.fetchval(SQL["is_named"], device.person_id):
            raise LoadingStopped
        if await is_paused(tx) or not self._issuer.can_issue(now):
            raise OfflinePaused
        if debt_minor := await tx.fetchval(SQL["debt_left"], device.person_id):
            owed = f"{format_decimal(debt_minor, self._policy.currency)} {self._policy.currency}"
            raise DebtOpen(f"{owed} that were released to you early are owed back; top up by that much, then load.")
        if amount_minor > policy.voucher_max_minor:
            raise VoucherAboveLimit(field="amount.amount_minor")
        if await tx.fetchval(SQL["count_vouchers_not_closed"], device.person_id) >= policy.vouchers_open_max:
            raise TooManyVouchers

    async def _insert(
        self, tx: Connection, voucher_id: VoucherId, device: Device, audience: Device | None, *, policy: TierPolicy,
        amount_minor: int, draw: Draw, now: datetime,
    ) -> None:  # fmt: skip
        """Write the draft with units that nobody ever had: random, so that they tell nothing about anybody."""
        block = 1 << (amount_minor - 1).bit_length()
        for _ in range(DRAWS_MAX):
            first = draw(UNIT_NUMBERS // block) * block
            body = self._body(device, audience, policy=policy, first=first, amount_minor=amount_minor, now=now)
            try:
                async with tx.transaction():
                    await tx.execute(
                        SQL["insert_voucher"], voucher_id, device.person_id, device.device_id, device.key_id,
                        body.currency, asyncpg.Range(first, first + amount_minor), amount_minor,
                        *_to_columns(audience), *_terms(body),
                    )  # fmt: skip
                    return
            except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError):  # the same block: the same document
                log.info("unit numbers met others, drawing again", voucher_id=str(voucher_id))
        raise AssertionError("no free unit numbers were drawn")

    def _body(
        self, device: Device, audience: Device | None, *, policy: TierPolicy, first: int, amount_minor: int,
        now: datetime,
    ) -> Voucher:  # fmt: skip
        second = int(now.timestamp())
        return Voucher(
            net=self._issuer.net,
            issuer=self._issuer.number_at(now),
            currency=numeric_code(self._policy.currency),
            first=first,
            count=amount_minor,
            key=device.public_key,
            issued_at=second,
            spend_by=second + policy.spend_seconds,
            claim_by=second + policy.claim_seconds,
            payment_max=policy.payment_max_minor,
            cover=policy.cover_minor if audience is None else 0,  # nobody can compete for locked units
            tier=policy.number,
            name_commit=commitment(device.opening),
            audience_key=audience.public_key if audience is not None else None,
        )

    async def open(self, voucher_id: VoucherId, *, now: datetime) -> Loading:
        """Move the money into escrow and sign the voucher, or say that it is refused. Repeatable: also the job."""
        row = await self._db.pool.fetchrow(SQL["voucher"], voucher_id)
        if row["state"] == VoucherState.DRAFT:
            refused = await self._fund(voucher_id, row["person_id"], row["amount_minor"])
            if refused is None:
                await self._sign(voucher_id, now=now)
            else:
                await self._db.pool.execute(SQL["refuse_voucher"], voucher_id, refused.code)
        elif row["state"] == VoucherState.REFUSED and await self._ledger.posted(_transfer_id(voucher_id)) is not None:
            # Two tries ran at once: one was told no and wrote it down, the other moved the money and died.
            await self._sign(voucher_id, now=now)
        return await self.find(voucher_id)

    async def _fund(self, voucher_id: VoucherId, person_id: UUID, amount_minor: int) -> Refused | None:
        """Move the money from the wallet into escrow; returns why not. The ids make a repetition harmless."""
        currency = self._policy.currency
        escrow = derive_account_id(voucher_id, AccountKind.ESCROW, currency)
        await self._ledger.open_account(
            escrow, kind=AccountKind.ESCROW, currency=currency, limits=Limits(balance_max_minor=amount_minor)
        )
        result = await self._ledger.post(_loading(voucher_id, person_id, amount_minor, currency=currency))
        return None if result.is_posted else refusal_of(result.outcome)

    async def _sign(self, voucher_id: VoucherId, *, now: datetime) -> None:
        """Sign what the row says and open it, in one step: the money is in escrow."""
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["lock_voucher"], voucher_id)
            if row["state"] in {VoucherState.DRAFT, VoucherState.REFUSED}:
                body: Voucher = signed(row["payload"], bytes(64)).body
                if body.issuer != self._issuer.number_at(now):
                    # The signing key changed since the draft, which nobody has seen: it is dated anew for the new one.
                    body = self._dated(body, now=now)
                    await tx.execute(SQL["redraft_voucher"], voucher_id, *_terms(body))
                await tx.execute(SQL["open_voucher"], voucher_id, self._issuer.sign(body).signature, now)

    def _dated(self, body: Voucher, *, now: datetime) -> Voucher:
        """Return the same voucher as if it had been drafted now."""
        later_seconds = int(now.timestamp()) - body.issued_at
        return replace(
            body,
            issuer=self._issuer.number_at(now),
            issued_at=body.issued_at + later_seconds,
            spend_by=body.spend_by + later_seconds,
            claim_by=body.claim_by + later_seconds,
        )

    async def find(self, voucher_id: VoucherId) -> Loading:
        """Return a loading that exists."""
        row = await self._db.pool.fetchrow(SQL["voucher"], voucher_id)
        device = to_device(await self._db.pool.fetchrow(SQL["device"], row["device_id"]))
        return self._to_loading(row, device, await read_audiences(self._db.pool, [row["audience_key_id"]]))

    async def of_device(self, connection: Connection, device: Device) -> list[Loading]:
        """Return the open vouchers of a phone, oldest first."""
        rows = await connection.fetch(SQL["open_vouchers_of_device"], device.device_id)
        found = await read_audiences(connection, {row["audience_key_id"] for row in rows})
        return [self._to_loading(row, device, found) for row in rows]

    def _to_loading(self, row: asyncpg.Record, device: Device, found: dict[bytes, Audience]) -> Loading:
        return Loading(
            voucher_id=row["voucher_id"],
            device=device,
            audience=found.get(row["audience_key_id"]),
            state=VoucherState(row["state"]),
            amount_minor=row["amount_minor"],
            currency=self._policy.currency,
            voucher=to_voucher(row) if row["signature"] is not None else None,
            refused_code=row["refused_code"],
        )


def _transfer_id(voucher_id: VoucherId) -> TransferId:
    return derive_transfer_id(voucher_id, "load")


def _loading(voucher_id: VoucherId, person_id: UUID, amount_minor: int, *, currency: str) -> Transfer:
    return Transfer(
        transfer_id=_transfer_id(voucher_id),
        debit_account_id=derive_account_id(person_id, AccountKind.WALLET, currency),
        credit_account_id=derive_account_id(voucher_id, AccountKind.ESCROW, currency),
        amount_minor=amount_minor,
        currency=currency,
        kind=TransferKind.LOAD,
    )


def to_voucher(row: asyncpg.Record) -> Signed[Voucher]:
    """Return the signed document of a voucher that was opened."""
    document: Signed[Voucher] = signed(row["payload"], row["signature"])
    return document


def _to_columns(audience: Device | None) -> tuple[bytes, UUID] | tuple[None, None]:
    return (None, None) if audience is None else (audience.key_id, audience.person_id)


def _terms(body: Voucher) -> tuple[object, ...]:
    """Return what a draft says, in the order of the queries: document id, payload, tier, cover and the three dates."""
    payload = write_body(body)
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    dates = [epoch + timedelta(seconds=second) for second in (body.issued_at, body.spend_by, body.claim_by)]
    return (document_id(VOUCHER, payload), payload, body.tier, body.cover, *dates)
