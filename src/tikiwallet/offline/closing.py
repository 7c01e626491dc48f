"""The close: when the time for claims is over, a voucher's money is shared out among the people, once.

Steps, each safe to repeat and each finding what the one before it left: the voucher stops taking claims; the plan is
written down; what double spenders and the operator add moves into the escrow, all or nothing; the result is written
down and the voucher closed; then each payout leaves the escrow by itself (payouts.py). Paying first and writing later
would pay twice after a crash. Until the money has moved a plan may be replaced, because a double spender's wallet can
change under it; afterwards it can't, and the ledger itself refuses a second one.
Rule: protocol/spec/05-close.md; design of offline money, section 7.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tikicash.closing import CloseInput, settle
from tikiwallet.identity.types import Directory, Person, PersonId
from tikiwallet.ledger.types import (
    AccountKind,
    Ledger,
    Limits,
    PostOutcome,
    derive_account_id,
)
from tikiwallet.offline.certificates import lock_holder
from tikiwallet.offline.close_plan import GUARANTOR_ID, NOTE, TAKEN_IN_MAX, ClosePlan, make_plan, taken_in_id
from tikiwallet.offline.documents import Touched, read_touched
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.notices import harmless, note
from tikiwallet.offline.outages import move_claims, note_outage
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import VoucherId, VoucherState
from tikiwallet.platform.db import Connection, Database

LOCK: Final = 0x74696B69_636C6F73  # "tikiclos"
CLOSES_MAX: Final = 1000  # in one go; the next tick goes on
FAILURES_MAX: Final = 10  # in one go; more than that is no matter of one voucher
ERROR_LENGTH_MAX: Final = 500
# A wallet that changes between counting and moving is counted again. Past this number its owner is taken for somebody
# who moves money in circles so that nobody's voucher closes, and the guarantee pays in his place.
ATTEMPTS_WITH_OWN_MAX: Final = 5

log = structlog.get_logger()


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher whose time for claims is over and whose close fails."""

    voucher_id: UUID
    failure_count: int
    first_failed_at: datetime
    last_failed_at: datetime
    error: str


