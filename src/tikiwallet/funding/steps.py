"""The steps of top-ups and withdrawals: from where an operation stands to where it stands next.

Each step calls the bank or the ledger, never both, with an id that makes the call repeatable: if the process dies
before the result is recorded, the step is simply taken again. Which step may follow which is also held by the
trigger `operation_state_follows_the_rules`.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from tikiwallet.funding.books import Books, Place
from tikiwallet.funding.types import (
    Bank,
    BankAnswer,
    BankOrder,
    Decision,
    Made,
    OperationKind,
    OperationState,
    Reason,
    StoredOperation,
)
from tikiwallet.ledger.types import PostOutcome
from tikiwallet.platform.errors import Refused

K, S = OperationKind, OperationState


class Step(msgspec.Struct, frozen=True):
    """What a step led to; the refusal says why when the state is `REFUSED`."""

    state: OperationState
    refusal: Refused | None = None
    goes_on: bool = True  # whether the next step can be taken at once
    made: Made | None = None
    reason: Reason = Reason.NONE
    go_to_url: str = ""
    client_secret: str = ""
    expires_at: datetime | None = None
    expected_by: datetime | None = None


TakeStep: TypeAlias = Callable[[StoredOperation, Mapping[str, str], datetime], Awaitable[Step]]


class Steps:
    """The steps, for one bank and the books."""

    def __init__(self, *, books: Books, bank: Bank) -> None:
        self._books = books
        self._bank = bank
        self._by_state: Mapping[tuple[OperationKind, OperationState], TakeStep] = {
            (K.TOP_UP, S.REQUESTED): self._collect,
            (K.TOP_UP, S.PENDING): self._collect,
            (K.TOP_UP, S.CONFIRMED): self._credit,
            (K.TOP_UP, S.RETURNING): self._give_back,
            (K.WITHDRAWAL, S.REQUESTED): self._reserve,
            (K.WITHDRAWAL, S.RESERVED): self._pay_out,
            (K.WITHDRAWAL, S.PENDING): self._pay_out,
            (K.WITHDRAWAL, S.CONFIRMED): self._settle,
            (K.WITHDRAWAL, S.RETURNING): self._return,
        }

    async def take(self, operation: StoredOperation, made: Mapping[str, str], now: datetime) -> Step:
        """Take the next step of an operation that isn't over. The state stays the same while the bank thinks."""
        return await self._by_state[operation.kind, operation.state](operation, made, now)

    async def _collect(self, operation: StoredOperation, made: Mapping[str, str], now: datetime) -> Step:
        answer = await self._bank.collect(_order(operation, made), now=now)
        return _said(operation, answer, confirmed=S.CONFIRMED, declined=S.DECLINED, pending=S.PENDING)

    async def _credit(self, operation: StoredOperation, _made: Mapping[str, str], _: datetime) -> Step:
        await self._books.open_in_flight(operation)
        collected = await self._books.move(operation, of=Place.BANK, to=Place.IN_FLIGHT)
        assert collected.is_posted, (operation.operation_id, collected.outcome)
        credited = await self._books.move(operation, of=Place.IN_FLIGHT, to=Place.WALLET)
        if credited.is_posted:
            return Step(S.SETTLED)
        # The wallet is full or closed by now (or the money has gone back already, before a crash).
        returned = await self._books.move(operation, of=Place.IN_FLIGHT, to=Place.BANK)
        assert returned.is_posted, (operation.operation_id, credited.outcome, returned.outcome)
        return Step(S.RETURNING)

    async def _give_back(self, operation: StoredOperation, made: Mapping[str, str], now: datetime) -> Step:
        answer = await self._bank.give_back(_order(operation, made), now=now)
        assert answer.decision is not Decision.DECLINED, operation.operation_id
        return _said(operation, answer, confirmed=S.RETURNED, declined=S.RETURNING, pending=S.RETURNING)

    async def _reserve(self, operation: StoredOperation, _made: Mapping[str, str], now: datetime) -> Step:
        await self._books.open_in_flight(operation)
        reserved = await self._books.move(operation, of=Place.WALLET, to=Place.IN_FLIGHT)
        if reserved.is_posted:
            return Step(S.RESERVED)
        return Step(S.REFUSED, await self._books.refusal(operation, reserved.outcome, now=now))

    async def _pay_out(self, operation: StoredOperation, made: Mapping[str, str], now: datetime) -> Step:
        answer = await self._bank.pay_out(_order(operation, made), now=now)
        return _said(operation, answer, confirmed=S.CONFIRMED, declined=S.RETURNING, pending=S.PENDING)

    async def _settle(self, operation: StoredOperation, _made: Mapping[str, str], _: datetime) -> Step:
        await self._books.pay_out(operation)
        return Step(S.SETTLED)

    async def _return(self, operation: StoredOperation, _made: Mapping[str, str], _: datetime) -> Step:
        returned = await self._books.move(operation, of=Place.IN_FLIGHT, to=Place.WALLET)
        if returned.is_posted:
            return Step(S.DECLINED, reason=operation.reason)
        # The wallet filled up meanwhile: the money waits until there is room, and past the last try a person looks.
        assert returned.outcome in {PostOutcome.LIMIT_EXCEEDED, PostOutcome.ACCOUNT_CLOSED}, returned.outcome
        return Step(S.RETURNING, goes_on=False, reason=operation.reason)


def _order(operation: StoredOperation, made: Mapping[str, str]) -> BankOrder:
    return BankOrder(
        operation_id=operation.operation_id,
        person_id=operation.person_id,
        amount=operation.arriving,
        created_at=operation.created_at,
        through=operation.through,
        method_id=operation.method_id,
        is_cancelled=operation.is_cancelled,
        made=made,
    )


def _said(
    operation: StoredOperation,
    answer: BankAnswer,
    *,
    confirmed: OperationState,
    declined: OperationState,
    pending: OperationState,
) -> Step:
    """Return what an answer of the bank leads to."""
    states = {
        Decision.CONFIRMED: confirmed,
        Decision.DECLINED: declined,
        Decision.PENDING: pending,
        Decision.GO_ON: operation.state,
    }
    return Step(
        states[answer.decision],
        goes_on=answer.decision is not Decision.PENDING,
        made=answer.made,
        reason=answer.reason,
        go_to_url=answer.go_to_url,
        client_secret=answer.client_secret,
        expires_at=answer.expires_at,
        expected_by=answer.expected_by,
    )
