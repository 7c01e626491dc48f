"""Many callers, one call."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tikiwallet.platform.batching import Batcher, Reads
from tikiwallet.platform.http import Overloaded
from tikiwallet.platform.ids import derive_uuid


class Database:
    """Stands for what is slow: a call waits until the test lets it go on."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def double(self, items: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(items))
        await self.gate.wait()
        return [ValueError(item) if item < 0 else 2 * item for item in items]


async def turns(number: int = 5) -> None:
    """Let everything that can go on do so."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_one_caller_alone_waits_for_nobody() -> None:
    database = Database()
    batcher = Batcher(database.double, size_max=10, waiting_max=10)
    assert [await batcher.ask(1), await batcher.ask(2)] == [2, 4]
    assert database.calls == [[1], [2]]


async def test_who_comes_while_the_database_is_busy_goes_together_in_order() -> None:
    database = Database()
    database.gate.clear()
    batcher = Batcher(database.double, size_max=3, waiting_max=10)
    first = batcher.ask(1)
    await turns()
    others = [batcher.ask(item) for item in (2, 3, 4, 5)]
    await turns()
    assert database.calls == [[1]]
    database.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert database.calls == [[1], [2, 3, 4], [5]]


async def test_more_than_may_wait_are_told_to_come_again_and_nothing_is_asked_for_them() -> None:
    database = Database()
    database.gate.clear()
    batcher = Batcher(database.double, size_max=10, waiting_max=2)
    first = batcher.ask(1)
    await turns()
    waiting = [batcher.ask(2), batcher.ask(3)]
    with pytest.raises(Overloaded) as refused:
        batcher.ask(4)
    assert refused.value.retry_after_seconds == 1
    database.gate.set()
    assert await asyncio.gather(first, *waiting) == [2, 4, 6]
    assert await batcher.ask(5) == 10  # back to normal by itself
    assert 4 not in [item for call in database.calls for item in call]


async def test_an_item_that_fails_fails_alone() -> None:
    batcher = Batcher(Database().double, size_max=10, waiting_max=10)
    answers = await asyncio.gather(*map(batcher.ask, (1, -2, 3)), return_exceptions=True)
    assert [answers[0], answers[2]] == [2, 6]
    assert isinstance(answers[1], ValueError)


async def test_a_call_that_fails_is_told_to_all_of_it_and_the_next_one_is_made() -> None:
    calls = []

    async def fails_once(items: Sequence[int]) -> Sequence[int]:
        calls.append(list(items))
        if len(calls) == 1:
            raise ConnectionError
        return items

    batcher: Batcher[int, int] = Batcher(fails_once, size_max=10, waiting_max=10)
    answers = await asyncio.gather(*map(batcher.ask, (1, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    assert await batcher.ask(3) == 3


async def test_a_caller_who_leaves_takes_nobody_with_him() -> None:
    database = Database()
    database.gate.clear()
    batcher = Batcher(database.double, size_max=10, waiting_max=10)

    async def ask(item: int) -> int:
        return await batcher.ask(item)

    leaves, stays = asyncio.create_task(ask(1)), asyncio.create_task(ask(2))
    await turns()
    leaves.cancel()
    database.gate.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await leaves
    assert database.calls == [[1, 2]]  # what he asked happened all the same


@given(namespace=st.uuids(), name=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_derived_id_is_the_one_that_the_standard_says(namespace: UUID, name: str) -> None:
    derived = derive_uuid(namespace, name)
    assert derived == uuid5(namespace, name)
    assert hash(derived) == hash(uuid5(namespace, name))
    assert str(derived) == str(uuid5(namespace, name))


async def test_keys_of_all_callers_are_looked_up_once_and_each_gets_his_own() -> None:
    calls: list[list[str]] = []
    gate = asyncio.Event()

    async def read(keys: list[str]) -> dict[str, int]:
        calls.append(sorted(keys))
        await gate.wait()
        return {key: len(key) for key in keys if key != "nobody"}

    reads = Reads(read)
    first = asyncio.create_task(reads.get(["a"]))
    await turns()
    others = [asyncio.create_task(reads.get(keys)) for keys in (["bb", "a"], ["bb", "nobody"], [])]
    await turns()
    gate.set()
    assert await asyncio.gather(first, *others) == [{"a": 1}, {"bb": 2, "a": 1}, {"bb": 2}, {}]
    assert calls == [["a"], ["a", "bb", "nobody"]]  # "a" again: an answer is never older than its question
