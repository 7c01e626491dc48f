"""Top-ups and withdrawals: small state machines between a bank, which can't be rolled back, and the ledger.

Record, then call, then repeat until it is true: an operation is recorded together with the promise (a job) to carry
it on; each step calls the bank or the ledger with an id that makes the call repeatable, and its result is recorded
before the next. A crash leaves a step to be repeated, never money in no place. Until an operation is over there is
always a promise for it: one that ends makes the next in a transaction of its own before it does.

One process at a time has an operation to itself (a lease), because a "no" of the ledger isn't remembered
and must not be acted upon while another process may be getting a "yes".
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid5

import msgspec

from tikiwallet.funding.books import Books
from tikiwallet.funding.card_testing import CardTesting
from tikiwallet.funding.disputes import COLLECT_JOB_NAME
from tikiwallet.funding.queries import SQL
from tikiwallet.funding.sentences import shown
from tikiwallet.funding.steps import Step, Steps
from tikiwallet.funding.types import (
    Bank,
    Operation,
    OperationKind,
    OperationState,
    Quote,
    Reason,
    StoredOperation,
    TopUpOrder,
    WithdrawalOrder,
)
from tikiwallet.funding.wanted import Wanted
from tikiwallet.identity.types import GuardedAct, OutgoingCap, PersonId, StepUp
from tikiwallet.ledger.types import LimitExceeded
from tikiwallet.platform.db import COMMAND_TIMEOUT_SECONDS, Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.jobs import Jobs, NotYet
from tikiwallet.platform.money import Amount, exponent, format_decimal, require_offered

JOB_NAME = "continue_operation"
LOOK_JOB_NAME = "look_at_operation"  # once, because something was heard; the promise above goes on beside it
JOB_DELAY_SECONDS = 5  # the request that recorded the operation usually carries it through at once
ASK_AGAIN_SECONDS_MAX = 3600  # how long a provider that hasn't decided is left alone
LEASE_SECONDS = 4 * COMMAND_TIMEOUT_SECONDS  # far longer than any one call lasts
WAIT_STEP_SECONDS = 0.05
WAIT_STEPS_MAX = 100
OPERATION_UNITS_MAX = 10_000  # of one operation, in whole units of the currency


class FundingUnavailable(Refused):
    """Money can't come in or go out here at the moment."""

    code, kind = "funding_unavailable", Kind.UNAVAILABLE


class DeclinedByBank(Refused):
    """The bank said no; your wallet holds what it held before."""

    code, kind = "declined_by_bank", Kind.UNPROCESSABLE


class OperationUnknown(Refused):
    """There is no such top-up or withdrawal among yours."""

    code, kind = "operation_unknown", Kind.MISSING


class OperationUnderway(Refused):
    """This is being done right now; ask again in a moment."""

    code, kind = "operation_underway", Kind.UNAVAILABLE


class OperationOver(Refused):
    """This is over, so that it can't be cancelled any more."""

    code, kind = "operation_over", Kind.CONFLICT


class CheckoutExpired(Refused):
    """The page on which to pay has closed and nothing has moved; start again."""

    code, kind = "checkout_expired", Kind.UNPROCESSABLE


class FeeDiffers(Refused):
    """The fee of this withdrawal isn't what you agreed to; look at it again, then confirm."""

    code, kind = "fee_differs", Kind.CONFLICT


RequireNothingOwed: TypeAlias = Callable[[PersonId, datetime], Awaitable[None]]


class LeaseLost(Exception):
    """Another process took the operation over; what this one did is repeated or already true."""


