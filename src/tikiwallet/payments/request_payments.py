"""Pay a request for money: exactly one payment ever, whoever crashes and whoever else presses a button.

Two contexts must agree here, so: record, then repeat until it is true. The yes of the payer is recorded together with
a promise (a job) in one transaction; then the ledger is asked to post a transfer whose id derives from the request;
then the request is marked paid. A crash anywhere in between is healed by the job or by the payer's own retry.

The ledger doesn't remember a refusal, so "not enough money" reopens the request only while one process has the
payment to itself (a lease). Two at once could see one refused and the other posted, and a request that was
paid would stand open.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from tikiwallet.identity.types import OutgoingCap, PersonId
from tikiwallet.payments.new_payees import NewPayees
from tikiwallet.payments.requests import (
    SQL,
    RequestNotOpen,
    RequestNotYours,
    Requests,
    StoredRequest,
    stored_request,
)
from tikiwallet.payments.transfers import payment
from tikiwallet.payments.types import MoneyRequest, RequestState
from tikiwallet.payments.wallets import Wallets
from tikiwallet.platform.db import COMMAND_TIMEOUT_SECONDS, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.jobs import Jobs, NotYet

JOB_NAME = "pay_request"
# A code that several scanned is paid once, and never after it was taken back.
SHOWN_CODE_RULES = {"one_payment_per_shown_request", "a_cancelled_code_is_never_paid"}
# Far longer than any call of the ledger can last: whoever leases it afterwards knows that the earlier call is over.
LEASE_SECONDS = 4 * COMMAND_TIMEOUT_SECONDS
# An equal request waits this long for the one that has the lease.
WAIT_STEP_SECONDS = 0.05
WAIT_STEPS_MAX = 100


class PaymentUnderway(Refused):
    """This payment is being made right now; ask again in a moment."""

    code, kind = "payment_underway", Kind.UNAVAILABLE


class RequestPayments:
    """Payments of requests for money."""

    def __init__(
        self,
        db: Database,
        *,
        jobs: Jobs,
        requests: Requests,
        wallets: Wallets,
        new_payees: NewPayees,
        outgoing: OutgoingCap,
    ) -> None:
        self._db = db
        self._outgoing = outgoing
        self._new_payees = new_payees
        self._jobs = jobs
        self.requests = requests
        self._wallets = wallets

    async def pay(self, request_id: UUID, *, caller: Caller, key: str, now: datetime) -> MoneyRequest:
        """Pay a request; a retry with the same `key` gets the same receipt.

        Refusals: `RequestUnknown`, `RequestNotYours`, `RequestNotOpen` (also when it is being paid under another
        key), `PaymentUnderway`, `IdempotencyKeyReused` (the key paid another request), and, with the request open
        again, `InsufficientFunds`, `LimitExceeded`, `WalletClosed`; `StepUpRequired` and `OutgoingCapped` before
        anything has happened.
        """
        if caller.outgoing_capped_until is None:
            return await self._pay(request_id, caller, key, now)
        stored = await self.requests.visible(request_id, reader_id=PersonId(caller.person_id), now=now)

        async def takes_nothing() -> bool:
            return stored.state is RequestState.PAID or stored.payer_id != caller.person_id

        async with self._outgoing.held(caller, stored.transfer_id, stored.amount, is_done=takes_nothing, now=now):
            return await self._pay(request_id, caller, key, now)

    async def _pay(self, request_id: UUID, caller: Caller, key: str, now: datetime) -> MoneyRequest:
        payer_id = PersonId(caller.person_id)
        for _ in range(WAIT_STEPS_MAX):
            stored = await self.requests.visible(request_id, reader_id=payer_id, now=now)
            if stored.payer_id != payer_id:
                raise RequestNotYours
            if stored.state is RequestState.PAID and stored.payment_key == key:
                return await self.requests.show_one(stored)
            if stored.state is RequestState.OPEN:
                await self._new_payees.check(caller, stored.payee_id, stored.amount, now=now)
                leased = await self._accept(request_id, key, now)
            elif stored.state is RequestState.ACCEPTED and stored.payment_key == key:
                leased = await self._lease(request_id, now)
            else:
                raise RequestNotOpen
            if leased is not None:
                return await self.requests.show_one(await self._move_money(leased, now))
            await asyncio.sleep(WAIT_STEP_SECONDS)
        raise PaymentUnderway(retry_after_seconds=1)

    async def keep_promise(self, key: bytes, now: datetime) -> None:
        """Finish what `pay` began (job handler; `key` is what `pay` enqueued).

        Raises `NotYet` while another process is at it.
        """
        request_id = UUID(key.decode().partition(":")[0])
        leased = await self._lease(request_id, now)
        if leased is not None:
            # A no ends the promise as well as a yes: the request is open again and the payer sees it.
            await self._try_to_move_money(leased, now)
            return
        row = await self._db.pool.fetchrow(SQL["request_by_id"], request_id)
        if row is not None and stored_request(row).state is RequestState.ACCEPTED:
            raise NotYet("another process is paying this request")

    async def _accept(self, request_id: UUID, key: str, now: datetime) -> StoredRequest | None:
        """Record the payer's yes and the promise to act on it; None if somebody else changed the request first."""
        leased_until = now + timedelta(seconds=LEASE_SECONDS)
        try:
            async with self._db.transaction() as tx:
                row = await tx.fetchrow(SQL["accept_request"], request_id, now, key, leased_until)
                if row is None:
                    return None
                stored = stored_request(row)
                # One promise for each attempt: an earlier one may be ending just now and couldn't keep this too.
                await self._jobs.enqueue(
                    tx, JOB_NAME, key=f"{request_id}:{stored.attempt}", after_seconds=LEASE_SECONDS
                )
                return stored
        except asyncpg.IntegrityConstraintViolationError as error:
            if error.constraint_name in SHOWN_CODE_RULES:
                raise RequestNotOpen from error
            if error.constraint_name != "one_key_pays_one_request":
                raise
            raise IdempotencyKeyReused from error

    async def _lease(self, request_id: UUID, now: datetime) -> StoredRequest | None:
        """Take over an accepted request from a process that is gone; None if there is nothing to take over."""
        leased_until = now + timedelta(seconds=LEASE_SECONDS)
        row = await self._db.pool.fetchrow(SQL["lease_request"], request_id, now, leased_until)
        return None if row is None else stored_request(row)

    async def _move_money(self, leased: StoredRequest, now: datetime) -> StoredRequest:
        outcome = await self._try_to_move_money(leased, now)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def _try_to_move_money(self, leased: StoredRequest, now: datetime) -> StoredRequest | Refused:
        """Post the transfer of a request that this process has to itself, and record what became of it."""
        transfer = payment(
            transfer_id=leased.transfer_id,
            payer_id=leased.payer_id,
            payee_id=leased.payee_id,
            amount=leased.amount,
            memo=leased.memo,
        )
        try:
            result = await self._wallets.post(transfer, people=(leased.payer_id, leased.payee_id))
        except Refused:  # too busy: nothing has happened, so the next may try at once
            await self._db.pool.execute(SQL["release_request"], leased.request_id, leased.attempt)
            raise
        if not result.is_posted:
            refusal = await self._wallets.refusal(transfer, result.outcome, now=now)
            await self._db.pool.execute(SQL["reopen_request"], leased.request_id, leased.attempt, now)
            return refusal
        row = await self._db.pool.fetchrow(SQL["mark_request_paid"], leased.request_id, result.posted_at)
        if row is None:  # whoever took over was faster
            row = await self._db.pool.fetchrow(SQL["request_by_id"], leased.request_id)
        stored = stored_request(row)
        assert stored.state is RequestState.PAID, leased.request_id
        return stored
