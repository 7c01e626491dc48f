"""Sends requests as fast as the server answers (closed loop), or at a fixed rate whether it answers or not (open loop).

A program of its own, so that its work is not the server's, and small: a general HTTP client would cost more than the
server that it measures. In an open loop a request's time counts from when it was due, so that a server that stalls
can't hide the requests that nobody sent meanwhile.

    python -m bench.sender < plan.json > outcome.json  (after a line that says that it started)
"""

import asyncio
import random
import sys
import time
from collections import deque
from itertools import count
from typing import cast

import msgspec
import uvloop

TICK_SECONDS = 0.001
DRAIN_SECONDS = 20.0
STARTED = b"started\n"  # said when the connections are open and the warm-up begins
STATUS_AT = slice(9, 12)  # HTTP/1.1 201


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: each request is one of `requests`, drawn with `seed`, between two pauses of a connection."""

    port: int  # on 127.0.0.1
    requests: tuple[str, ...]  # whole HTTP/1.1 requests; {key} in them becomes a key that was never used
    connections: int
    seconds: float
    warm_up_seconds: float = 0.0
    rate: float = 0.0  # a second; 0: each connection asks again as soon as it is answered
    seed: int = 1


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came back after the warm-up."""

    answers: dict[int, int]  # by status
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late: int  # open loop: requests still unanswered at the end
    acknowledged: int  # good answers in all, with those of the warm-up and after the end

    @property
    def good(self) -> int:
        """How many answers were of the 200s."""
        return sum(number for status, number in self.answers.items() if 200 <= status < 300)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._received = b""
        self.due_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, *, due_at: float) -> None:
        """Send a request that was due at `due_at`."""
        self.due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self._received and data.endswith(b"}") and data.startswith(b"HTTP/1.1 "):  # an object, whole
            self._sender.answered(self, int(data[STATUS_AT]))
            return
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        at = self._received.find(b"content-length: ", 0, head_end)
        length = int(self._received[at + 16 : self._received.find(b"\r", at)]) if at >= 0 else 0
        if len(self._received) < head_end + 4 + length:
            return
        status = int(self._received[STATUS_AT])
        self._received = b""
        self._sender.answered(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        self._sender.lost(self, error)


class Sender:
    """Carries out one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._requests = [request.encode() for request in plan.requests]
        self._keys = count(time.time_ns())
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._latencies: list[float] = []
        self._answers: dict[int, int] = {}
        self._underway = 0
        self._acknowledged = 0
        self._is_over = False
        self._is_quiet = asyncio.Event()

    async def run(self) -> Outcome:
        """Open the connections, send until the time is over, wait for what is on its way."""
        loop = asyncio.get_running_loop()
        connections: list[Connection] = []
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
            connections.append(connection)
        self._idle.extend(connections)
        sys.stdout.buffer.write(STARTED)
        sys.stdout.buffer.flush()
        started_at = time.perf_counter()
        self._counted_from = started_at + self._plan.warm_up_seconds
        self._ends_at = self._counted_from + self._plan.seconds
        cpu_before, sampled = time.process_time(), False
        if not self._plan.rate:
            while self._idle:
                self._send(self._idle.popleft(), due_at=time.perf_counter())
        sent = 0
        while (now := time.perf_counter()) < self._ends_at:
            if not sampled and now >= self._counted_from:
                cpu_before, sampled = time.process_time(), True
            if self._plan.rate:
                until = int((now - started_at) * self._plan.rate) + 1  # the first is due at once
                self._due.extend(started_at + number / self._plan.rate for number in range(sent, until))
                sent = max(sent, until)
                while self._due and self._idle:
                    self._send(self._idle.popleft(), due_at=self._due.popleft())
            await asyncio.sleep(TICK_SECONDS)
        self._is_over = True
        if not self._underway:
            self._is_quiet.set()
        cpu_seconds = time.process_time() - cpu_before
        late = self._underway + len(self._due)
        async with asyncio.timeout(DRAIN_SECONDS):
            await self._is_quiet.wait()
        return self._outcome(cpu_seconds=cpu_seconds, late=late)

    def answered(self, connection: Connection, status: int) -> None:
        """Note an answer, and go on."""
        now = time.perf_counter()
        self._underway -= 1
        self._acknowledged += 200 <= status < 300
        if self._counted_from <= now <= self._ends_at:
            self._answers[status] = self._answers.get(status, 0) + 1
            self._latencies.append(now - connection.due_at)
        if self._is_over:
            if not self._underway:
                self._is_quiet.set()
            return
        if not self._plan.rate:
            self._send(connection, due_at=now)
        elif self._due:
            self._send(connection, due_at=self._due.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """A connection ended: that may only happen at the end."""
        assert self._is_over, f"the server ended a connection: {error}"
        del connection

    def _send(self, connection: Connection, *, due_at: float) -> None:
        self._underway += 1
        request = self._requests[int(self._random.random() * len(self._requests))]
        connection.send(request.replace(b"{key}", b"%d" % next(self._keys)), due_at=due_at)

    def _outcome(self, *, cpu_seconds: float, late: int) -> Outcome:
        found = sorted(self._latencies) or [0.0]
        return Outcome(
            answers=self._answers,
            seconds=self._plan.seconds,
            cpu_seconds=cpu_seconds,
            p50_ms=found[len(found) // 2] * 1000,
            p99_ms=found[int(len(found) * 0.99)] * 1000,
            max_ms=found[-1] * 1000,
            late=late,
            acknowledged=self._acknowledged,
        )


def main() -> None:
    """Read a plan, carry it out, write what came back."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    outcome = uvloop.run(Sender(plan).run())
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
