"""A close meets others: wallets that fill or empty, payees who register later, closers and syncs at the same moment."""

import asyncio
import itertools
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crashes import Death
from offline.closes import assert_books_are_right, everything_paid, guarantee, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql, until, until_waiting
from offline.phone import Phone, double_spend
from tikiwallet.ledger.types import AccountKind, Ledger, PostOutcome, PostResult, Transfer, derive_account_id
from world import World, body_of


async def close_all(parts: OfflineParts, database_url: str) -> int:
    await let_claims_end(database_url)
    closed = await parts.offline.keep_up()
    await assert_books_are_right(database_url)
    return closed


async def test_the_share_of_a_key_that_nobody_registered_waits_for_it(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "20.00")
    (ben,) = await world.people("ben")
    phone = Phone(ben, world, "not registered yet")
    phone.net = asha.net
    await asha.load("20.00")
    asha.pay(phone.request(1500))
    await asha.sync()
    await close_all(offline_parts, database_url)
    assert await online_of(asha, phone) == (500, 0)
    assert {key[1]: minor for key, minor in (await everything_paid(database_url)).items()} == {
        asha.owner.person_id: 500, phone.id: 1500,
    }  # fmt: skip
    await phone.register()
    assert await online_of(asha, phone) == (500, 1500)
    await offline_parts.offline.keep_up()
    assert await online_of(asha, phone) == (500, 1500)
    await assert_books_are_right(database_url)


async def test_a_full_wallet_holds_up_nobody_else(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "20.00"), await phone_of("ben")
    await asha.load("20.00")
    ben.paid_by(asha, 1500)
    await ben.sync()
    limit = "UPDATE ledger.account SET balance_max_minor = $1 WHERE account_id = uuid_in($2::text::cstring)"
    wallet = str(_wallet_of(ben))
    await run_sql(database_url, limit, 100, wallet)
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben) == (500, 0)
    assert await states(database_url) == ["closed"]
    await run_sql(database_url, limit, None, wallet)
    await ben.sync()
    assert await online_of(asha, ben) == (500, 1500)
    await assert_books_are_right(database_url)


def _wallet_of(phone: Phone) -> UUID:
    return derive_account_id(phone.owner.person_id, AccountKind.WALLET, "SGD")


