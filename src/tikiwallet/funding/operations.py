"""Top-ups and withdrawals: small state machines between a bank, which can't be rolled back, and the ledger.

Record, then call, then repeat until it is true: an operation is recorded together with the promise (a job) to carry
it on; each step calls the bank or the ledger with an id that makes the call repeatable, and its result is recorded
before the next. A crash leaves a step to be repeated, never money in no place.

One process at a time has an operation to itself (a lease), because a "no" of the ledger isn't remembered
and must not be acted upon while another process may be getting a "yes".
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from tikiwallet.funding.books import Books
from tikiwallet.funding.demo_bank import DemoBank
from tikiwallet.funding.steps import Steps
from tikiwallet.funding.types import (
    Bank,
    Operation,
    OperationKind,
    OperationOrder,
    OperationState,
    StoredOperation,
)
from tikiwallet.identity.types import GuardedAct, Obstacle, ObstacleKind, OutgoingCap, PersonId, StepUp
from tikiwallet.ledger.types import LimitExceeded
from tikiwallet.platform.db import COMMAND_TIMEOUT_SECONDS, Connection, Database, Queries
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.jobs import Jobs, NotYet
from tikiwallet.platform.money import Amount, Balance, exponent, format_decimal, require_offered

JOB_NAME = "continue_operation"
JOB_DELAY_SECONDS = 5  # the request that recorded the operation usually carries it through at once
LEASE_SECONDS = 4 * COMMAND_TIMEOUT_SECONDS  # far longer than any one call lasts
WAIT_STEP_SECONDS = 0.05
WAIT_STEPS_MAX = 100
OPERATION_UNITS_MAX = 10_000  # of one operation, in whole units of the currency

SQL = Queries("tikiwallet.funding")

K, S = OperationKind, OperationState
SENTENCES: Mapping[tuple[OperationKind, OperationState], str] = {
    (K.TOP_UP, S.REQUESTED): "We are asking your bank.",
    (K.TOP_UP, S.PENDING): "Your bank hasn't decided yet; we keep asking.",
    (K.TOP_UP, S.CONFIRMED): "Your bank has paid; the money is about to be in your wallet.",
    (K.TOP_UP, S.SETTLED): "The money is in your wallet.",
    (K.TOP_UP, S.DECLINED): "Your bank said no; nothing has moved.",
    (K.TOP_UP, S.RETURNING): "Your wallet couldn't take the money; it is on its way back to your bank.",
    (K.TOP_UP, S.RETURNED): "Your wallet couldn't take the money; your bank has it back.",
    (K.WITHDRAWAL, S.REQUESTED): "We are setting the money aside.",
    (K.WITHDRAWAL, S.REFUSED): "Your wallet couldn't give the money; nothing has moved.",
    (K.WITHDRAWAL, S.RESERVED): "The money is set aside; we are asking your bank.",
    (K.WITHDRAWAL, S.PENDING): "The money is set aside; your bank hasn't decided yet.",
    (K.WITHDRAWAL, S.CONFIRMED): "Your bank has the money; we are closing our books on it.",
    (K.WITHDRAWAL, S.SETTLED): "The money is in your bank account.",
    (K.WITHDRAWAL, S.RETURNING): "Your bank said no; the money is on its way back to your wallet.",
    (K.WITHDRAWAL, S.DECLINED): "Your bank said no; the money is back in your wallet.",
}


EXPORTED_MAX = 100_000  # a person who has more gets the newest of them


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
    ) -> None:
        self._db = db
        self._outgoing = outgoing
        self._step_up = step_up
        self._jobs = jobs
        self._books = books
        self._bank = bank
        self._currencies = tuple(currencies)

    async def start(
        self, kind: OperationKind, order: OperationOrder, *, caller: Caller, key: str, now: datetime
    ) -> Operation:
        """Top up or withdraw, at most once for each `key`; a retry gets the operation as it stands.

        Refusals: `FundingUnavailable`, `CurrencyNotOffered`, `LimitExceeded`, `InsufficientFunds`, `WalletClosed`,
        `DeclinedByBank`, `IdempotencyKeyReused`, `OperationUnderway`; `StepUpRequired` and `OutgoingCapped` before a
        withdrawal begins.
        """
        self._require_bank()
        require_offered(order.amount.currency, self._currencies)
        _check_size(order.amount)
        operation_id = uuid5(caller.person_id, f"{kind}/{key}")
        if kind is OperationKind.TOP_UP or caller.outgoing_capped_until is None:
            return await self._start(operation_id, kind, order, caller=caller, now=now)

        async def is_set_aside() -> bool:
            stored = await self._find(operation_id)
            return stored is not None and stored.state not in {OperationState.REQUESTED, OperationState.REFUSED}

        async with self._outgoing.held(caller, operation_id, order.amount, is_done=is_set_aside, now=now):
            return await self._start(operation_id, kind, order, caller=caller, now=now)

    async def _start(
        self, operation_id: UUID, kind: OperationKind, order: OperationOrder, *, caller: Caller, now: datetime
    ) -> Operation:
        person_id, bank = PersonId(caller.person_id), self._require_bank()
        for _ in range(WAIT_STEPS_MAX):
            stored = await self._find(operation_id)
            if kind is OperationKind.WITHDRAWAL and (stored is None or stored.state is OperationState.REFUSED):
                await self._step_up.require(caller, GuardedAct.WITHDRAWAL, now=now)
            if stored is None:
                if kind is OperationKind.TOP_UP:
                    await self._books.require_room(person_id, order.amount)
                leased = await self._record(operation_id, kind, order.amount, person_id=person_id, now=now)
            elif stored.amount != order.amount:
                raise IdempotencyKeyReused
            elif stored.state is OperationState.REFUSED:
                leased = await self._request_again(operation_id, now)
            elif stored.is_over:
                return _answer(stored)
            else:
                leased = await self._lease(operation_id, now)
            if leased is not None:
                over, refusal = await self._advance(leased, bank, now)
                if refusal is not None:
                    raise refusal
                return _answer(over)
            await asyncio.sleep(WAIT_STEP_SECONDS)
        raise OperationUnderway(retry_after_seconds=1)

    async def get(self, kind: OperationKind, operation_id: UUID, *, reader_id: PersonId) -> Operation:
        """Return an operation to its owner. Refusal: `OperationUnknown`."""
        stored = await self._find(operation_id)
        if stored is None or stored.person_id != reader_id or stored.kind is not kind:
            raise OperationUnknown
        return shown(stored)

    async def underway(self, person_id: PersonId) -> list[Obstacle]:
        """Return what keeps this person's wallet from being closed."""
        rows = await self._db.pool.fetch(SQL["operations_of_person_underway"], person_id)
        return [Obstacle(kind=ObstacleKind.OPERATION, amount=Balance(**row)) for row in rows]

    async def export(self, person_id: PersonId) -> list[dict[str, object]]:
        """Return every top-up and withdrawal of a person, newest first."""
        rows = await self._db.pool.fetch(SQL["operations_of_person"], person_id, EXPORTED_MAX)
        return [dict(row) for row in rows]

    async def keep_promise(self, key: bytes, now: datetime) -> None:
        """Carry an operation on (job handler; `key` is what was enqueued). Raises `NotYet` until it is over."""
        bank = self._require_bank()
        operation_id = UUID(key.decode().partition(":")[0])
        leased = await self._lease(operation_id, now)
        stored = (await self._advance(leased, bank, now))[0] if leased else await self._find(operation_id)
        if stored is not None and not stored.is_over:
            raise NotYet(f"the operation is {stored.state}")

    def _require_bank(self) -> Bank:
        if self._bank is None:
            raise FundingUnavailable
        return self._bank

    async def _find(self, operation_id: UUID) -> StoredOperation | None:
        return _stored(await self._db.pool.fetchrow(SQL["operation_by_id"], operation_id))

    async def _record(
        self, operation_id: UUID, kind: OperationKind, amount: Amount, *, person_id: PersonId, now: datetime
    ) -> StoredOperation | None:
        """Record a new operation and the promise to carry it on; None if somebody with the same key was faster."""
        bank = self._require_bank()
        async with self._db.transaction() as tx:
            row = await tx.fetchrow(
                SQL["insert_operation"], operation_id, person_id, kind, amount.amount_minor, amount.currency, bank.name,
                now, _lease_end(now),
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

    async def _advance(
        self, leased: StoredOperation, bank: Bank, now: datetime
    ) -> tuple[StoredOperation, Refused | None]:
        """Take steps until the operation is over or has to wait; with the refusal if the wallet said no."""
        steps = Steps(books=self._books, bank=bank)
        stored, refusal = leased, None
        try:
            while not stored.is_over:
                step = await steps.take(stored, now)
                waits = step.state in {stored.state, OperationState.PENDING}
                if step.state is not stored.state:
                    stored, refusal = await self._move(stored, step.state, now), step.refusal
                if waits:
                    break
        except Refused:  # the ledger was too busy: that step hasn't happened, so the next may try at once
            await self._release(stored)
            raise
        await self._release(stored)
        return stored, refusal

    async def _move(self, stored: StoredOperation, state: OperationState, now: datetime) -> StoredOperation:
        row = await self._db.pool.fetchrow(
            SQL["move_operation"], stored.operation_id, stored.attempt, stored.state, state, now
        )
        if (moved := _stored(row)) is None:
            raise LeaseLost(stored.operation_id)
        return moved

    async def _release(self, stored: StoredOperation) -> None:
        await self._db.pool.execute(SQL["release_operation"], stored.operation_id, stored.attempt)


def shown(stored: StoredOperation) -> Operation:
    """Return an operation as its owner sees it."""
    return Operation(
        operation_id=stored.operation_id,
        kind=stored.kind,
        amount=stored.amount,
        state=stored.state,
        sentence=SENTENCES[stored.kind, stored.state],
        is_demo=stored.bank == DemoBank.name,
        created_at=stored.created_at,
        changed_at=stored.changed_at,
    )


def _answer(stored: StoredOperation) -> Operation:
    if stored.state is OperationState.DECLINED:
        raise DeclinedByBank
    return shown(stored)


def _stored(row: Mapping[str, object] | None) -> StoredOperation | None:
    return None if row is None else msgspec.convert(dict(row), StoredOperation)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)


def _check_size(amount: Amount) -> None:
    at_most_minor = OPERATION_UNITS_MAX * 10 ** exponent(amount.currency)
    if amount.amount_minor > at_most_minor:
        at_most = format_decimal(at_most_minor, amount.currency)
        raise LimitExceeded(f"At most {at_most} {amount.currency} at once.", field="amount")
