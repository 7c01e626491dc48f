"""Long work leaves others their turn, and does the same as without it."""

import asyncio
from itertools import count

import pytest

from tikiwallet.platform import turns
from tikiwallet.platform.turns import TURN_SECONDS, in_turns


async def others_turns(monkeypatch: pytest.MonkeyPatch, *, item_seconds: float) -> int:
    """Return how often somebody else gets his turn while ten items are worked on that take so long each."""
    ticks = count()
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(ticks) * item_seconds)
    had = 0

    async def other() -> None:
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await in_turns(str, range(10)) == [str(number) for number in range(10)]
    task.cancel()
    return had


async def test_short_work_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await others_turns(monkeypatch, item_seconds=TURN_SECONDS / 100) == 0


async def test_others_get_a_turn_after_each_long_item(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await others_turns(monkeypatch, item_seconds=2 * TURN_SECONDS) == 10


async def test_what_the_work_raises_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_turns(lambda number: 1 // number, [1, 0, 1])


async def test_nothing_to_do() -> None:
    assert await in_turns(str, []) == []
