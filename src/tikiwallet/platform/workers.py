"""Several processes on one port, so that every core of the machine serves.

The parent binds, migrates, holds the database and makes the routes; its children are forked from it and serve, each
with an event loop and a socket of its own (`SO_REUSEPORT`). On one shared socket whoever wakes first takes whatever
waits: of 256 connections one of two processes got 97 to 172, with sockets of their own 123 to 143. The parent keeps all
sockets open, so that what waits for a child that died is served by the one that takes its place.

A fork copies one thread and whatever the others held locked, so the parent has no other thread, and no event loop or
connection to the database either: all of that begins in a child. Without care a child would also keep alive what the
parent has open, and with it the other children and the database: see `_let_go_of_all_but`.

A channel joins parent and child: the child says on it that it serves, or why it can't, and stops when it ends. So
children stop with their parent however that ended, and finish the requests under way; and as each of them has joined
the database, the last one to leave stops it.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import msgspec
import structlog

from tikiwallet.platform import serving
from tikiwallet.platform.config import Settings
from tikiwallet.platform.embedded_postgres import SERVER_OPTIONS
from tikiwallet.platform.serving import STOP_SIGNALS, StartError

# Serve as the child with this number, on this socket, with this channel to the parent; return what to end with.
Serve = Callable[[int, socket.socket, socket.socket], int]

READY: Final = "ready"
PAUSE_SECONDS: Final = 1  # from one start to the next in the same place: what ends at once must not end all the time
CONNECTIONS_KEPT_FREE: Final = 12  # for the superuser and an operator's command beside the server
SENTENCE_BYTES_MAX: Final = 4096

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


def settings_of(number: int, settings: Settings) -> Settings:
    """Return the settings of the child with this number: the first has the jobs, and metrics that are true of all."""
    return settings if number == 0 else msgspec.structs.replace(settings, jobs=False, metrics_port=0)


def run(sockets: list[socket.socket], *, serve: Serve, ready: Callable[[], None]) -> None:
    """Let a child for each socket `serve` until a signal of `STOP_SIGNALS`.

    `ready` is called once, when all of them serve. Raises `StartError` if one can't start; one that ends later is
    replaced.
    """
    gc.collect()
    gc.freeze()  # a collection in a child would write to every page that it has from here, and so copy it
    _Workers(sockets, serve=serve, ready=ready).run()


@dataclass
class _Child:
    number: int
    pid: int
    channel: socket.socket
    started_seconds: float  # of the monotonic clock
    is_serving: bool = False


class _Workers:
    def __init__(self, sockets: list[socket.socket], *, serve: Serve, ready: Callable[[], None]) -> None:
        self._sockets = sockets
        self._serve = serve
        self._ready = ready
        self._starting = set(range(len(sockets)))
        self._children: dict[int, _Child] = {}
        self._due_seconds = dict.fromkeys(range(len(sockets)), 0.0)  # when to start one in a place that is free
        self._is_stopping = False
        self._wakes, self._woken = socket.socketpair()

    def run(self) -> None:
        with self._wakes, self._woken, self._signals():
            try:
                while not self._is_stopping:
                    self._start_what_is_due()
                    self._hear()
            finally:
                self._end()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        self._wakes.setblocking(False)
        before = {number: signal.signal(number, self._on_signal) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        if self._is_stopping:  # asked twice: nobody wants to wait for the requests under way
            for child in tuple(self._children.values()):
                os.kill(child.pid, signal.SIGINT)
        self._is_stopping = True
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self._wakes.send(b"!")

    def _start_what_is_due(self) -> None:
        for number, due_seconds in list(self._due_seconds.items()):
            if due_seconds <= time.monotonic():
                try:
                    self._start(number)
                except OSError as error:
                    self._could_not_start(number, f"Another process can't be started: {error.strerror}.")

    def _start(self, number: int) -> None:
        assert threading.active_count() == 1, threading.enumerate()
        started_seconds = time.monotonic()
        self._due_seconds[number] = started_seconds + PAUSE_SECONDS  # unless it starts
        sys.stdout.flush()  # what waits to be written would be written by both
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as if_it_fails, theirs, _signals_held_back():
            if_it_fails.enter_context(ours)
            pid = os.fork()
            if pid == 0:
                self._be_the_child(number, theirs)
            if_it_fails.pop_all()
            self._children[number] = _Child(number, pid, ours, started_seconds)
            del self._due_seconds[number]

    def _be_the_child(self, number: int, channel: socket.socket) -> NoReturn:
        """Serve and end, without unwinding anything that the parent has begun."""
        status = 1
        try:
            os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent, which tells its children
            for each in STOP_SIGNALS:
                signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            _let_go_of_all_but(self._sockets[number], channel)
            status = self._serve(number, self._sockets[number], channel)
        except KeyboardInterrupt:
            pass  # the parent was asked twice
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)

    def _hear(self) -> None:
        """Wait for a signal, for what a child says, for its end, or until another one is due."""
        children = {child.channel: child for child in self._children.values()}
        pause_seconds = max(0, min(self._due_seconds.values()) - time.monotonic()) if self._due_seconds else None
        for channel in wait([self._woken, *children], timeout=pause_seconds):
            if channel in children and not self._is_stopping:
                self._hear_from(children[channel])

    def _hear_from(self, child: _Child) -> None:
        said = child.channel.recv(SENTENCE_BYTES_MAX).decode(errors="replace").strip()
        if said == READY:
            self._has_started(child)
            return
        exit_code = self._has_ended(child)
        self._due_seconds[child.number] = child.started_seconds + PAUSE_SECONDS
        if child.is_serving:
            log.error("a server process ended; another takes its place", pid=child.pid, exit_code=exit_code)
        else:
            said = said or f"A server process ended with {exit_code} before it served; see the log."
            self._could_not_start(child.number, said)

    def _has_started(self, child: _Child) -> None:
        child.is_serving = True
        if child.number in self._starting:
            self._starting.remove(child.number)
            if not self._starting:
                self._ready()

    def _could_not_start(self, number: int, why: str) -> None:
        if number in self._starting:
            raise StartError(why)
        log.error("a server process can't start; tried again", reason=why)

    def _has_ended(self, child: _Child) -> int:
        """Wait for the end of a child; return what it ended with."""
        child.channel.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        del self._children[child.number]  # a signal's handler knows no process that may be somebody else's by now
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])

    def _end(self) -> None:
        for listening in self._sockets:
            listening.close()  # whoever comes now is refused at once instead of waiting for nobody
        for child in self._children.values():
            child.channel.close()
        for child in list(self._children.values()):
            self._has_ended(child)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let no signal to stop come between a fork and what has to follow it, in either process."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_go_of_all_but(*ours: socket.socket) -> None:
    """Close what the parent has open, as the start of a program would.

    Its ends of the channels would keep the other children from hearing that it has ended, and its lock on the
    database's folder would keep the last one from stopping the database.
    """
    kept = {0, 1, 2, *(each.fileno() for each in ours)}
    for descriptor in {int(found.name) for found in Path("/dev/fd").iterdir()} - kept:
        with contextlib.suppress(OSError):  # it was what the list was read from
            os.close(descriptor)


def tell(parent: socket.socket, said: str) -> None:
    """Tell the parent that this process serves (`READY`) or, in one sentence, why it can't."""
    with contextlib.suppress(OSError):  # it is gone; then the channel has ended, and so do we
        parent.sendall(said.encode() + b"\n")
