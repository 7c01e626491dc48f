"""The real ledger stays equal to the one that is easy to believe, whatever is asked of both."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import ClassVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from ledger_books import move, nothing_is_replayed, open_database

from tikiwallet.ledger.memory import MemoryLedger
from tikiwallet.ledger.reconcile import reconcile
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import (
    AMOUNT_MINOR_MAX,
    AccountId,
    AccountKind,
    Direction,
    Ledger,
    Limits,
    Posting,
    PostOutcome,
    PostResult,
    Transfer,
    TransferKind,
)
from tikiwallet.platform.db import Database

# Accounts by number: 0 never opens, 1 is the bank, 2 a hot merchant, 3 to 6 people, 7 in euros with its bank 8.
KINDS = {1: AccountKind.BANK, 2: AccountKind.WALLET, 7: AccountKind.WALLET, 8: AccountKind.BANK}
NUMBERS = range(9)
OPENED_WITH = {
    1: Limits(balance_min_minor=None),
    8: Limits(balance_min_minor=None),
    3: Limits(balance_max_minor=100, out_per_day_max_minor=60),
    4: Limits(out_per_day_max_minor=20, out_per_month_max_minor=90),
    5: Limits(out_per_month_max_minor=60),
}
LIMITS = st.builds(
    Limits,
    balance_max_minor=st.sampled_from([None, 0, 30, 100]),
    out_per_day_max_minor=st.sampled_from([None, 0, 20, 60]),
    out_per_month_max_minor=st.sampled_from([None, 0, 40, 90]),
)
AMOUNTS = [*range(1, 41), 100, AMOUNT_MINOR_MAX]
PAIRS = (
    [(debit, credit) for debit in range(1, 7) for credit in (2, 2, 2, 3, 4, 5, 6) if debit != credit] * 4
    + [(8, 7), (7, 8)] * 6
    + [(2, 1), (0, 2), (2, 0), (0, 7), (3, 7), (7, 3), (5, 7)]
)
WRONG_CURRENCY = [False] * 15 + [True]
TRANSFER_KINDS = [TransferKind.PAYMENT, TransferKind.PAYMENT, TransferKind.TOP_UP]
NOTES = ["", "", "lunch", "🍜"]
A_DAY_LATER = """
    UPDATE ledger.account SET out_day = first + CASE WHEN today = first THEN 1 ELSE 0 END
    FROM (
        SELECT day AS today, date_trunc('month', day::timestamp)::date AS first
        FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS day) AS clock
    ) AS calendar
    WHERE out_day >= first
