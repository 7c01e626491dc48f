"""Many callers, one call: what is asked while the database is busy is asked together next.

A call of the database costs most of its time however little it asks, and a wallet's requests ask the same few things.
Nobody waits for company: the first caller starts at once, and who comes meanwhile goes together after him. So one
caller alone is as fast as without this, and a crowd is served by a few large calls.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from tikiwallet.platform.http import Overloaded

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

RETRY_AFTER_SECONDS = 1
READS_TOGETHER_MAX = 500
READS_WAITING_MAX = 1000


class Batcher(Generic[T, R]):
    """Gathers concurrent calls into calls of `run`, one at a time, each with at most `size_max` items in their order.

    `run` returns one answer for each item; an exception among them is raised to the caller of that item, and one that
    `run` raises to every caller of the batch. At most `waiting_max` wait; more are refused (`Overloaded`), because a
    queue that grows makes everybody late and saves nobody.

    A caller that is cancelled doesn't cancel the call, which belongs to others too: what he asked happens all the same.
    """

    def __init__(
        self, run: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], *, size_max: int, waiting_max: int
    ) -> None:
        self._run = run
        self._size_max = size_max
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._draining: asyncio.Task[None] | None = None

    def ask(self, item: T) -> asyncio.Future[R]:
        """Return what will be the answer for `item`. Refusal: `Overloaded`; then nothing was asked."""
        if len(self._waiting) >= self._waiting_max:
            raise Overloaded(retry_after_seconds=RETRY_AFTER_SECONDS)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, answer))
        if self._draining is None:
            self._draining = loop.create_task(self._drain())
        return answer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._size_max))]
                await self._answer(taken)
        finally:
            self._draining = None

    async def _answer(self, taken: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        answers: Sequence[R | Exception]
        try:
            answers = await self._run([item for item, _ in taken])
            assert len(answers) == len(taken), (len(answers), len(taken))
        except Exception as error:  # whatever it is belongs to the callers, who all wait for it
            answers = [error] * len(taken)
        except asyncio.CancelledError:
            for _, waiting in taken:
                waiting.cancel()
            raise
        for (_, waiting), answer in zip(taken, answers, strict=True):
            if waiting.done():  # its caller is gone
                continue
            if isinstance(answer, Exception):
                waiting.set_exception(answer)
                waiting.exception()  # seen, so that nothing is logged if its caller was refused for another reason
            else:
                waiting.set_result(answer)


class Reads(Generic[K, V]):
    """Looks keys up, those of all callers at once. `read` returns what it finds of the keys that it is given.

    An answer is never older than the question: only those who already wait when a call begins share it.
    """

    def __init__(self, read: Callable[[list[K]], Awaitable[Mapping[K, V]]], *, questions_each: int = 1) -> None:
        """`questions_each`: how many a request asks of it at once."""
        self._read = read
        self._batcher: Batcher[Collection[K], dict[K, V]] = Batcher(
            self._read_together,
            size_max=questions_each * READS_TOGETHER_MAX,
            waiting_max=questions_each * READS_WAITING_MAX,
        )

    def ask(self, keys: Collection[K]) -> asyncio.Future[dict[K, V]]:
        """Return what will be found, by key; what isn't there is absent. Refusal: `Overloaded`."""
        return self._batcher.ask(keys)

    async def get(self, keys: Collection[K]) -> dict[K, V]:
        """Return what is found, by key; what isn't there is absent. Refusal: `Overloaded`."""
        return await self.ask(keys)

    async def _read_together(self, asked: Sequence[Collection[K]]) -> list[dict[K, V]]:
        found = await self._read(list({key for keys in asked for key in keys}))
        return [{key: found[key] for key in keys if key in found} for keys in asked]
