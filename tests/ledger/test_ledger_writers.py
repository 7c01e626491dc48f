"""Several writers at once: no deadlock, no lost posting, one effect for one id."""

import asyncio
from random import Random
from uuid import UUID

import asyncpg
import pytest
from ledger_books import (
    ACCOUNT,
    balance,
    failures,
    move,
    open_database,
    open_ledger,
    open_wallet,
    plant_error,
    until_somebody_waits,
)
from structlog.testing import capture_logs

from tikiwallet.ledger.reconcile import reconcile
from tikiwallet.ledger.service import ATTEMPTS_MAX, PostgresLedger
from tikiwallet.ledger.types import AccountId, PostOutcome, Transfer

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
PEOPLE = [AccountId(UUID(int=100 + number)) for number in range(6)]
PAIRS = [(debit, credit) for debit in PEOPLE for credit in PEOPLE if debit != credit]


async def write(ledger: PostgresLedger, transfers: list[Transfer], random: Random) -> list[UUID]:
    """Post everything as singles, batches and linked lists; return the ids that this writer posted."""
    posted: list[UUID] = []
    while transfers:
        size = random.choice([1, 1, 3, 25])
        some, transfers = transfers[:size], transfers[size:]
        if size == 1:
            results = [await ledger.post(some[0])]
        elif size == 3:
            results = await ledger.post_linked(some)
        else:
            results = await ledger.post_many(some)
        posted += [t.transfer_id for t, r in zip(some, results, strict=True) if r.outcome is PostOutcome.POSTED]
    return posted


async def test_writers_in_every_order_lose_nothing(database_url: str) -> None:
    """Two servers, four writers, few accounts, and ids that all of them ask for, now and then under other accounts."""
    random = Random(7)
    shared = [move(*random.choice(PAIRS), random.randrange(1, 9)) for _ in range(150)]
    reused = [move(*random.choice(PAIRS), 1, transfer_id=transfer.transfer_id) for transfer in shared[::3]]
    async with open_ledger(database_url) as one, open_ledger(database_url) as other, asyncio.timeout(60):
        for account in PEOPLE:
            await open_wallet(one, account, holds=1000)
        writers = []
        for seed, ledger in enumerate((one, one, other, other)):
            own = [move(*random.choice(PAIRS), random.randrange(1, 9)) for _ in range(150)]
            todo = random.sample(shared + reused + own, k=350)
            writers.append(write(ledger, todo, Random(seed)))
        posted = [transfer_id for ids in await asyncio.gather(*writers) for transfer_id in ids]
        assert len(posted) == len(set(posted)), "an id was posted twice"
        assert sum([await balance(one, account) for account in PEOPLE]) == 6000
    async with open_database(database_url) as database:
        found = await reconcile(database)
    assert found.differences == ()
    assert found.posting_count == 2 * (len(posted) + len(PEOPLE))


async def test_one_id_asked_by_many_is_posted_once(database_url: str) -> None:
    transfer = move(ALICE, BOB, 10)
    async with open_ledger(database_url) as one, open_ledger(database_url) as other:
        await open_wallet(one, ALICE, holds=100)
        await open_wallet(one, BOB)
        asked = [ledger.post(transfer) for ledger in (one, other) for _ in range(5)]
        batches = [ledger.post_many([transfer, transfer]) for ledger in (one, other) for _ in range(5)]
        singles = await asyncio.gather(*asked)
        many = [result for results in await asyncio.gather(*batches) for result in results]
        outcomes = [result.outcome for result in singles + many]
        assert outcomes.count(PostOutcome.POSTED) == 1
        assert outcomes.count(PostOutcome.ALREADY_POSTED) == 29
        assert await balance(one, BOB) == 10


async def test_one_id_under_many_accounts_is_posted_once(database_url: str) -> None:
    """No lock is shared here: only the unique index stands between the id and a second effect."""
    async with open_ledger(database_url, size_max=8) as ledger:
        for account in PEOPLE:
            await open_wallet(ledger, account, holds=100)
        pairs = list(zip(PEOPLE[::2], PEOPLE[1::2], strict=True))
        for number in range(20):
            same_id = [move(*pair, 1, transfer_id=UUID(int=number + 1)) for pair in pairs]
            results = await asyncio.gather(ledger.post(same_id[0]), ledger.post(same_id[1]), ledger.post(same_id[2]))
            assert sorted(result.outcome for result in results) == [
                PostOutcome.DIFFERS_FROM_POSTED,
                PostOutcome.DIFFERS_FROM_POSTED,
                PostOutcome.POSTED,
            ]