"""
Drawn = tuple[int, tuple[int, int], int, bool, TransferKind, str]


def transfers() -> st.SearchStrategy[Drawn]:
    """An id out of few, so that many are used again, and content that often differs."""
    return st.tuples(
        st.integers(1, 150),
        *[st.sampled_from(list(x)) for x in (PAIRS, AMOUNTS, WRONG_CURRENCY, TRANSFER_KINDS, NOTES)],
    )


class LedgerMachine(RuleBasedStateMachine):
    """Does everything twice. Accounts and ids are fresh for each run, so that runs share one database."""

    database_url = ""
    seen: ClassVar[Counter[PostOutcome]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.run = self.loop.run
        self.database = Database(self.database_url, context="ledger", size_max=2)
        self.run(self.database.open())
        self.owner: asyncpg.Connection = self.run(asyncpg.connect(self.database_url))
        self.real = PostgresLedger(self.database)
        self.months = self.days = 0
        self.model = MemoryLedger(self.clock)
        self.seed = uuid4().bytes[:12]
        self.asked: list[Transfer] = []

    def teardown(self) -> None:
        self.run(self.owner.close())
        self.run(self.database.close())
        self.loop.close()

    def clock(self) -> datetime:
        """The model's clock: its own, and a day or month more for each that has passed in the story."""
        return datetime(2026 + self.months // 12, 1 + self.months % 12, 1 + self.days, 12, tzinfo=UTC)

    def id(self, number: int) -> UUID:
        """An id of this run."""
        return UUID(bytes=self.seed + number.to_bytes(4))

    def both(self) -> tuple[Ledger, Ledger]:
        """The two ledgers, the real one first."""
        return self.real, self.model

    def transfer(self, drawn: Drawn) -> Transfer:
        """The drawn transfer, with this run's ids."""
        number, (debit, credit), amount_minor, is_wrong, kind, note = drawn
        currency = "EUR" if (debit >= 7) != is_wrong else "SGD"
        return move(
            AccountId(self.id(debit)), AccountId(self.id(credit)), amount_minor, currency=currency, kind=kind,
            note=note, transfer_id=self.id(1000 + number),
        )  # fmt: skip

    @initialize()
    def open_accounts(self) -> None:
        for number in NUMBERS[1:]:
            for ledger in self.both():
                self.run(
                    ledger.open_account(
                        AccountId(self.id(number)),
                        kind=KINDS.get(number, AccountKind.WALLET),
                        currency="EUR" if number >= 7 else "SGD",
                        limits=OPENED_WITH.get(number, Limits()),
                    )
                )
        filled = [(1, number) for number in range(2, 6)] + [(8, 7)]  # 6 opens empty, so that it can close
        self.post_many([(900 + pair[1], pair, 60, False, TransferKind.TOP_UP, "") for pair in filled])
        # Two whom few draws would meet: nobody, and somebody who has left.
        for ledger in self.both():
            self.run(
                ledger.open_account(AccountId(self.id(98)), kind=AccountKind.WALLET, currency="SGD", limits=Limits())
            )
            self.run(ledger.close_account(AccountId(self.id(98))))
        for number in (98, 99):
            self.post((800 + number, (2, number), 1, False, TransferKind.PAYMENT, ""))

    @rule(drawn=transfers())
    def post(self, drawn: Drawn) -> None:
        transfer = self.transfer(drawn)
        self.asked.append(transfer)
        real, model = [self.run(ledger.post(transfer)) for ledger in self.both()]
        self.same([real], [model])

    @rule(drawn=st.lists(transfers(), min_size=8, max_size=40))
    def post_many(self, drawn: list[Drawn]) -> None:
        batch = [self.transfer(one) for one in drawn]
        self.asked += batch
        self.same(*[self.run(ledger.post_many(batch)) for ledger in self.both()])

    @rule(drawn=st.lists(transfers(), min_size=2, max_size=6))
    def post_linked(self, drawn: list[Drawn]) -> None:
        linked = [self.transfer(one) for one in drawn]
        self.asked += linked
        real, model = [self.run(ledger.post_linked(linked)) for ledger in self.both()]
        self.same(real, model)
        assert all(r.is_posted for r in real) or not any(r.outcome is PostOutcome.POSTED for r in real)

    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        if self.asked:
            again = data.draw(st.lists(st.sampled_from(range(len(self.asked))), min_size=1, max_size=20))
            batch = [self.asked[index] for index in again]
            self.same(*[self.run(ledger.post_many(batch)) for ledger in self.both()])

    @rule(number=st.integers(2, 6), limits=LIMITS)
    def set_limits(self, number: int, limits: Limits) -> None:
        for ledger in self.both():
            self.run(ledger.set_limits(AccountId(self.id(number)), limits))

    @rule(number=st.sampled_from([6, 6, 6, 5]))
    def close(self, number: int) -> None:
        account_id = AccountId(self.id(number))
        if self.run(self.model.accounts([account_id]))[account_id].balance_minor == 0:
            for ledger in self.both():
                self.run(ledger.close_account(account_id))
            self.post((150, (1, number), 1, False, TransferKind.PAYMENT, "to who has left"))
        else:
            for ledger in self.both():
                with pytest.raises(AssertionError):
                    self.run(ledger.close_account(account_id))

    @rule()
    def a_day_passes(self) -> None:
        # The database's clock can't be moved: what it counted today becomes what another day of this month counted.
        if self.days < 27:
            self.days += 1
            self.run(self.owner.execute(A_DAY_LATER))

    @rule()
    def a_month_passes(self) -> None:
        self.months, self.days = self.months + 1, 0
        self.run(self.owner.execute("UPDATE ledger.account SET out_day = out_day - 40 WHERE out_day IS NOT NULL"))

    @rule(
        number=st.sampled_from(NUMBERS),
        before=st.one_of(st.none(), st.integers(1, 20)),
        limit=st.integers(1, 10),
        kinds=st.lists(st.sampled_from(TransferKind), max_size=2),
        direction=st.sampled_from([None, *Direction]),
    )
    def read_statement(
        self, number: int, before: int | None, limit: int, kinds: list[TransferKind], direction: Direction | None
    ) -> None:
        pages = [
            self.run(
                ledger.statement(
                    AccountId(self.id(number)), before_posting_no=before, limit=limit, kinds=kinds, direction=direction
                )
            )
            for ledger in self.both()
        ]
        assert [content(posting) for posting in pages[0]] == [content(posting) for posting in pages[1]]

    @invariant()
    def accounts_are_equal(self) -> None:
        ids = [AccountId(self.id(number)) for number in NUMBERS]
        real, model = [self.run(ledger.accounts(ids)) for ledger in self.both()]
        assert real == model
        for currency in ("SGD", "EUR"):
            assert sum(a.balance_minor for a in real.values() if a.currency == currency) == 0

    def same(self, real: list[PostResult], model: list[PostResult]) -> None:
        """Both said the same; their clocks differ."""
        self.seen.update(result.outcome for result in real)
        assert [(r.outcome, r.posted_at is None) for r in real] == [(r.outcome, r.posted_at is None) for r in model]
        for transfer in self.asked[-3:]:
            stands = [self.run(ledger.posted(transfer.transfer_id)) for ledger in self.both()]
            assert stands[0] == stands[1]


def content(posting: Posting) -> tuple[object, ...]:
    """All of a posting but the instant."""
    return tuple(getattr(posting, name) for name in posting.__struct_fields__ if name != "posted_at")


def test_the_ledger_equals_its_model(database_url: str) -> None:
    seen: Counter[PostOutcome] = Counter()
    machine = type("LedgerMachineHere", (LedgerMachine,), {"database_url": database_url, "seen": seen})
    with nothing_is_replayed():
        run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=20))
    assert min(seen[outcome] for outcome in PostOutcome) >= 5, f"an outcome was hardly met: {seen}"
    asyncio.run(prove(database_url, posted=seen[PostOutcome.POSTED]))


