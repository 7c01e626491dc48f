"""Accounts open once, close empty, and keep their limits; told once for both ledgers."""

from uuid import UUID, uuid4

import asyncpg
import pytest
from ledger_books import ACCOUNT, NO_FLOOR, move, open_wallet

from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.types import (
    BALANCE_MINOR_MAX,
    BATCH_SIZE_MAX,
    AccountId,
    AccountKind,
    Ledger,
    Limits,
    PostOutcome,
    derive_account_id,
    derive_transfer_id,
)

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
NOBODY = AccountId(UUID(int=99))


async def test_an_account_opens_once(ledger: Ledger) -> None:
    opened = await ledger.open_account(ALICE, kind=AccountKind.WALLET, currency="SGD", limits=Limits())
    await open_wallet(ledger, BOB)
    await ledger.post(move(BANK, ALICE, 10))
    again = await ledger.open_account(
        ALICE, kind=AccountKind.WALLET, currency="SGD", limits=Limits(balance_max_minor=5)
    )
    assert (opened.balance_minor, again.balance_minor, again.limits) == (0, 10, opened.limits)
    for kind, currency in ((AccountKind.ESCROW, "SGD"), (AccountKind.WALLET, "EUR")):
        with pytest.raises(AssertionError):
            await ledger.open_account(ALICE, kind=kind, currency=currency, limits=Limits())


async def test_a_closed_account_opens_no_more(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE)
    await ledger.close_account(ALICE)
    assert (await ledger.open_account(ALICE, kind=AccountKind.WALLET, currency="SGD", limits=Limits())).closed


async def test_only_an_empty_account_closes(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=1)
    with pytest.raises(AssertionError):
        await ledger.close_account(ALICE)
    with pytest.raises(AssertionError):
        await ledger.close_account(NOBODY)
    assert (await ledger.post(move(ALICE, BANK, 1))).outcome is PostOutcome.POSTED


async def test_limits_need_an_account_and_a_floor_under_its_balance(ledger: Ledger) -> None:
    await open_wallet(ledger, BOB)
    await ledger.open_account(ALICE, kind=AccountKind.IN_FLIGHT, currency="SGD", limits=NO_FLOOR)
    await ledger.post(move(ALICE, BOB, 30))
    await ledger.set_limits(ALICE, Limits(balance_min_minor=-30))
    for account, limits in ((NOBODY, Limits()), (ALICE, Limits(balance_min_minor=-29)), (BOB, NO_FLOOR)):
        with pytest.raises(AssertionError):
            await ledger.set_limits(account, limits)


async def test_accounts_tells_only_those_that_exist(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=5, balance_max_minor=9, out_per_day_max_minor=7)
    found = await ledger.accounts([ALICE, NOBODY])
    assert list(found) == [ALICE]
    assert found[ALICE].limits == Limits(balance_min_minor=0, balance_max_minor=9, out_per_day_max_minor=7)
    with pytest.raises(AssertionError):
        await ledger.accounts([AccountId(uuid4()) for _ in range(BATCH_SIZE_MAX + 1)])


IMPOSSIBLE_LIMITS = [
    Limits(balance_min_minor=1),
    Limits(balance_max_minor=-1),
    Limits(out_per_day_max_minor=-1),
    Limits(out_per_month_max_minor=-1),
    Limits(balance_max_minor=BALANCE_MINOR_MAX + 1),
    Limits(balance_min_minor=-1),
    Limits(balance_min_minor=None),
]


async def test_impossible_limits_are_a_bug_of_the_caller(ledger: Ledger) -> None:
    for limits in IMPOSSIBLE_LIMITS:
        with pytest.raises(AssertionError):
            await ledger.open_account(ALICE, kind=AccountKind.WALLET, currency="SGD", limits=limits)
    assert await ledger.accounts([ALICE]) == {}


def test_derived_ids_are_the_same_for_ever() -> None:
    """A process that derived another id would pay twice, or from another account."""
    owner = UUID(int=7)
    account_id = derive_account_id(owner, AccountKind.WALLET, "SGD")
    transfer_id = derive_transfer_id(owner, "key")
    assert account_id == UUID("0a0020cc-5f3d-5a76-bc10-6ea4a81bad80")
    assert transfer_id == UUID("384a96cb-53b1-5c9c-a49f-7132543366f2")
    others = [
        derive_account_id(UUID(int=8), AccountKind.WALLET, "SGD"),
        derive_account_id(owner, AccountKind.ESCROW, "SGD"),
        derive_account_id(owner, AccountKind.WALLET, "EUR"),
        derive_transfer_id(UUID(int=8), "key"),
        derive_transfer_id(owner, "another key"),
    ]
    assert len({account_id, transfer_id, *others}) == 7


async def test_a_new_day_begins_with_nothing_spent(postgres: PostgresLedger, owner: asyncpg.Connection) -> None:
    """In UTC, by the database's clock: what it counted today is made what it counted yesterday."""
    await open_wallet(postgres, ALICE, holds=100, out_per_day_max_minor=20)
    await open_wallet(postgres, BOB)
    await postgres.post(move(ALICE, BOB, 15))
    six = [move(ALICE, BOB, 6) for _ in range(5)]
    refused = [await postgres.post(six[0]), *await postgres.post_many(six[:2])]
    assert {result.outcome for result in refused} == {PostOutcome.LIMIT_EXCEEDED}
    yesterday = "UPDATE ledger.account SET out_day = out_day - 1 WHERE account_id = $1"
    await owner.execute(yesterday, ALICE)
    assert (await postgres.post(six[0])).outcome is PostOutcome.POSTED
    await owner.execute(yesterday, ALICE)
    assert [result.outcome for result in await postgres.post_many(six[1:])] == [
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.LIMIT_EXCEEDED,
    ]


async def test_a_new_month_begins_with_nothing_spent_and_a_new_day_does_not(
    postgres: PostgresLedger, owner: asyncpg.Connection
) -> None:
    await open_wallet(postgres, ALICE, holds=100, out_per_month_max_minor=20)
    await open_wallet(postgres, BOB)
    await postgres.post(move(ALICE, BOB, 15))
    six = [move(ALICE, BOB, 6) for _ in range(5)]
    another_day = """
        UPDATE ledger.account SET out_day = date_trunc('month', out_day::timestamp) + interval '1 day'
            * (date_trunc('month', out_day::timestamp) = out_day)::int WHERE account_id = $1
    """
    await owner.execute(another_day, ALICE)
    account = (await postgres.accounts([ALICE]))[ALICE]
    assert (account.out_today_minor, account.out_this_month_minor) == (0, 15)
    refused = [await postgres.post(six[0]), *await postgres.post_many(six[:2])]
    assert {result.outcome for result in refused} == {PostOutcome.LIMIT_EXCEEDED}
    # To the last day of the month before.
    last_month = "UPDATE ledger.account SET out_day = date_trunc('month', out_day::timestamp) - interval '1 day'"
    await owner.execute(last_month)
    assert (await postgres.post(six[0])).outcome is PostOutcome.POSTED
    await owner.execute(last_month)
    account = (await postgres.accounts([ALICE]))[ALICE]
    assert (account.out_today_minor, account.out_this_month_minor) == (0, 0)
    assert [result.outcome for result in await postgres.post_many(six[1:])] == [
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.LIMIT_EXCEEDED,
    ]
