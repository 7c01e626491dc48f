"""Disputes: a person's bank takes a top-up back, and says later who was right.

The disputed amount is frozen in an account of its own as far as the wallet has it. What was spent already is owed, as
an early release of offline money is (`offline/debts.py`): a wallet never goes below zero for it, what comes in later is
taken until nothing is owed, and nothing is withdrawn until then. Won, it is given back; lost, it is booked out, and the
operator makes good what wasn't there.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID, uuid5

import msgspec
import structlog

from tikiwallet.funding.books import bank_account_id
from tikiwallet.funding.queries import SQL
from tikiwallet.funding.types import OperationState, StoredOperation
from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import (
    Account,
    AccountId,
    AccountKind,
    Ledger,
    Limits,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
)
from tikiwallet.platform.db import COMMAND_TIMEOUT_SECONDS, Database
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.jobs import Jobs, NotYet
from tikiwallet.platform.money import Amount, format_decimal

DISPUTE_JOB_NAME: Final = "look_at_dispute"
COLLECT_JOB_NAME: Final = "collect_owed"
LEASE: Final = timedelta(seconds=4 * COMMAND_TIMEOUT_SECONDS)
LOOK_AGAIN_SECONDS: Final = 60
LOOK_AGAIN_SECONDS_MAX: Final = 24 * 3600
SHOWN_MAX: Final = 50
LISTED_MAX: Final = 1000  # for the operator
ROUNDS_MAX: Final = 3  # a wallet that changes while we look is looked at again, and then later
# Names the accounts of disputes by their ids, and the operator's account for what was lost.
NAMESPACE: Final = UUID("7bde1a3e-6d9c-4e3b-9a51-0c8f5e0b7a03")

log = structlog.get_logger()


class DisputeOwed(Refused):
    """Your bank took a top-up back that you had spent; bring in what is owed, then withdraw."""

    code, kind = "dispute_owed", Kind.FORBIDDEN


class DisputeState(StrEnum):
    """How a dispute stands."""

    OPEN = "open"
    WON = "won"  # the money stays in the wallet
    LOST = "lost"  # the person's bank keeps it


class DisputeSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of a dispute, when asked."""

    dispute_id: str
    operation_id: UUID | None  # None: not of a top-up of ours
    amount: Amount
    state: DisputeState
    reason: str
    opened_at: datetime
    due_by: datetime | None


class AskProvider(Protocol):
    """Asks the provider about a dispute."""

    async def __call__(self, dispute_id: str) -> DisputeSaid:
        """Return how it stands."""
        ...


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as the person sees it."""

    dispute_id: str
    operation_id: UUID
    amount: Amount
    state: DisputeState
    sentence: str
    frozen_minor: int  # of it, what is set aside
    owed_minor: int  # what was spent already and has to be brought in
    opened_at: datetime
    changed_at: datetime
    due_by: datetime | None


class Disputes(msgspec.Struct, frozen=True, kw_only=True):
    """The newest of a person."""

    disputes: list[Dispute]


class StoredDispute(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `funding.dispute`."""

    dispute_id: str
    operation_id: UUID
    person_id: PersonId
    amount_minor: int
    currency: str
    reason: str
    state: DisputeState
    frozen_minor: int
    repaid_minor: int
    due_by: datetime | None
    opened_at: datetime
    changed_at: datetime
    leased_until: datetime | None

    @property
    def owed_minor(self) -> int:
        """What isn't there yet."""
        return 0 if self.state is DisputeState.WON else self.amount_minor - self.frozen_minor - self.repaid_minor

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state is not DisputeState.OPEN and self.owed_minor == 0