class Closes:
    """Closes vouchers, in the order of their dates, one at a time."""

    def __init__(self, db: Database, *, ledger: Ledger, directory: Directory, issuer: Issuer, policy: Policy) -> None:
        self._db = db
        self._ledger = ledger
        self._directory = directory
        self._issuer = issuer
        self._policy = policy

    async def close_due(self) -> int:
        """Close every voucher whose time for claims is over, and return how many were closed.

        An outage of the operator's is noticed first and moves that time. Repeatable, and safe to call at once from
        several processes: the second one waits. Payouts that a wallet doesn't take yet are not waited for.

        A voucher whose close fails is noted (`stuck`) and tried again the next time. Those after it go on, except where
        one of its people takes part: budgets, guarantees and wallets pass from one close to the next in order of dates.
        Raises the last failure if many fail, for then it is no matter of a voucher.
        """
        async with self._alone() as connection:
            await note_outage(connection)
            closed, waiting, people = 0, list[UUID](), set[UUID]()
            failures_left = FAILURES_MAX
            for _ in range(CLOSES_MAX):
                voucher_id = await connection.fetchval(SQL["next_to_close"], waiting)
                if voucher_id is None:
                    break
                taking_part = await self._people_on(connection, voucher_id) if people else frozenset()
                if people & taking_part:
                    waiting.append(voucher_id)
                    people |= taking_part
                    continue
                try:
                    await self._close(connection, VoucherId(voucher_id))
                    closed += 1
                except Exception as error:  # a loop that must survive (STYLE.md, section 4)
                    failures_left -= 1
                    if failures_left == 0 or connection.is_closed():
                        raise
                    await self._note_failure(connection, voucher_id, error)
                    waiting.append(voucher_id)
                    people |= await self._people_on(connection, voucher_id)
            return closed

    async def stuck(self) -> list[Stuck]:
        """Return the vouchers whose close failed and didn't succeed since, the oldest first."""
        rows = await self._db.pool.fetch(SQL["stuck_closes"])
        return [msgspec.convert(dict(row), Stuck, builtin_types=(UUID, datetime)) for row in rows]

    async def _people_on(self, connection: Connection, voucher_id: UUID) -> frozenset[UUID]:
        return frozenset(row["person_id"] for row in await connection.fetch(SQL["people_on"], voucher_id))

    async def _note_failure(self, connection: Connection, voucher_id: UUID, error: Exception) -> None:
        log.error("voucher can't be closed", voucher_id=str(voucher_id), exc_info=error)
        text = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
        await connection.execute(SQL["note_close_failure"], voucher_id, text)

    async def move_claims(self, *, began_at: datetime, ended_at: datetime) -> int:
        """Make good for an outage that nobody noticed by itself: see `outages.move_claims`. Returns how many moved."""
        async with self._alone() as connection, connection.transaction():
            return await move_claims(connection, began_at=began_at, ended_at=ended_at)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        # Everything is written over the connection that holds the lock: who loses the one can't go on with the other.
        async with self._db.pool.acquire() as connection:
            is_unlocked = False
            try:
                await connection.execute(SQL["lock_closes"], LOCK)
                yield connection
                await connection.execute(SQL["unlock_closes"], LOCK)
                is_unlocked = True
            finally:
                if not is_unlocked:
                    # A timeout doesn't tell whether the lock is held: the session ends, and with it the lock.
                    connection.terminate()

    async def _close(self, connection: Connection, voucher_id: VoucherId) -> None:
        await connection.execute(SQL["begin_closing"], voucher_id)
        text = await connection.fetchval(SQL["last_close_attempt"], voucher_id)
        plan = _to_plan(text) if text is not None else await self._write_plan(connection, voucher_id)
        while (stands := await self._take_in(connection, plan)) is None:
            plan = await self._write_plan(connection, voucher_id)
        await self._finish(connection, stands)
        log.info("voucher closed", voucher_id=str(voucher_id), attempt=stands.attempt_no)

    async def _write_plan(self, connection: Connection, voucher_id: VoucherId) -> ClosePlan:
        """Count, and write down what to do. The set of documents can't change any more: whatever comes now is late."""
        touched = await read_touched(connection, [voucher_id])
        attempt_no = 1 + await connection.fetchval(SQL["count_close_attempts"], voucher_id)
        close = await self._read(connection, touched, voucher_id)
        result = await asyncio.to_thread(settle, close)
        culprits = sorted(PersonId(account) for account in result.liabilities if isinstance(account, UUID))
        counts = attempt_no <= ATTEMPTS_WITH_OWN_MAX
        own = await self._own(connection, culprits[:TAKEN_IN_MAX]) if counts else {}
        async with connection.transaction():
            if result.liabilities:
                # What is left of a promise is counted under the locks of those whom it was made to.
                for person_id in sorted(set(touched.owner_of.values())):
                    await lock_holder(connection, PersonId(person_id))
                budgets = await self._budgets(connection, touched)
                guarantees = await self._guarantees(connection, culprits)
                close = replace(close, budgets=budgets, own=own, guarantees=guarantees)
                result = await asyncio.to_thread(settle, close)
            released_minor = touched.vouchers[voucher_id].released_minor
            plan = make_plan(close, result, voucher_id=voucher_id, attempt_no=attempt_no, released_minor=released_minor)
            await connection.execute(
                SQL["insert_close_attempt"], voucher_id, attempt_no, msgspec.json.encode(plan).decode()
            )
        return plan

    async def _read(self, connection: Connection, touched: Touched, voucher_id: VoucherId) -> CloseInput:
        """Return what decides a close, except for the pots of double spenders and of the operator."""
        rows = await connection.fetch(SQL["advances_on"], voucher_id)
        return CloseInput(
            voucher=touched.vouchers[voucher_id].document,
            documents=touched.documents(voucher_id),
            refused=touched.refused.get(voucher_id, frozenset()),
            operator=self._issuer.operator_ids,
            account_of=touched.owner_of,
            advanced={row["person_id"]: row["amount_minor"] for row in rows},
        )

    async def _own(self, connection: Connection, culprits: Sequence[PersonId]) -> dict[UUID, int]:
        """Return what each of some people has online beyond what was released to them early."""
        currency = self._policy.currency
        wallets = {person: derive_account_id(person, AccountKind.WALLET, currency) for person in culprits}
        # Balances first: a release that is posted in between is then subtracted and not counted, never the reverse.
        accounts = await self._ledger.accounts(list(wallets.values()))
        rows = await connection.fetch(SQL["advances_online"], culprits)
        advances = {row["person_id"]: row["amount_minor"] for row in rows}
        return {
            person: max(0, accounts[wallet].balance_minor - advances.get(person, 0))
            for person, wallet in wallets.items()
            if wallet in accounts
        }

    async def _budgets(self, connection: Connection, touched: Touched) -> dict[bytes, int]:
        # A key that was registered after the documents were read gets no cover: its share waits for it as it is.
        rows = await connection.fetch(SQL["devices_by_key_id"], list(touched.owner_of))
        return {row["key_id"]: row["budget_minor"] for row in rows}

    async def _guarantees(self, connection: Connection, culprits: Sequence[PersonId]) -> dict[UUID, int]:
        """Return what is left of the guarantee that the operator gives for each of some people."""
        rows = await connection.fetch(SQL["guarantees_used"], culprits)
        used = {row["person_id"]: row["amount_minor"] for row in rows}
        found: dict[UUID, int] = {}
        for person_id in culprits:
            person = await self._person(person_id)
            found[person_id] = max(0, self._policy.of(person.tier).guarantee_minor - used.get(person_id, 0))
        return found

    async def _person(self, person_id: UUID) -> Person:
        person = await self._directory.person(PersonId(person_id))
        assert person is not None, person_id
        return person

    async def _take_in(self, connection: Connection, plan: ClosePlan) -> ClosePlan | None:
        """Move into the escrow what a plan adds to it. Returns the plan that stands now, or None if this one can't."""
        currency = self._policy.currency
        transfers = plan.taken_in(currency)
        if not transfers:
            return plan
        guarantor = derive_account_id(GUARANTOR_ID, AccountKind.GUARANTEE, currency)
        await self._ledger.open_account(
            guarantor, kind=AccountKind.GUARANTEE, currency=currency, limits=Limits(balance_min_minor=None)
        )
        # Room for what comes in; a release that wasn't posted yet is still there too.
        await self._ledger.set_limits(
            derive_account_id(plan.voucher_id, AccountKind.ESCROW, currency),
            Limits(balance_max_minor=plan.paid_minor + plan.released_minor),
        )
        results = await self._ledger.post_linked(transfers)
        if all(result.is_posted for result in results):
            return plan
        if any(result.outcome is PostOutcome.DIFFERS_FROM_POSTED for result in results):
            return await self._posted_plan(connection, plan.voucher_id)
        log.info("close is counted again", voucher_id=str(plan.voucher_id), outcomes=[item.outcome for item in results])
        return None

    async def _posted_plan(self, connection: Connection, voucher_id: VoucherId) -> ClosePlan:
        """Return the plan whose money moved: a process that was thought dead was only slow."""
        posted = await self._ledger.posted(taken_in_id(voucher_id, 0))
        assert posted is not None, voucher_id
        attempt_no = int(posted.note.removeprefix(NOTE))
        return _to_plan(await connection.fetchval(SQL["close_attempt"], voucher_id, attempt_no))

    async def _finish(self, connection: Connection, plan: ClosePlan) -> None:
        """Write down who gets what, and close the voucher: one transaction."""
        voucher_id = plan.voucher_id
        limits_minor = {
            person_id: self._policy.of((await self._person(person_id)).tier).notice_limit_minor
            for person_id in harmless(plan)
        }
        people = (
            limits_minor.keys()
            | {item.person_id for item in plan.debts}
            | {item.person_id for item in plan.shares if item.top_minor}
        )
        async with connection.transaction():
            for person_id in sorted(person_id for person_id in people if person_id is not None):
                await lock_holder(connection, PersonId(person_id))
            if await connection.fetchval(SQL["lock_closing_voucher"], voucher_id) != VoucherState.CLOSING:
                return
            await connection.executemany(
                SQL["insert_share"], [(voucher_id, *msgspec.structs.astuple(item)) for item in plan.shares]
            )
            await connection.executemany(
                SQL["use_budget"], [(item.key_id, item.top_minor) for item in plan.shares if item.top_minor]
            )
            await connection.executemany(
                SQL["insert_liability"], [(voucher_id, *msgspec.structs.astuple(item)) for item in plan.liabilities]
            )
            await connection.executemany(
                SQL["insert_payout"],
                [
                    (item.transfer_id, voucher_id, item.person_id, item.key_id, item.amount_minor)
                    for item in plan.payouts
                ],
            )
            await note(connection, plan, limits_minor=limits_minor)
            for debt in plan.debts:
                await connection.execute(SQL["insert_debt"], voucher_id, debt.person_id, debt.amount_minor)
                await connection.execute(SQL["change_debt"], debt.person_id, debt.amount_minor)
            await connection.execute(
                SQL["insert_settlement"], voucher_id, plan.attempt_no, plan.amount_minor, plan.released_minor,
                plan.from_online_minor, plan.from_operator_minor, plan.paid_minor,
            )  # fmt: skip
            await connection.execute(SQL["close_voucher"], voucher_id)


def _to_plan(text: str) -> ClosePlan:
    return msgspec.json.decode(text, type=ClosePlan)
