"""A code that a payee's phone shows, paid online: the same code, the same button, with a network and without.

The phone says which code it shows, again and again while it shows it. Only such a code is paid online, because the
payee would otherwise stand there with an empty screen; all others are paid by code, with no network. Only the owner of
the key in the code may say so: whoever photographs the code must not be paid for it.

Each attempt to pay becomes a request between the two people, so that all the care of `request_payments.py` holds for
it too; at most one attempt for a code is ever accepted, and none once the payee took the code back.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import uuid5

import asyncpg
import msgspec

from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.payments.request_payments import RequestPayments
from tikiwallet.payments.requests import SQL, RequestNotOpen, RequestNotYours, StoredRequest, stored_request
from tikiwallet.payments.transfers import PayeeIsPayer, check_memo
from tikiwallet.payments.types import RequestState, ShownOrder, ShownRequest
from tikiwallet.payments.wallets import Wallets
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.money import Amount, require_offered

KEY_ID_BYTES = 16
# A phone that wasn't heard for this long shows something else, or nothing.
SHOWN_TTL = timedelta(seconds=120)
RENEW_BELOW = timedelta(seconds=90)  # a phone asks every few seconds: not each of them needs a write
SHOWN_MAX = 50  # codes of one person at once

# Whose phone has the key with this id; None if nobody's has, or the key is retired.
PhoneOwner = Callable[[bytes], Awaitable[PersonId | None]]


class CodeNotYours(Refused):
    """This code wasn't made by a phone of yours that is registered; sync that phone, then show the code again."""

    code, kind = "code_not_yours", Kind.FORBIDDEN


class CodeUnknown(Refused):
    """The phone that shows this code isn't in touch with us; pay by showing your own code."""

    code, kind = "code_unknown", Kind.MISSING


class CodeDiffers(Refused):
    """This code was shown for another amount; make a new code."""

    code, kind = "code_differs", Kind.CONFLICT


class CodesTooMany(Refused):
    """You show as many codes as one person may; take some of them back."""

    code, kind = "codes_too_many", Kind.UNPROCESSABLE


