"""A person asks another for money: ask, list, decline, cancel, let expire. Paying is in `request_payments.py`.

Only guarded updates change a state: each names the state it starts from, so that of a payment, a decline and a
cancellation at the same moment exactly one wins. Expiry is lazy: nobody sees an open request whose time is over,
because what a person would see is expired before it is read.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import msgspec

from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.ledger.types import TransferId, derive_transfer_id
from tikiwallet.payments.transfers import check_memo, find_person
from tikiwallet.payments.types import (
    MoneyRequest,
    Receipt,
    RequestOrder,
    RequestPage,
    RequestQuery,
    RequestState,
    Role,
)
from tikiwallet.payments.wallets import Wallets
from tikiwallet.platform.db import Connection, Database, Queries
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import IdempotencyKeyReused, RequestInvalid
from tikiwallet.platform.money import Amount, require_offered

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REQUEST_TTL = timedelta(days=7)
REQUESTS_OPEN_MAX = 20  # from one person to one other: asking is not a way to pester (a few more slip through at once)

SQL = Queries("tikiwallet.payments")


class PayerUnknown(Refused):
    """Nobody with a wallet uses this phone number or username."""

    code, kind = "payer_unknown", Kind.MISSING


class PayerIsPayee(Refused):
    """You can't ask yourself for money."""

    code, kind = "payer_is_payee", Kind.UNPROCESSABLE


class RequestsTooMany(Refused):
    """You have asked this person often enough; wait until some of your requests are answered."""

    code, kind = "requests_too_many", Kind.UNPROCESSABLE


class RequestUnknown(Refused):
    """There is no such request among yours."""

    code, kind = "request_unknown", Kind.MISSING


class RequestNotYours(Refused):
    """Only the person who was asked can pay or decline, and only the one who asked can cancel."""

    code, kind = "request_not_yours", Kind.FORBIDDEN


class RequestNotOpen(Refused):
    """This request isn't open any more."""

    code, kind = "request_not_open", Kind.CONFLICT


class StoredRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `payments.request`."""

    request_id: UUID
    payee_id: PersonId
    payer_id: PersonId
    amount_minor: int
    currency: str
    memo: str
    created_at: datetime
    expires_at: datetime
    state: RequestState
    changed_at: datetime
    attempt: int
    leased_until: datetime | None
    payment_key: str | None
    paid_at: datetime | None

    @property
    def amount(self) -> Amount:
        """What is asked for."""
        return Amount(amount_minor=self.amount_minor, currency=self.currency)

    @property
    def transfer_id(self) -> TransferId:
        """The id of the one transfer that can ever pay this request."""
        return derive_transfer_id(self.request_id, "payment")


class Requests:
    """Requests for money between people."""

    def __init__(self, db: Database, *, directory: Directory, wallets: Wallets) -> None:
        self._db = db
        self._directory = directory
        self._wallets = wallets

    async def ask(self, order: RequestOrder, *, payee_id: PersonId, key: str, now: datetime) -> MoneyRequest:
        """Ask for money, at most once for each `key` of the payee; a retry gets the request as it stands.

        Refusals: `MemoInvalid`, `CurrencyNotOffered`, `PayerUnknown`, `PayerIsPayee`, `RequestsTooMany`,
        `IdempotencyKeyReused`.
        """
        check_memo(order.memo)
        require_offered(order.amount.currency, self._wallets.currencies)
        payer = await find_person(self._directory, order.payer)
        if payer is None:
            raise PayerUnknown(field="payer")
        if payer.person_id == payee_id:
            raise PayerIsPayee(field="payer")
        request_id = uuid5(payee_id, f"request/{key}")
        async with self._db.transaction() as tx:
            stored = await self._find(tx, request_id)
            if stored is None:
                stored = await self._insert(tx, request_id, order, payee_id=payee_id, payer_id=payer.person_id, now=now)
        if (stored.payer_id, stored.amount, stored.memo) != (payer.person_id, order.amount, order.memo):
            raise IdempotencyKeyReused
        return await self.show_one(stored)

    async def _insert(
        self,
        tx: Connection,
        request_id: UUID,
        order: RequestOrder,
        *,
        payee_id: PersonId,
        payer_id: PersonId,
        now: datetime,
    ) -> StoredRequest:
        await tx.execute(SQL["expire_requests"], payee_id, now)
        if await tx.fetchval(SQL["open_requests_between"], payee_id, payer_id) >= REQUESTS_OPEN_MAX:
            raise RequestsTooMany
        await tx.execute(
            SQL["insert_request"], request_id, payee_id, payer_id, order.amount.amount_minor, order.amount.currency,
            order.memo, now, now + REQUEST_TTL,
        )  # fmt: skip
        stored = await self._find(tx, request_id)  # somebody with the same key may have been faster
        assert stored is not None, request_id
        return stored

    async def get(self, request_id: UUID, *, reader_id: PersonId, now: datetime) -> MoneyRequest:
        """Return a request to one of its two parties. Refusal: `RequestUnknown`."""
        return await self.show_one(await self.visible(request_id, reader_id=reader_id, now=now))

    async def page(self, query: RequestQuery, *, reader_id: PersonId, now: datetime) -> RequestPage:
        """Return the requests of `reader_id` that match, newest first. Refuses a cursor that isn't ours."""
        before_at, before_id = _read_cursor(query.cursor)
        async with self._db.transaction() as tx:
            await tx.execute(SQL["expire_requests"], reader_id, now)
            rows = await tx.fetch(
                SQL["request_page"], reader_id, query.role is not Role.PAYEE, query.role is not Role.PAYER,
                query.state, before_at, before_id, query.limit + 1,
            )  # fmt: skip
        found = [stored_request(row) for row in rows]
        shown = found[: query.limit]
        return RequestPage(
            items=await self._show(shown), next_cursor=_cursor_after(shown[-1]) if len(found) > query.limit else None
        )

    async def decline(self, request_id: UUID, *, payer_id: PersonId, now: datetime) -> MoneyRequest:
        """Say no to a request. Saying it twice is fine.

        Refusals: `RequestUnknown`, `RequestNotYours`, `RequestNotOpen`.
        """
        stored = await self.visible(request_id, reader_id=payer_id, now=now)
        if stored.payer_id != payer_id:
            raise RequestNotYours
        return await self._close(stored, RequestState.DECLINED, now)

    async def cancel(self, request_id: UUID, *, payee_id: PersonId, now: datetime) -> MoneyRequest:
        """Take a request back. Doing it twice is fine.

        Refusals: `RequestUnknown`, `RequestNotYours`, `RequestNotOpen`.
        """
        stored = await self.visible(request_id, reader_id=payee_id, now=now)
        if stored.payee_id != payee_id:
            raise RequestNotYours
        return await self._close(stored, RequestState.CANCELLED, now)

    async def _close(self, stored: StoredRequest, state: RequestState, now: datetime) -> MoneyRequest:
        if stored.state is not state:
            row = await self._db.pool.fetchrow(SQL["close_request"], stored.request_id, state, now)
            if row is None:
                raise RequestNotOpen
            stored = stored_request(row)
        return await self.show_one(stored)

    async def visible(self, request_id: UUID, *, reader_id: PersonId, now: datetime) -> StoredRequest:
        """Return the row of a request that `reader_id` is a party of, expired if it is time.

        Refusal: `RequestUnknown`.
        """
        async with self._db.transaction() as tx:
            await tx.execute(SQL["expire_requests"], reader_id, now)
            stored = await self._find(tx, request_id)
        if stored is None or reader_id not in {stored.payer_id, stored.payee_id}:
            raise RequestUnknown
        return stored

    async def _find(self, tx: Connection, request_id: UUID) -> StoredRequest | None:
        row = await tx.fetchrow(SQL["request_by_id"], request_id)
        return None if row is None else stored_request(row)

    async def show_one(self, stored: StoredRequest) -> MoneyRequest:
        """Return a row as people see it."""
        return (await self._show([stored]))[0]

    async def _show(self, rows: Sequence[StoredRequest]) -> list[MoneyRequest]:
        people = await self._directory.people(list({p for row in rows for p in (row.payer_id, row.payee_id)}))
        return [
            MoneyRequest(
                request_id=row.request_id, payer=people[row.payer_id], payee=people[row.payee_id], amount=row.amount,
                memo=row.memo, state=row.state, created_at=row.created_at, expires_at=row.expires_at,
                changed_at=row.changed_at,
                receipt=None if row.paid_at is None else Receipt(
                    transfer_id=row.transfer_id, payer=people[row.payer_id], payee=people[row.payee_id],
                    amount=row.amount, memo=row.memo, sent_at=row.paid_at,
                ),
            )
            for row in rows
        ]  # fmt: skip


def stored_request(row: Mapping[str, object]) -> StoredRequest:
    """Return a row of `payments.request` with its types checked."""
    return msgspec.convert(dict(row), StoredRequest)


def _cursor_after(stored: StoredRequest) -> str:
    return f"{(stored.created_at - EPOCH) // timedelta(microseconds=1)}.{stored.request_id.hex}"


def _read_cursor(cursor: str) -> tuple[datetime | None, UUID | None]:
    if not cursor:
        return None, None
    micros, _, request_hex = cursor.partition(".")
    try:
        return EPOCH + timedelta(microseconds=int(micros)), UUID(hex=request_hex)
    except (ValueError, OverflowError) as error:
        raise RequestInvalid("This cursor didn't come from a list of requests.", field="cursor") from error