class DisputeKeeper:
    """The disputes of all people. `look_at_operation` carries a top-up on and returns it."""

    def __init__(
        self,
        db: Database,
        *,
        jobs: Jobs,
        ledger: Ledger,
        ask: AskProvider,
        look_at_operation: Callable[[UUID, datetime], Awaitable[StoredOperation | None]],
    ) -> None:
        self._db = db
        self._jobs = jobs
        self._ledger = ledger
        self._ask = ask
        self._look_at_operation = look_at_operation

    async def heard(self, dispute_id: str, now: datetime) -> None:
        """Somebody said that there is such a dispute: ask the provider, and do what follows. Raises `NotYet`."""
        said = await self._ask(dispute_id)
        if said.operation_id is None:
            log.warning("a dispute of no top-up of ours", dispute_id=dispute_id)
            return
        operation = await self._look_at_operation(said.operation_id, now)
        if operation is None:
            log.warning("a dispute of no top-up of ours", dispute_id=dispute_id)
            return
        if not operation.is_over and operation.state is not OperationState.RETURNING:
            raise NotYet(f"the disputed top-up is {operation.state}")
        if operation.state is OperationState.SETTLED:
            await self._record(said, operation.person_id, now)
            await self._advance(said, now)
        # Else the wallet never had the money: the bank only fetched what was on its way back to it.

    async def keep_promise(self, key: bytes, now: datetime) -> None:
        """Look at a dispute again (job handler), until it is over and nothing is owed."""
        dispute_id, _, times = key.decode().partition("#")
        await self.heard(dispute_id, now)
        stored = await self._find(dispute_id)
        if stored is None or stored.is_over:
            return
        time = int(times or 0) + 1
        async with self._db.transaction() as tx:
            delay = min(LOOK_AGAIN_SECONDS * 2**time, LOOK_AGAIN_SECONDS_MAX)
            await self._jobs.enqueue(tx, DISPUTE_JOB_NAME, key=f"{dispute_id}#{time}", after_seconds=delay)

    async def collect(self, person_id: PersonId, now: datetime) -> None:
        """Take what a person owes, as far as the wallet has it. Raises `NotYet` while somebody else is at it."""
        for row in await self._db.pool.fetch(SQL["disputes_owed_by"], person_id):
            await self._leased(row["dispute_id"], self._take, now)

    async def collect_promised(self, key: bytes, now: datetime) -> None:
        """Collect from somebody whose wallet has just been filled (job handler)."""
        await self.collect(PersonId(UUID(key.decode().partition(":")[0])), now)

    async def require_nothing_owed(self, person_id: PersonId, now: datetime) -> None:
        """Refuse (`DisputeOwed`) who owes something that the wallet hasn't got."""
        try:
            await self.collect(person_id, now)
        except NotYet:
            raise DisputeOwed(retry_after_seconds=1) from None
        if await self._db.pool.fetch(SQL["disputes_owed_by"], person_id):
            raise DisputeOwed

    async def of_person(self, person_id: PersonId) -> list[Dispute]:
        """Return the newest disputes of a person."""
        rows = await self._db.pool.fetch(SQL["disputes_of_person"], person_id, SHOWN_MAX)
        return [_shown(msgspec.convert(dict(row), StoredDispute)) for row in rows]

    async def in_words(self) -> list[str]:
        """Return a line for each dispute that isn't over, for the operator."""
        lines = []
        for row in await self._db.pool.fetch(SQL["disputes_to_look_at"], LISTED_MAX):
            stored = msgspec.convert(dict(row), StoredDispute)
            due = f", answer by {stored.due_by:%Y-%m-%d %H:%M}" if stored.due_by and stored.state == "open" else ""
            lines.append(
                f"dispute {stored.dispute_id} ({stored.reason}) of {stored.person_id}, {stored.state}: "
                f"{format_decimal(stored.amount_minor, stored.currency)} {stored.currency}, of which "
                f"{format_decimal(stored.owed_minor, stored.currency)} are owed{due}"
            )
        return lines

    async def _record(self, said: DisputeSaid, person_id: PersonId, now: datetime) -> None:
        """Write a dispute down, with the promise to look after it."""
        async with self._db.transaction() as tx:
            is_new = await tx.fetchval(
                SQL["insert_dispute"], said.dispute_id, said.operation_id, person_id, said.amount.amount_minor,
                said.amount.currency, said.reason, said.due_by, said.opened_at, now,
            )  # fmt: skip
            if is_new:
                await self._jobs.enqueue(
                    tx, DISPUTE_JOB_NAME, key=f"{said.dispute_id}#0", after_seconds=LOOK_AGAIN_SECONDS
                )
                log.warning(
                    "a top-up is disputed", dispute_id=said.dispute_id, operation_id=said.operation_id,
                    reason=said.reason, due_by=None if said.due_by is None else said.due_by.isoformat(),
                )  # fmt: skip

    async def _advance(self, said: DisputeSaid, now: datetime) -> None:
        async def step(stored: StoredDispute, now: datetime) -> None:
            stored = await self._adopt(stored, now)
            if stored.state is DisputeState.OPEN and said.state is not DisputeState.OPEN:
                stored = await self._close(stored, said.state, now)
            await self._take(stored, now)

        await self._leased(said.dispute_id, step, now)

    async def _leased(
        self, dispute_id: str, step: Callable[[StoredDispute, datetime], Awaitable[None]], now: datetime
    ) -> None:
        row = await self._db.pool.fetchrow(SQL["lease_dispute"], dispute_id, now, now + LEASE)
        if row is None:
            raise NotYet("somebody is at the dispute")
        await step(msgspec.convert(dict(row), StoredDispute), now)
        await self._db.pool.execute(SQL["release_dispute"], dispute_id)

    async def _take(self, stored: StoredDispute, now: datetime) -> None:
        """Take what is owed from the wallet, as far as it goes: to freeze it, or to repay the operator."""
        for _ in range(ROUNDS_MAX):
            stored = await self._adopt(stored, now)
            wallet_id = derive_account_id(stored.person_id, AccountKind.WALLET, stored.currency)
            wallet = (await self._ledger.accounts([wallet_id])).get(wallet_id)
            amount_minor = min(stored.owed_minor, 0 if wallet is None else _takeable_minor(wallet))
            if amount_minor <= 0:
                return
            number = await self._count(stored) + 1
            to = await self._frozen(stored) if stored.state is DisputeState.OPEN else await self._losses(stored)
            taking = _transfer(stored, f"taking/{number}", debit=wallet_id, credit=to, amount_minor=amount_minor)
            await self._ledger.post(taking)  # refused: the wallet changed meanwhile, and the next round sees that
        await self._adopt(stored, now)

    async def _adopt(self, stored: StoredDispute, now: datetime) -> StoredDispute:
        """Write down a taking that stands in the books and that nobody lived to write down."""
        number = await self._count(stored) + 1
        posted = await self._ledger.posted(_transfer_id(stored, f"taking/{number}"))
        if posted is None:
            return stored
        is_freeze = posted.credit_account_id == _frozen_id(stored)
        freeze_minor, repay_minor = (posted.amount_minor, 0) if is_freeze else (0, posted.amount_minor)
        async with self._db.transaction() as tx:
            is_new = await tx.fetchval(
                SQL["insert_dispute_taking"], stored.dispute_id, number, posted.transfer_id, posted.amount_minor
            )
            if is_new:
                await tx.execute(SQL["add_to_dispute"], stored.dispute_id, freeze_minor, repay_minor, now)
        found = await self._find(stored.dispute_id)
        assert found is not None, stored.dispute_id
        return found

    async def _close(self, stored: StoredDispute, state: DisputeState, now: datetime) -> StoredDispute:
        """Give back what is frozen, or book it out, and then write down that it is so. Raises `NotYet`."""
        wallet_id = derive_account_id(stored.person_id, AccountKind.WALLET, stored.currency)
        bank_id, frozen_id = bank_account_id(stored.currency), await self._frozen(stored)
        if stored.frozen_minor > 0:
            to = wallet_id if state is DisputeState.WON else bank_id
            transfer = _transfer(stored, f"{state}", debit=frozen_id, credit=to, amount_minor=stored.frozen_minor)
            result = await self._ledger.post(transfer)
            if not result.is_posted:  # the wallet is full or closed: the money waits where it is
                raise NotYet(f"the wallet can't take back what was frozen: {result.outcome}")
        missing_minor = stored.amount_minor - stored.frozen_minor
        if state is DisputeState.LOST and missing_minor > 0:
            losses_id = await self._losses(stored)
            transfer = _transfer(stored, "missing", debit=losses_id, credit=bank_id, amount_minor=missing_minor)
            result = await self._ledger.post(transfer)
            assert result.is_posted, (stored.dispute_id, result.outcome)
        row = await self._db.pool.fetchrow(SQL["close_dispute"], stored.dispute_id, state, now)
        log.warning("a dispute is over", dispute_id=stored.dispute_id, state=state, missing_minor=missing_minor)
        assert row is not None, stored.dispute_id
        return msgspec.convert(dict(row), StoredDispute)

    async def _count(self, stored: StoredDispute) -> int:
        count: int = await self._db.pool.fetchval(SQL["count_dispute_takings"], stored.dispute_id)
        return count

    async def _frozen(self, stored: StoredDispute) -> AccountId:
        account = await self._ledger.open_account(
            _frozen_id(stored), kind=AccountKind.IN_FLIGHT, currency=stored.currency, limits=Limits()
        )
        return account.account_id

    async def _losses(self, stored: StoredDispute) -> AccountId:
        account = await self._ledger.open_account(
            derive_account_id(NAMESPACE, AccountKind.GUARANTEE, stored.currency),
            kind=AccountKind.GUARANTEE,
            currency=stored.currency,
            limits=Limits(balance_min_minor=None),
        )
        return account.account_id

    async def _find(self, dispute_id: str) -> StoredDispute | None:
        row: Mapping[str, object] | None = await self._db.pool.fetchrow(SQL["dispute_by_id"], dispute_id)
        return None if row is None else msgspec.convert(dict(row), StoredDispute)


