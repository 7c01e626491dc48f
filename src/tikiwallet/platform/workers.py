"""Several processes on one port, so that every core of the machine serves.

The parent binds, migrates and holds the database; its children build the app and serve, each with an event loop and a
socket of its own (`SO_REUSEPORT`). On one shared socket whoever wakes first takes whatever waits: of 256 connections
one of two processes got 97 to 172, with sockets of their own 123 to 143. The parent keeps all sockets open, so that
what waits for a child that died is served by the one that takes its place.

A channel joins parent and child: the child says on it that it serves, or why it can't, and stops when it ends. So
children stop with their parent however that ended, and finish the requests under way; and as each of them has joined
the database, the last one to leave stops it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
import structlog

from tikiwallet.platform import serving
from tikiwallet.platform.config import Settings
from tikiwallet.platform.embedded_postgres import SERVER_OPTIONS
from tikiwallet.platform.serving import STOP_SIGNALS, StartError

T = TypeVar("T")

READY: Final = "ready"
PAUSE_SECONDS: Final = 1  # before another try, where a child ended before it could serve
CONNECTIONS_KEPT_FREE: Final = 12  # for the superuser and an operator's command beside the server
# One process looks after jobs and answers for the metrics; the figures are the same in all.
NOT_THE_FIRST: Final = {"TIKIWALLET_JOBS": "no", "TIKIWALLET_METRICS_PORT": "0"}

log = structlog.get_logger()


def check(settings: Settings, *, context_count: int) -> None:
    """Raise `StartError` if the embedded database hasn't as many connections as the processes may want together."""
    wanted = settings.workers * context_count * settings.pool_size_max
    there = int(SERVER_OPTIONS["max_connections"]) - CONNECTIONS_KEPT_FREE
    if settings.workers > 1 and not settings.database_url and wanted > there:
        raise StartError(
            f"{settings.workers} processes may want {wanted} connections and the embedded database has {there}: "
            "lower TIKIWALLET_POOL_SIZE_MAX or TIKIWALLET_WORKERS, or set DATABASE_URL."
        )


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[list[socket.socket]]:
    """Yield a socket for each process, bound to the wallet's address; raises `StartError` with what to do."""
    with serving.listen(settings) as alone:
        if settings.workers == 1:
            yield [alone]
            return
        # That was to see that nobody has the port: processes that share it could share it with another server too.
        port = alone.getsockname()[1]
    with contextlib.ExitStack() as stack:
        one = msgspec.structs.replace(settings, port=port)
        yield [stack.enter_context(serving.listen(one, is_shared=True)) for _ in range(settings.workers)]


def run(sockets: list[socket.socket], *, given: Mapping[str, str], ready: Callable[[], None]) -> None:
    """Serve with a child for each socket until a signal of `STOP_SIGNALS`; `given` is added to their environment.

    `ready` is called once, when all of them serve. Raises `StartError` if one can't start; one that ends later is
    replaced.
    """
    try:
        asyncio.run(_Workers(sockets, given=given, ready=ready).serve())
    except BaseExceptionGroup as group:
        raise serving.only_cause(group) from group


class _Workers:
    def __init__(self, sockets: list[socket.socket], *, given: Mapping[str, str], ready: Callable[[], None]) -> None:
        self._sockets = sockets
        self._given = given
        self._ready = ready
        self._starting = set(range(len(sockets)))
        self._stop = asyncio.Event()
        self._children: dict[int, asyncio.subprocess.Process] = {}

    async def serve(self) -> None:
        with self._signals():
            async with asyncio.TaskGroup() as group:
                for number in range(len(self._sockets)):
                    group.create_task(self._keep(number))

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)

    def _on_signal(self) -> None:
        if self._stop.is_set():  # asked twice: nobody wants to wait for the requests under way
            for child in self._children.values():
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGINT)
        self._stop.set()
        for listening in self._sockets:
            listening.close()  # whoever comes now is refused at once instead of waiting for nobody

    async def _keep(self, number: int) -> None:
        """Serve on one socket with one child after the other."""
        while not self._stop.is_set():
            try:
                await self._serve_with_a_child(number)
            except StartError as error:
                if self._stop.is_set():
                    return
                if number in self._starting:
                    raise
                log.error("a server process can't start; tried again", reason=str(error))  # noqa: TRY400 -- a sentence
                await self._first(asyncio.sleep(PAUSE_SECONDS), self._stop.wait())

    async def _serve_with_a_child(self, number: int) -> None:
        async with self._child(number) as (child, said):
            if said == READY:
                self._has_started(number)
                await self._first(child.wait(), self._stop.wait())
        if self._stop.is_set():
            return
        if said != READY:
            raise StartError(said or f"A server process ended with {child.returncode} before it served; see the log.")
        log.error("a server process ended; another takes its place", pid=child.pid, exit_code=child.returncode)

    def _has_started(self, number: int) -> None:
        if number in self._starting:
            self._starting.remove(number)
            if not self._starting:
                self._ready()

    @contextlib.asynccontextmanager
    async def _child(self, number: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
        """Yield a child and what it said first: `READY`, why it can't serve, or nothing. Leaving ends it."""
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            child = await _whatever_happens(self._start(number, theirs))
            yield child, (await reader.readline()).decode().strip()
        finally:
            writer.close()
            if number in self._children:
                await _whatever_happens(self._children[number].wait())

    async def _start(self, number: int, channel: socket.socket) -> asyncio.subprocess.Process:
        with channel:
            if self._stop.is_set():
                raise StartError("It is being stopped.")
            descriptors = (self._sockets[number].fileno(), channel.fileno())
            try:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "tikiwallet", "worker", *map(str, descriptors),
                    pass_fds=descriptors,
                    process_group=0,  # a terminal's Ctrl-C is for the parent, which tells its children
                    env={**os.environ, **self._given, **(NOT_THE_FIRST if number else {})},
                )  # fmt: skip
            except OSError as error:
                raise StartError(f"Another process can't be started: {error.strerror}.") from error
        self._children[number] = child
        return child

    async def _first(self, *what: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(each) for each in what]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


async def _whatever_happens(what: Coroutine[Any, Any, T]) -> T:
    """Await to the end, also when cancelled because another process can't start: no child is left behind."""
    task = asyncio.ensure_future(what)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def tell(parent: socket.socket, said: str) -> None:
    """Tell the parent that this process serves (`READY`) or, in one sentence, why it can't."""
    with contextlib.suppress(OSError):  # it is gone; then the channel has ended, and so do we
        parent.sendall(said.encode() + b"\n")