class Operations:
    """The top-ups and withdrawals of all people. Without a bank, what is there can be read and nothing begins."""

    def __init__(
        self,
        db: Database,
        *,
        jobs: Jobs,
        books: Books,
        bank: Bank | None,
        currencies: Sequence[str],
        step_up: StepUp,
        outgoing: OutgoingCap,
        card_testing: CardTesting | None = None,
        require_nothing_owed: RequireNothingOwed | None = None,
    ) -> None:
        self._db = db
        self._outgoing = outgoing
        self._step_up = step_up
        self._jobs = jobs
        self._books = books
        self._bank = bank
        self._currencies = tuple(currencies)
        self._card_testing = card_testing or CardTesting(db)
        self._require_nothing_owed = require_nothing_owed

    async def start(
        self, order: TopUpOrder | WithdrawalOrder, *, caller: Caller, key: str, now: datetime, address: str = ""
    ) -> Operation:
        """Top up or withdraw, at most once for each `key`; a retry gets the operation as it stands.

        Refusals: `FundingUnavailable`, `CurrencyNotOffered`, `LimitExceeded`, `InsufficientFunds`, `WalletClosed`,
        `DeclinedByBank`, `CheckoutExpired`, `IdempotencyKeyReused`, `OperationUnderway`, `TooManyTopUps`,
        `PayoutAccountMissing`, `FeeDiffers`; `StepUpRequired` and `OutgoingCapped` before a withdrawal begins.
        """
        wanted = Wanted.of(order)
        self._require_bank()
        require_offered(wanted.amount.currency, self._currencies)
        _check_size(wanted.amount)
        operation_id = uuid5(caller.person_id, f"{wanted.kind}/{key}")
        if wanted.kind is OperationKind.TOP_UP or caller.outgoing_capped_until is None:
            return await self._start(operation_id, wanted, caller=caller, address=address, now=now)

        async def is_set_aside() -> bool:
            stored = await self._find(operation_id)
            return stored is not None and stored.state not in {OperationState.REQUESTED, OperationState.REFUSED}

        async with self._outgoing.held(caller, operation_id, wanted.amount, is_done=is_set_aside, now=now):
            return await self._start(operation_id, wanted, caller=caller, address=address, now=now)

    async def _start(
        self, operation_id: UUID, wanted: Wanted, *, caller: Caller, address: str, now: datetime
    ) -> Operation:
        person_id, bank = PersonId(caller.person_id), self._require_bank()
        for _ in range(WAIT_STEPS_MAX):
            stored = await self._find(operation_id)
            if wanted.kind is OperationKind.WITHDRAWAL and (stored is None or stored.state is OperationState.REFUSED):
                await self._step_up.require(caller, GuardedAct.WITHDRAWAL, now=now)
            if stored is None:
                origin = await self._check(wanted, bank, person_id=person_id, address=address, now=now)
                leased = await self._record(operation_id, wanted, person_id=person_id, origin=origin, now=now)
            elif not wanted.is_wanted_by(stored):
                raise IdempotencyKeyReused
            elif stored.state is OperationState.REFUSED:
                leased = await self._request_again(operation_id, now)
            elif stored.is_over:
                return _answer(stored)
            else:
                leased = await self._lease(operation_id, now)
            if leased is not None:
                over, last = await self._advance(leased, bank, now)
                if last.refusal is not None:
                    raise last.refusal
                return _answer(over, client_secret=last.client_secret)
            await asyncio.sleep(WAIT_STEP_SECONDS)
        raise OperationUnderway(retry_after_seconds=1)

    def quote(self, amount: Amount) -> Quote:
        """Return what a withdrawal costs. Refusals: `FundingUnavailable`, `CurrencyNotOffered`, `LimitExceeded`."""
        bank = self._require_bank()
        require_offered(amount.currency, self._currencies)
        _check_size(amount)
        fee_minor = _fee_minor(bank, amount)
        arriving = Amount(amount_minor=amount.amount_minor - fee_minor, currency=amount.currency)
        return Quote(amount=amount, fee_minor=fee_minor, arriving=arriving)

    async def cancel(self, kind: OperationKind, operation_id: UUID, *, person_id: PersonId, now: datetime) -> Operation:
        """Undo an operation if that can still be; otherwise it goes on, and the answer says so.

        Refusals: `OperationUnknown`, `OperationOver`, `FundingUnavailable`.
        """
        self._require_bank()
        await self.get(kind, operation_id, reader_id=person_id)
        async with self._db.transaction() as tx:
            if await tx.fetchrow(SQL["cancel_operation"], operation_id, person_id, kind) is None:
                raise OperationOver
            await self._jobs.enqueue(tx, LOOK_JOB_NAME, key=str(operation_id), after_seconds=JOB_DELAY_SECONDS)
        if (leased := await self._lease(operation_id, now)) is not None:
            await self._advance(leased, self._require_bank(), now)
        return await self.get(kind, operation_id, reader_id=person_id)

    async def get(self, kind: OperationKind, operation_id: UUID, *, reader_id: PersonId) -> Operation:
        """Return an operation to its owner. Refusal: `OperationUnknown`."""
        stored = await self._find(operation_id)
        if stored is None or stored.person_id != reader_id or stored.kind is not kind:
            raise OperationUnknown
        return shown(stored)

    async def keep_promise(self, key: bytes, now: datetime) -> None:
        """Carry an operation on (job handler; `key` is what was enqueued).

        Raises `NotYet` while somebody else is at it or the wallet has no room. A provider that hasn't decided may take
        days, and is asked again by a promise of its own.
        """
        name, _, times = key.decode().partition("#")
        stored = await self.look_at(UUID(name.partition(":")[0]), now)
        if stored is None or stored.is_over:
            return
        if not stored.waits_for_bank:
            raise NotYet(f"the operation is {stored.state}")
        time = int(times or 0) + 1
        async with self._db.transaction() as tx:
            delay = min(JOB_DELAY_SECONDS * 2**time, ASK_AGAIN_SECONDS_MAX)
            await self._jobs.enqueue(tx, JOB_NAME, key=f"{name}#{time}", after_seconds=delay)

    async def look_at(self, operation_id: UUID, now: datetime) -> StoredOperation | None:
        """Take the steps that an operation can take now; None if there is no such operation.

        Raises `NotYet` while another process has it.
        """
        bank = self._require_bank()
        leased = await self._lease(operation_id, now)
        if leased is not None:
            return (await self._advance(leased, bank, now))[0]
        stored = await self._find(operation_id)
        if stored is not None and not stored.is_over:
            raise NotYet(f"somebody is at the operation, which is {stored.state}")
        return stored

    async def _check(
        self, wanted: Wanted, bank: Bank, *, person_id: PersonId, address: str, now: datetime
    ) -> bytes | None:
        """Refuse what needn't be recorded. Returns whence a top-up comes, to be counted."""
        if wanted.kind is OperationKind.WITHDRAWAL:
            if wanted.fee_minor != _fee_minor(bank, wanted.amount):
                raise FeeDiffers(field="fee_minor")
            if self._require_nothing_owed is not None:
                await self._require_nothing_owed(person_id, now)
            await bank.require_payee(person_id)
            return None
        if wanted.amount.amount_minor < (least_minor := bank.top_up_min_minor()):
            least = format_decimal(least_minor, wanted.amount.currency)
            raise LimitExceeded(f"At least {least} {wanted.amount.currency} at once.", field="amount")
        origin = await self._card_testing.check(person_id, address, now=now) if bank.takes_cards else None
        await self._books.require_room(person_id, wanted.amount)
        return origin

    def _require_bank(self) -> Bank:
        if self._bank is None:
            raise FundingUnavailable
        return self._bank

    async def _find(self, operation_id: UUID) -> StoredOperation | None:
        return _stored(await self._db.pool.fetchrow(SQL["operation_by_id"], operation_id))

    async def _record(
        self, operation_id: UUID, wanted: Wanted, *, person_id: PersonId, origin: bytes | None, now: datetime
    ) -> StoredOperation | None:
        """Record a new operation and the promise to carry it on; None if somebody with the same key was faster."""
        bank, amount = self._require_bank(), wanted.amount
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(
                SQL["insert_operation"], operation_id, person_id, wanted.kind, amount.amount_minor, amount.currency,
                bank.name, now, _lease_end(now), wanted.through, wanted.method_id, wanted.fee_minor, origin,
            )  # fmt: skip
            return await self._promise(tx, _stored(row))

    async def _request_again(self, operation_id: UUID, now: datetime) -> StoredOperation | None:
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(SQL["request_operation_again"], operation_id, now, _lease_end(now))
            return await self._promise(tx, _stored(row))

    async def _promise(self, tx: Connection, stored: StoredOperation | None) -> StoredOperation | None:
        if stored is not None:
            # One promise for each attempt: an earlier one may be ending just now and couldn't keep this too.
            key = f"{stored.operation_id}:{stored.attempt}"
            await self._jobs.enqueue(tx, JOB_NAME, key=key, after_seconds=JOB_DELAY_SECONDS)
        return stored

    async def _lease(self, operation_id: UUID, now: datetime) -> StoredOperation | None:
        """Take over an operation that nobody is at; None if there is nothing to take over."""
        return _stored(await self._db.pool.fetchrow(SQL["lease_operation"], operation_id, now, _lease_end(now)))

    async def _advance(self, leased: StoredOperation, bank: Bank, now: datetime) -> tuple[StoredOperation, Step]:
        """Take steps until the operation is over or has to wait; with the last of them."""
        steps = Steps(books=self._books, bank=bank)
        stored, made = leased, await self._made(leased.operation_id)
        try:
            while True:
                step = await steps.take(stored, made, now)
                stored = await self._move(stored, step, now)
                if step.made is not None:
                    made[step.made.step] = step.made.object_id
                if stored.is_over or not step.goes_on:
                    break
        except Refused:  # the ledger was too busy: that step hasn't happened, so the next may try at once
            await self._release(stored)
            raise
        await self._release(stored)
        return stored, step

    async def _made(self, operation_id: UUID) -> dict[str, str]:
        return {
            row["step"]: row["object_id"]
            for row in await self._db.pool.fetch(SQL["provider_objects_of"], operation_id)
        }  # fmt: skip

    async def _move(self, stored: StoredOperation, step: Step, now: datetime) -> StoredOperation:
        """Write down what a step led to: where the operation stands, and what the provider made."""
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(
                SQL["move_operation"], stored.operation_id, stored.attempt, stored.state, step.state, now, step.reason,
                step.go_to_url, step.expires_at, step.expected_by or stored.expected_by,
            )  # fmt: skip
            if (moved := _stored(row)) is None:
                raise LeaseLost(stored.operation_id)
            if step.made is not None:
                await tx.execute(
                    SQL["insert_provider_object"], stored.operation_id, step.made.step, step.made.object_id, now
                )
            is_filled = moved.kind is OperationKind.TOP_UP and moved.state is OperationState.SETTLED
            if is_filled and await tx.fetch(SQL["disputes_owed_by"], moved.person_id):
                await self._jobs.enqueue(tx, COLLECT_JOB_NAME, key=f"{moved.person_id}:{moved.operation_id}")
        return moved

    async def _release(self, stored: StoredOperation) -> None:
        await self._db.pool.execute(SQL["release_operation"], stored.operation_id, stored.attempt)


def _answer(stored: StoredOperation, *, client_secret: str = "") -> Operation:
    if stored.state is OperationState.DECLINED and stored.reason is Reason.EXPIRED:
        raise CheckoutExpired
    if stored.state is OperationState.DECLINED and stored.reason is Reason.NONE:
        raise DeclinedByBank
    return shown(stored, client_secret=client_secret)


def _fee_minor(bank: Bank, amount: Amount) -> int:
    fee_minor = bank.fee_minor(amount)
    if fee_minor >= amount.amount_minor:
        raise LimitExceeded("That is no more than the fee.", field="amount")
    return fee_minor


def _stored(row: Mapping[str, object] | None) -> StoredOperation | None:
    return None if row is None else msgspec.convert(dict(row), StoredOperation)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)


def _check_size(amount: Amount) -> None:
    at_most_minor = OPERATION_UNITS_MAX * 10 ** exponent(amount.currency)
    if amount.amount_minor > at_most_minor:
        at_most = format_decimal(at_most_minor, amount.currency)
        raise LimitExceeded(f"At most {at_most} {amount.currency} at once.", field="amount")