@pytest.mark.parametrize("size", [1, 3])
async def test_an_id_that_another_session_just_posted_is_judged_anew(
    postgres: PostgresLedger, owner: asyncpg.Connection, size: int
) -> None:
    """The other session holds the id under other accounts: we look, don't see it, and meet it when we write."""
    for account in (ALICE, BOB, CAROL):
        await open_wallet(postgres, account, holds=100)
    theirs = move(BANK, CAROL, 1)
    ours = [move(ALICE, BOB, 5) for _ in range(size)]
    ours[-1] = move(ALICE, BOB, 5, transfer_id=theirs.transfer_id)
    async with asyncio.TaskGroup() as tasks:
        with capture_logs() as logs:
            async with owner.transaction():
                await owner.execute(
                    "SELECT ledger.post_one($1, $2, $3, 1, 'SGD', 'payment', '')", theirs.transfer_id, BANK, CAROL
                )
                waiting = tasks.create_task(postgres.post_many(ours) if size > 1 else postgres.post_linked(ours))
                await until_somebody_waits(owner)
            outcomes = [result.outcome for result in await waiting]
    assert outcomes[-1] is PostOutcome.DIFFERS_FROM_POSTED
    assert outcomes[:-1] == [PostOutcome.POSTED] * (size - 1)
    assert [entry["event"] for entry in logs] == ["post_repeated"]
    assert await balance(postgres, BOB) == 100 + 5 * (size - 1)


async def test_an_id_posted_while_we_waited_for_the_locks_is_seen(
    postgres: PostgresLedger, owner: asyncpg.Connection
) -> None:
    """The look-up comes after the locks, so a retry that overtakes its first try needs no second attempt."""
    await open_wallet(postgres, ALICE, holds=100)
    await open_wallet(postgres, BOB)
    transfer = move(ALICE, BOB, 5)
    async with asyncio.TaskGroup() as tasks:
        with capture_logs() as logs:
            async with owner.transaction():
                await owner.execute(
                    "SELECT ledger.post_one($1, $2, $3, 5, 'SGD', 'payment', '')", transfer.transfer_id, ALICE, BOB
                )
                single = tasks.create_task(postgres.post(transfer))
                batch = tasks.create_task(postgres.post_many([transfer, transfer]))
                await until_somebody_waits(owner)
            results = [await single, *await batch]
    assert [result.outcome for result in results] == [PostOutcome.ALREADY_POSTED] * 3
    assert logs == []


@pytest.mark.parametrize("size", [1, 2])
async def test_accounts_are_locked_in_the_order_of_their_ids(
    postgres: PostgresLedger, owner: asyncpg.Connection, database_url: str, size: int
) -> None:
    """Bob pays Alice: Alice's account comes first all the same, so A→B and B→A can't deadlock."""
    await open_wallet(postgres, ALICE)
    await open_wallet(postgres, BOB, holds=10)
    third = await asyncpg.connect(database_url)
    async with asyncio.TaskGroup() as tasks, owner.transaction():
        await owner.execute("SELECT FROM ledger.account WHERE account_id = $1 FOR UPDATE", BOB)
        transfers = [move(BOB, ALICE, 1) for _ in range(size)]
        waiting = tasks.create_task(postgres.post(transfers[0]) if size == 1 else postgres.post_many(transfers))
        await until_somebody_waits(owner)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await third.execute("SELECT FROM ledger.account WHERE account_id = $1 FOR NO KEY UPDATE NOWAIT", ALICE)
        assert not waiting.done()
    await third.close()
    assert await balance(postgres, ALICE) == size


async def test_a_disturbed_call_is_repeated_until_it_stands(
    postgres: PostgresLedger, owner: asyncpg.Connection
) -> None:
    await open_wallet(postgres, ALICE, holds=10)
    await open_wallet(postgres, BOB)
    await plant_error(owner, note="shaken", errcode="40001", times=ATTEMPTS_MAX - 1)
    result = await postgres.post(move(ALICE, BOB, 1, note="shaken"))
    assert result.outcome is PostOutcome.POSTED
    assert await balance(postgres, BOB) == 1


@pytest.mark.parametrize("errcode", ["40001", "40P01"])
async def test_a_call_that_is_always_disturbed_gives_up(
    postgres: PostgresLedger, owner: asyncpg.Connection, errcode: str
) -> None:
    await open_wallet(postgres, ALICE, holds=10)
    await open_wallet(postgres, BOB)
    await plant_error(owner, note="shaken", errcode=errcode)
    for post in (
        postgres.post_linked([move(ALICE, BOB, 1, note="shaken")]),
        postgres.post(move(ALICE, BOB, 1, note="shaken")),
    ):
        before = await failures(owner, errcode)
        with pytest.raises((asyncpg.SerializationError, asyncpg.DeadlockDetectedError)):
            await post
        assert await failures(owner, errcode) - before == ATTEMPTS_MAX
    assert await balance(postgres, BOB) == 0