class SpendingLedger:
    """The real ledger; just before money is taken in, somebody is quicker."""

    def __init__(self, ledger: Ledger, spend: Any) -> None:
        self._ledger, self._spend = ledger, spend

    async def post_linked(self, transfers: list[Transfer]) -> list[PostResult]:
        await self._spend(transfers)
        return await self._ledger.post_linked(transfers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


async def test_a_pot_that_changes_in_between_is_counted_again(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 2000)
    await ben.sync()
    await chi.sync()
    tries: list[int] = []

    async def spend(transfers: list[Transfer]) -> None:
        tries.append(sum(item.amount_minor for item in transfers))
        if len(tries) == 1:
            body_of(await mallory.owner.pay(ben.owner, "30.00"), 201)

    closes = offline_parts.offline.closes
    closes._ledger = SpendingLedger(closes._ledger, spend)  # type: ignore[assignment]
    await close_all(offline_parts, database_url)
    assert tries == [2000, 2000]  # first all from his wallet, then 10.00 of it from the guarantee
    assert await online_of(mallory, ben, chi) == (0, 5000, 2000)
    assert await guarantee(database_url) == 1000


async def test_money_moved_in_circles_keeps_no_voucher_open(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 2000)
    await ben.sync()
    await chi.sync()
    tries: list[int] = []

    async def circle(transfers: list[Transfer]) -> None:
        tries.append(len(transfers))
        back_and_forth = (mallory.owner, ben.owner) if len(tries) % 2 else (ben.owner, mallory.owner)
        body_of(await back_and_forth[0].pay(back_and_forth[1], "25.00"), 201)

    closes = offline_parts.offline.closes
    closes._ledger = SpendingLedger(closes._ledger, circle)  # type: ignore[assignment]
    await close_all(offline_parts, database_url)
    assert await states(database_url) == ["closed"]
    assert len(tries) <= 6


async def test_a_plan_that_was_thought_dead_is_never_posted_beside_another(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 2000)
    await ben.sync()
    await chi.sync()
    closes = offline_parts.offline.closes
    real: Any = closes._ledger
    slow: list[list[Transfer]] = []

    async def never_heard_of(transfers: list[Transfer]) -> list[PostResult]:
        slow.append(transfers)
        if len(slow) == 1:
            return [PostResult(outcome=PostOutcome.LINKED_REFUSED) for _ in transfers]
        await real.post_linked(slow[0])  # the first attempt arrives after all, just before the second
        return list(await real.post_linked(transfers))

    spending = SpendingLedger(real, None)
    spending.post_linked = never_heard_of  # type: ignore[method-assign,assignment]
    closes._ledger = spending  # type: ignore[assignment]
    await close_all(offline_parts, database_url)
    assert await online_of(mallory, ben, chi) == (2000, 2000, 2000)
    settled = await run_sql(database_url, "SELECT attempt_no FROM offline.settlement")
    assert [row["attempt_no"] for row in settled] == [1]


async def test_several_closers_at_once_close_once(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    for _ in range(4):
        await asha.load("5.00")
    await let_claims_end(database_url)
    counts = await asyncio.gather(*(offline_parts.offline.closes.close_due() for _ in range(3)))
    assert sum(counts) == 4
    await offline_parts.offline.keep_up()
    assert await online_of(asha) == (5000,)
    await assert_books_are_right(database_url)


async def test_a_claim_that_one_statement_is_appending_in_time_is_waited_for(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "20.00"), await phone_of("ben")
    await asha.load("20.00")
    payment = ben.paid_by(asha, 1500).payment
    await let_claims_end(database_url, at="soon")
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            # Somebody else brings the same payment: the statement has the voucher and waits for what becomes of it.
            await holder.execute(
                """
                INSERT INTO offline.payment (
                    document_id, payload, signature, payer_key_id, payee_key_id, currency, total_minor
                ) VALUES ($1, '', $2, $3, $3, 702, 1)
                """,
                payment.id, bytes(64), bytes(16),
            )  # fmt: skip
            syncing = asyncio.create_task(offline_parts.sync(ben, *ben.bundles))
            await until_waiting(database_url, 1)
            await until(database_url, "SELECT claim_until < clock_timestamp() FROM offline.voucher")
            closing = asyncio.create_task(offline_parts.offline.keep_up())
            await until_waiting(database_url, 2)
            assert not closing.done()
            await holder.execute("ROLLBACK; BEGIN")
        await asyncio.gather(syncing, closing)
    finally:
        await holder.close()
    assert await online_of(asha, ben) == (500, 1500)
    await assert_books_are_right(database_url)


async def test_a_claim_that_is_being_appended_in_time_is_waited_for(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "20.00"), await phone_of("ben")
    await asha.load("20.00")
    ben.paid_by(asha, 1500)
    await let_claims_end(database_url, at="soon")
    appended, go_on = asyncio.Event(), asyncio.Event()
    claims = offline_parts.offline.claims
    append = claims.append

    async def append_and_wait(*arguments: Any) -> Any:
        result = await append(*arguments)
        appended.set()
        await go_on.wait()
        return result

    async def not_plain(*_: object) -> None:
        """The longer way is meant."""

    claims.append = append_and_wait  # type: ignore[method-assign,assignment]
    claims.append_plain = not_plain  # type: ignore[method-assign]
    syncing = asyncio.create_task(offline_parts.sync(ben, *ben.bundles))
    await appended.wait()
    await until(database_url, "SELECT claim_until < clock_timestamp() FROM offline.voucher")
    closing = asyncio.create_task(offline_parts.offline.keep_up())
    await until_waiting(database_url, 1)
    assert not closing.done()
    go_on.set()
    await asyncio.gather(syncing, closing)
    assert await online_of(asha, ben) == (500, 1500)
    await assert_books_are_right(database_url)


async def test_a_closer_that_fails_leaves_no_lock_behind(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "20.00")
    await asha.load("20.00")
    await let_claims_end(database_url)
    closes = offline_parts.offline.closes
    finish = closes._finish

    async def fail(*_: object) -> None:
        raise Death

    closes._finish = fail  # type: ignore[method-assign,assignment]
    for _ in range(6):  # more often than this process has connections
        with pytest.raises(Death):
            await closes.close_due()
    closes._finish = finish  # type: ignore[method-assign]
    assert await states(database_url) == ["closing"]
    assert await offline_parts.offline.keep_up() == 1
    assert await online_of(asha) == (2000,)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
async def test_whoever_comes_first_everybody_is_paid_the_same(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, order: tuple[int, ...]
) -> None:
    mallory = await phone_of("mallory", "50.00")
    payees = [await phone_of(name) for name in ("ben", "chi", "dan")]
    await mallory.load("50.00")
    double_spend(mallory, payees[0], payees[1], 2000)
    payees[2].paid_by(payees[0], 700)
    rest = payees[2].request(2000)
    payees[2].accept(mallory.sign_payment(rest, (mallory.voucher_piece(1500, 2000),)), rest)
    for number in order:
        await payees[number].sync()
    await close_all(offline_parts, database_url)
    # 5.00 were spent three times, 15.00 twice: 15.00 are his own, and the guarantee gives 10.00.
    assert await online_of(mallory, *payees) == (0, 1300, 2000, 2700)
    assert await guarantee(database_url) == 1000
