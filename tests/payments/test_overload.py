"""More at once than can be served: some are told to come again, nobody is paid twice, and then all is as before."""

import asyncio

import asyncpg
import pytest

from tikiwallet.ledger.service import SQL
from tikiwallet.platform.batching import Batcher
from world import World, body_of, refusal

pytestmark = pytest.mark.usefixtures("sound_books")
WAITING_MAX = 5
CALLERS = 20


async def test_who_finds_the_queue_full_is_told_so_and_nothing_has_happened(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    ledger = world.app.state.payments.transfers._ledger
    monkeypatch.setattr(ledger._posts, "_waiting_max", WAITING_MAX)
    owner = await asyncpg.connect(database_url)
    async with owner.transaction():
        await owner.execute("LOCK TABLE ledger.account IN SHARE MODE")  # the database is busy
        payments = {f"key-{n}": asyncio.create_task(alice.pay(bob, "1.00", key=f"key-{n}")) for n in range(CALLERS)}
        answered = asyncio.as_completed(payments.values())
        answers = [
            await next(answered) for _ in range(CALLERS - WAITING_MAX - 1)
        ]  # five wait, and one may be on its way
    assert {refusal(answer) for answer in answers} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    paid = [answer for answer in await asyncio.gather(*payments.values()) if answer.status_code == 201]
    assert len(paid) in {WAITING_MAX, WAITING_MAX + 1}
    assert await world.balances() == {"alice": f"{50 - len(paid)}.00", "bob": f"{len(paid)}.00"}
    # Everybody asks again with the same key: who was paid finds it, and who was not is paid now.
    monkeypatch.setattr(ledger._posts, "_waiting_max", CALLERS)
    again = await asyncio.gather(*(alice.pay(bob, "1.00", key=key) for key in payments))
    assert all(body_of(answer, 201) for answer in again)
    assert await world.balances() == {"alice": "30.00", "bob": "20.00"}
    await owner.close()


async def test_a_crowd_is_paid_in_a_few_calls_of_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    ledger = world.app.state.payments.transfers._ledger
    calls: list[str] = []
    until_undisturbed = ledger._until_undisturbed

    async def counted(query: str, *arguments: object) -> object:
        calls.append(query)
        return await until_undisturbed(query, *arguments)

    monkeypatch.setattr(ledger, "_until_undisturbed", counted)
    answers = await asyncio.gather(*(alice.pay(bob, "1.00") for _ in range(40)))
    assert all(body_of(answer, 201) for answer in answers)
    assert len(calls) <= 10, len(calls)
    calls.clear()
    body_of(await alice.pay(bob, "1.00"), 201)
    assert calls == [SQL["post_one"]]  # alone he waits for nobody, in the function for one
    assert await world.balances() == {"alice": "9.00", "bob": "41.00"}


def test_the_queues_are_bounded(world: World) -> None:
    ledger = world.app.state.payments.transfers._ledger
    batchers: list[Batcher[object, object]] = [ledger._posts, ledger._accounts._batcher, ledger._pages._batcher]
    assert all(0 < batcher._waiting_max <= 1000 for batcher in batchers)
