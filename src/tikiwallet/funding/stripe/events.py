"""What Stripe tells us: webhooks, and the list of events for what never came.

An event only ever says where to look. Its signature shows who sent it, and yet nothing in it is believed about money:
it may be old, come twice or after a later one. So it is kept as it came, once, and a job asks Stripe for the object
itself. Whatever the order, each look finds the newest truth, and looking twice changes nothing.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import msgspec
import stripe
import structlog

from tikiwallet.funding.queries import SQL
from tikiwallet.funding.stripe.client import everything, since
from tikiwallet.funding.stripe.disputes import operation_in
from tikiwallet.funding.stripe.people import PayoutAccounts
from tikiwallet.funding.types import OperationState, StoredOperation, WebhookInvalid
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Jobs

EVENT_JOB_NAME: Final = "process_event"
POLL_JOB_NAME: Final = "poll_events"
POLL_SECONDS: Final = 300
AGE_MAX: Final = timedelta(minutes=5)  # of a signature, in both directions: clocks differ
SIGNATURES_MAX: Final = 10
LISTED_MAX: Final = 10_000
FIRST_POLL: Final = timedelta(days=1)
MADE_AT_MAX: Final = 253_402_300_799  # the last second of the year 9999

# A job looks at what is kept, and what the database can't hold would come again for days as our failure.
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern="^[!-~]+$")]
NameOrNothing = Annotated[str, msgspec.Meta(max_length=255, pattern="^[!-~]*$")]

log = structlog.get_logger()


class CameBackLate(Exception):
    """Money that was booked out came back to the operator: a person has to give it to its owner."""


class ObjectSaid(msgspec.Struct, frozen=True):
    """What is read of the object in an event: what it is called."""

    id: NameOrNothing = ""  # a balance has none
    payment_intent: NameOrNothing | None = None
    metadata: dict[str, str] | None = None


class DataSaid(msgspec.Struct, frozen=True):
    """The object."""

    object: ObjectSaid


class EventSaid(msgspec.Struct, frozen=True):
    """What is read of an event."""

    id: Name
    type: Name
    created: Annotated[int, msgspec.Meta(ge=0, le=MADE_AT_MAX)]
    data: DataSaid


Look = Callable[[UUID, datetime], Awaitable[StoredOperation | None]]


def check_signature(payload: bytes, header: str, *, secrets: Sequence[str], now: datetime) -> None:
    """Refuse (`WebhookInvalid`) what no secret of ours signed within the last minutes."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdecimal() or len(times[0]) > len("9999999999"):
        raise WebhookInvalid
    if abs(now - datetime.fromtimestamp(int(times[0]), UTC)) > AGE_MAX:
        raise WebhookInvalid
    signed = times[0].encode() + b"." + payload
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    given = [value for name, _, value in parts if name.strip() == "v1" and value.isascii()][:SIGNATURES_MAX]
    if not any(hmac.compare_digest(one, other) for one in given for other in expected):
        raise WebhookInvalid


class Events:
    """The events of Stripe."""

    def __init__(
        self,
        db: Database,
        sdk: stripe.StripeClient,
        *,
        jobs: Jobs,
        secrets: Sequence[str],
        accounts: PayoutAccounts,
        look_at_operation: Look,
        heard_of_dispute: Callable[[str, datetime], Awaitable[None]],
    ) -> None:
        self._db = db
        self._v1 = sdk.v1
        self._jobs = jobs
        self._secrets = tuple(secrets)
        self._accounts = accounts
        self._look_at_operation = look_at_operation
        self._heard_of_dispute = heard_of_dispute

    async def receive(self, payload: bytes, signature: str, *, now: datetime) -> None:
        """Keep a webhook, once, with the promise to look. Refusal: `WebhookInvalid`."""
        check_signature(payload, signature, secrets=self._secrets, now=now)
        try:
            said = msgspec.json.decode(payload, type=EventSaid)
        except msgspec.DecodeError as error:
            raise WebhookInvalid("This isn't an event.") from error
        await self._keep(said, payload, now)

    async def process(self, key: bytes, now: datetime) -> None:
        """Look at what an event is about (job handler; `key` is its id)."""
        event_id = key.decode()
        row = await self._db.pool.fetchrow(SQL["provider_event_by_id"], event_id)
        assert row is not None, event_id
        if row["processed_at"] is not None:
            return
        await self.look(msgspec.json.decode(row["payload"], type=EventSaid), now)
        await self._db.pool.execute(SQL["mark_provider_event_processed"], event_id, now)

    async def look(self, said: EventSaid, now: datetime) -> None:
        """Ask Stripe for what an event names, and do what follows from that answer."""
        thing = said.data.object
        if said.type.startswith("charge.dispute."):
            await self._heard_of_dispute(thing.id, now)
        elif said.type.startswith("account."):
            if await self._accounts.knows(thing.id):
                await self._accounts.look_at(thing.id)
        elif (operation_id := await self._operation_of(thing)) is not None:
            operation = await self._look_at_operation(operation_id, now)
            if operation is not None and said.type in LATE and operation.state is LATE[said.type]:
                raise CameBackLate(f"{said.type} of {operation_id}, which is {operation.state}")

    async def poll(self, now: datetime) -> None:
        """Fetch what Stripe has to tell since the newest that we know. What came already changes nothing."""
        newest = await self._db.pool.fetchval(SQL["newest_provider_event"]) or now - FIRST_POLL
        count = 0
        async for event in everything(self._v1.events.list_async, count_max=LISTED_MAX, created=since(newest)):
            count += 1
            payload = str(event).encode()
            await self._keep(msgspec.json.decode(payload, type=EventSaid), payload, now)
        if count >= LISTED_MAX:
            log.error("more events than can be fetched at once", count=count)

    async def poll_again(self, now: datetime, *, after: int = 0) -> None:
        """Promise the next poll. Its key is the time it is for, so that of several processes one keeps each."""
        turn = max(int(now.timestamp()) // POLL_SECONDS, after) + 1
        async with self._db.transaction() as tx:
            delay = turn * POLL_SECONDS - int(now.timestamp())
            await self._jobs.enqueue(tx, POLL_JOB_NAME, key=str(turn), after_seconds=delay)

    async def _keep(self, said: EventSaid, payload: bytes, now: datetime) -> None:
        made_at = datetime.fromtimestamp(said.created, UTC)
        async with self._db.transaction() as tx:
            if await tx.fetchval(SQL["insert_provider_event"], said.id, said.type, payload, made_at, now):
                await self._jobs.enqueue(tx, EVENT_JOB_NAME, key=said.id)

    async def _operation_of(self, thing: ObjectSaid) -> UUID | None:
        """Return the operation that an event is about: a hint where to look, and no more than that."""
        for object_id in (thing.id, thing.payment_intent):
            found: UUID | None = await self._db.pool.fetchval(SQL["operation_of_object"], object_id or "")
            if found is not None:
                return found
        return operation_in(thing.metadata)


# What was booked out and came back all the same.
LATE: Final = {"payout.failed": OperationState.SETTLED, "refund.failed": OperationState.RETURNED}