@pytest.mark.parametrize("seed", range(8))
def test_large_batches_equal_the_model(database_url: str, seed: int) -> None:
    """The batches of a busy server: Hypothesis draws small ones."""
    random = Random(seed)
    seen: Counter[PostOutcome] = Counter()
    machine = type("LedgerMachineHere", (LedgerMachine,), {"database_url": database_url, "seen": seen})()
    machine.open_accounts()
    for size in random.choices([1, 2, 17, 100, 400], k=12):
        choices = [random.choices(x, k=size) for x in (PAIRS, AMOUNTS, WRONG_CURRENCY, TRANSFER_KINDS, NOTES)]
        machine.post_many(list(zip(random.choices(range(100, 2000), k=size), *choices, strict=True)))
        again = [machine.asked[index] for index in random.choices(range(len(machine.asked)), k=20)]
        machine.same(*[machine.run(ledger.post_many(again)) for ledger in machine.both()])
        machine.accounts_are_equal()
    machine.teardown()
    asyncio.run(prove(database_url, posted=seen[PostOutcome.POSTED]))


async def prove(database_url: str, *, posted: int) -> None:
    """The books are right, and hold exactly what was posted."""
    async with open_database(database_url) as database:
        found = await reconcile(database)
    assert found.is_right, found.differences
    assert found.posting_count == 2 * posted