def _takeable_minor(wallet: Account) -> int:
    """Return what can leave a wallet now. What its limits keep today is taken later: nobody else can have it either."""
    if wallet.closed:
        return 0
    limits = wallet.limits
    outs = (
        (limits.out_per_day_max_minor, wallet.out_today_minor),
        (limits.out_per_month_max_minor, wallet.out_this_month_minor),
    )
    left_minor = [most_minor - out_minor for most_minor, out_minor in outs if most_minor is not None]
    return min(wallet.balance_minor, *left_minor) if left_minor else wallet.balance_minor


SENTENCES: Final = {
    DisputeState.OPEN: "Your bank took this top-up back; it is set aside until the bank decides.",
    DisputeState.WON: "The bank decided for you keeping it: what was set aside is in your wallet again.",
    DisputeState.LOST: "The bank keeps the money, and has given it back to the card.",
}
OWED_SENTENCE: Final = "Your bank took this top-up back, and a part of it was spent: bring in what is owed."


def _shown(stored: StoredDispute) -> Dispute:
    return Dispute(
        dispute_id=stored.dispute_id,
        operation_id=stored.operation_id,
        amount=Amount(amount_minor=stored.amount_minor, currency=stored.currency),
        state=stored.state,
        sentence=OWED_SENTENCE if stored.owed_minor > 0 else SENTENCES[stored.state],
        frozen_minor=stored.frozen_minor if stored.state is DisputeState.OPEN else 0,
        owed_minor=stored.owed_minor,
        opened_at=stored.opened_at,
        changed_at=stored.changed_at,
        due_by=stored.due_by if stored.state is DisputeState.OPEN else None,
    )


def _frozen_id(stored: StoredDispute) -> AccountId:
    return derive_account_id(uuid5(NAMESPACE, stored.dispute_id), AccountKind.IN_FLIGHT, stored.currency)


def _transfer_id(stored: StoredDispute, step: str) -> TransferId:
    return TransferId(uuid5(uuid5(NAMESPACE, stored.dispute_id), step))


def _transfer(stored: StoredDispute, step: str, *, debit: AccountId, credit: AccountId, amount_minor: int) -> Transfer:
    return Transfer(
        transfer_id=_transfer_id(stored, step),
        debit_account_id=debit,
        credit_account_id=credit,
        amount_minor=amount_minor,
        currency=stored.currency,
        kind=TransferKind.CORRECTION,
        note=f"dispute {stored.dispute_id}",
    )