class StoredCode(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `payments.shown_request`."""

    reference: str
    payee_id: PersonId
    amount_minor: int
    currency: str
    shown_at: datetime
    payable_until: datetime
    cancelled_at: datetime | None
    payee_told_at: datetime | None

    @property
    def amount(self) -> Amount:
        """What the code asks for."""
        return Amount(amount_minor=self.amount_minor, currency=self.currency)


class ShownRequests:
    """Codes on payees' screens."""

    def __init__(
        self, db: Database, *, directory: Directory, wallets: Wallets, payments: RequestPayments,
        phone_owner: PhoneOwner,
    ) -> None:  # fmt: skip
        self._db = db
        self._directory = directory
        self._wallets = wallets
        self._payments = payments
        self._phone_owner = phone_owner

    async def show(self, order: ShownOrder, *, payee_id: PersonId, now: datetime) -> ShownRequest:
        """Note that a phone of `payee_id` shows this code now, and return how it stands. To be repeated while shown.

        Refusals: `CurrencyNotOffered`, `CodeNotYours`, `CodeDiffers`, `CodesTooMany`.
        """
        require_offered(order.amount.currency, self._wallets.currencies)
        reference = order.reference
        async with self._db.transaction() as tx:
            stored = await _find(tx, reference)
            if stored is None:
                if await self._phone_owner(base64.urlsafe_b64decode(reference)[:KEY_ID_BYTES]) != payee_id:
                    raise CodeNotYours(field="reference")
                if await tx.fetchval(SQL["codes_shown_by"], payee_id, now) >= SHOWN_MAX:
                    raise CodesTooMany
                await tx.execute(
                    SQL["insert_shown_request"], reference, payee_id, order.amount.amount_minor,
                    order.amount.currency, now, now + SHOWN_TTL,
                )  # fmt: skip
                stored = await _find(tx, reference)
                assert stored is not None, reference
            if stored.payee_id != payee_id:
                raise CodeNotYours(field="reference")
            if stored.amount != order.amount:
                raise CodeDiffers(field="amount")
            if stored.payable_until < now + RENEW_BELOW:
                await tx.execute(SQL["renew_shown_request"], reference, now + SHOWN_TTL)
        return await self.get(reference, reader_id=payee_id, now=now)

    async def get(self, reference: str, *, reader_id: PersonId, now: datetime) -> ShownRequest:
        """Return how a code stands. To know its reference is to have seen it. Refusal: `CodeUnknown`.

        Who paid is told to the two parties only. The payee who reads that it was paid is noted to know it.
        """
        async with self._db.transaction() as tx:
            stored = await _find(tx, reference)
            if stored is None:
                raise CodeUnknown
            taken = await _taken(tx, reference)
            is_paid = taken is not None and taken.state is RequestState.PAID
            if is_paid and reader_id == stored.payee_id and stored.payee_told_at is None:
                await tx.execute(SQL["payee_told"], reference, now)
                stored = msgspec.structs.replace(stored, payee_told_at=now)
        return await self._show(stored, taken, reader_id=reader_id, now=now)

    async def pay(self, reference: str, *, memo: str, caller: Caller, key: str, now: datetime) -> ShownRequest:
        """Pay a code while its phone is in touch; a retry with the same `key` gets the same receipt.

        Refusals: `MemoInvalid`, `CodeUnknown`, `PayeeIsPayer`, `IdempotencyKeyReused`, and those of paying a request:
        `RequestNotOpen` (paid by somebody else, taken back, or not shown any more), `PaymentUnderway`,
        `StepUpRequired`, `OutgoingCapped`, `InsufficientFunds`, `LimitExceeded`, `WalletClosed`.
        """
        check_memo(memo)
        payer_id = PersonId(caller.person_id)
        request_id = uuid5(payer_id, f"shown/{reference}/{key}")
        async with self._db.transaction() as tx:
            stored = await _find(tx, reference)
            if stored is None:
                raise CodeUnknown
            if stored.payee_id == payer_id:
                raise PayeeIsPayer
            row = await tx.fetchrow(SQL["request_by_id"], request_id)
            if row is None and (stored.cancelled_at is not None or stored.payable_until <= now):
                raise RequestNotOpen
            if row is None:
                await tx.execute(
                    SQL["insert_attempt"], request_id, stored.payee_id, payer_id, stored.amount_minor,
                    stored.currency, memo, now, stored.payable_until, reference,
                )  # fmt: skip
                row = await tx.fetchrow(SQL["request_by_id"], request_id)
        if stored_request(row).memo != memo:
            raise IdempotencyKeyReused
        await self._payments.pay(request_id, caller=caller, key=key, now=now)
        return await self.get(reference, reader_id=payer_id, now=now)

    async def cancel(self, reference: str, *, payee_id: PersonId, now: datetime) -> ShownRequest:
        """Take a code back, because it was paid by code or isn't shown any more. Doing it twice is fine.

        Refusals: `CodeUnknown`, `RequestNotYours`, `RequestNotOpen` (it was paid, or is being paid).
        """
        try:
            async with self._db.transaction() as tx:
                stored = await _find(tx, reference)
                if stored is None:
                    raise CodeUnknown
                if stored.payee_id != payee_id:
                    raise RequestNotYours
                if await _taken(tx, reference) is not None:
                    raise RequestNotOpen
                await tx.execute(SQL["cancel_shown_request"], reference, now)
        except asyncpg.CheckViolationError as error:  # somebody began to pay at this moment
            if error.constraint_name != "a_paid_code_is_never_cancelled":
                raise
            raise RequestNotOpen from error
        return await self.get(reference, reader_id=payee_id, now=now)

    async def _show(
        self, stored: StoredCode, taken: StoredRequest | None, *, reader_id: PersonId,
        now: datetime,
    ) -> ShownRequest:  # fmt: skip
        is_party = taken is not None and reader_id in {taken.payer_id, taken.payee_id}
        shown = await self._payments.requests.show_one(taken) if taken is not None and is_party else None
        payee = (await self._directory.people((stored.payee_id,)))[stored.payee_id]
        if taken is not None:
            state = taken.state
        elif stored.cancelled_at is not None:
            state = RequestState.CANCELLED
        else:
            state = RequestState.OPEN if stored.payable_until > now else RequestState.EXPIRED
        return ShownRequest(
            reference=stored.reference, payee=payee, payer=None if shown is None else shown.payer, amount=stored.amount,
            state=state, payable_until=stored.payable_until, payee_told_at=stored.payee_told_at,
            receipt=None if shown is None else shown.receipt,
        )  # fmt: skip


def _stored(row: Mapping[str, object]) -> StoredCode:
    return msgspec.convert(dict(row), StoredCode)


async def _find(tx: Connection, reference: str) -> StoredCode | None:
    row = await tx.fetchrow(SQL["shown_request"], reference)
    return None if row is None else _stored(row)


async def _taken(tx: Connection, reference: str) -> StoredRequest | None:
    """Return the attempt that pays a code or paid it, if there is one."""
    row = await tx.fetchrow(SQL["taken_attempt"], reference)
    return None if row is None else stored_request(row)
