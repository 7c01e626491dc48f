"""What a server with two workers does, each figure in turn with the limit that it is divided by.

Rates of one run are compared with the limit of the same minute: machines are shared, and a limit that was measured
yesterday would flatter or shame today's server.
"""

import asyncio
import statistics
import time

import msgspec

from bench import limit, requests
from bench.place import Cpu, Place, Serving
from bench.sender import Outcome, Plan

CONNECTIONS = 256
REQUESTS = 20_000
WARM_UP_SECONDS = 1.0
READERS_OF_THE_LIMIT = 60  # pgbench takes at most 128 scripts, two for each
LOAD_OF_THE_LATENCY = 0.8
LATENCY_TURNS = 2  # a round: a machine that slows down in between would turn 80 % into 100
OVERLOAD = 1.5
OVERLOAD_CONNECTIONS = 3000
CALM = 3.0  # times the usual answer of one client: back to normal
CALM_SECONDS_MAX = 30.0


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How long to measure."""

    rounds: int
    seconds: float


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: what was reached, the limit beside it, and who worked for it."""

    name: str
    rates: tuple[float, ...]  # a second, one a round
    limits: tuple[float, ...]
    server_us: float  # CPU microseconds for each answer
    database_us: float
    client_us: float

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(rate / top for rate, top in zip(self.rates, self.limits, strict=True))

    def line(self) -> str:
        """Say it in one line: a reader sees the bottleneck."""
        return (
            f"{self.name}: {statistics.median(self.rates):,.0f}/s of {statistics.median(self.limits):,.0f}/s; "
            f"CPU us each: server {self.server_us:.0f}, database {self.database_us:.0f}, client {self.client_us:.0f}"
        )


def measure(place: Place, *, size: Size) -> tuple[dict[str, float], list[str]]:
    """Return the figures by key, and lines with the absolute rates."""
    asyncio.run(limit.prepare(place.url, count=len(place.people)))
    payments = requests.transfers(place.people, number=REQUESTS)
    with place.serving() as server:
        _ask(server, payments, seconds=2 * size.seconds)  # tokens verified, statements prepared, plans made
        rates = {
            "http_over_limit": _transfers(place, server, payments, size=size),
            "hot_over_limit": _hot(place, server, size=size),
            "read_over_limit": _reads(place, server, size=size),
        }
        latency, latency_lines = _latency(server, payments, size=size)
        overload_lines = _overload(place, server, payments, rate=max(rates["http_over_limit"].rates), size=size)
    figures = {key: rate.ratio for key, rate in rates.items()}
    lines = [rate.line() for rate in rates.values()]
    return {**figures, **latency}, [*lines, *latency_lines, *overload_lines]


def _ask(server: Serving, wanted: tuple[str, ...], *, seconds: float) -> tuple[Outcome, Cpu]:
    return _good(
        server.send(
            Plan(port=server.port, requests=wanted, connections=CONNECTIONS, seconds=seconds,
                 warm_up_seconds=WARM_UP_SECONDS)
        )
    )  # fmt: skip


def _good(found: tuple[Outcome, Cpu]) -> tuple[Outcome, Cpu]:
    outcome = found[0]
    assert outcome.good == sum(outcome.answers.values()), outcome.answers  # a refusal is no payment
    return found


def _rate(name: str, limits: list[float], found: list[tuple[Outcome, Cpu]]) -> Rate:
    answers = sum(outcome.good for outcome, _ in found)
    return Rate(
        name=name,
        rates=tuple(outcome.rate for outcome, _ in found),
        limits=tuple(limits),
        server_us=sum(cpu.server for _, cpu in found) / answers * 1e6,
        database_us=sum(cpu.database for _, cpu in found) / answers * 1e6,
        client_us=sum(outcome.cpu_seconds for outcome, _ in found) / answers * 1e6,
    )


def _transfers(place: Place, server: Serving, payments: tuple[str, ...], *, size: Size) -> Rate:
    limits, found = [], []
    for _ in range(size.rounds):
        limits.append(limit.single_transfers(place.url, count=len(place.people), seconds=round(size.seconds)).rate)
        found.append(_ask(server, payments, seconds=size.seconds))
    return _rate("payments over HTTP", limits, found)


def _hot(place: Place, server: Serving, *, size: Size) -> Rate:
    payments = requests.transfers(place.people, number=REQUESTS, merchant=place.people[0])
    limits, found = [], []
    for _ in range(size.rounds):
        limits.append(
            limit.single_transfers(place.url, count=len(place.people), seconds=round(size.seconds), is_hot=True).rate
        )
        found.append(_ask(server, payments, seconds=size.seconds))
    return _rate("payments to one merchant", limits, found)


def _reads(place: Place, server: Serving, *, size: Size) -> Rate:
    wanted = requests.reads(place.people, number=REQUESTS)
    readers = [someone.person_id for someone in place.people[:READERS_OF_THE_LIMIT]]
    limits, found = [], []
    for _ in range(size.rounds):
        limits.append(asyncio.run(limit.reads(place.url, readers, seconds=round(size.seconds))))
        found.append(_ask(server, wanted, seconds=size.seconds))
    return _rate("balances and history pages", limits, found)


def _latency(server: Serving, payments: tuple[str, ...], *, size: Size) -> tuple[dict[str, float], list[str]]:
    """What one client waits, and everybody at 80 % of what is reached in the same moment, in turns."""
    tails, over_alone, lines = [], [], []
    for _ in range(LATENCY_TURNS * size.rounds):
        one = Plan(port=server.port, requests=payments, connections=1, seconds=size.seconds / 2, warm_up_seconds=0.2)
        alone, _ = _good(server.send(one))
        reached, _ = _ask(server, payments, seconds=size.seconds / 2)
        rate = LOAD_OF_THE_LATENCY * reached.rate
        busy, cpu = _good(
            server.send(
                Plan(port=server.port, requests=payments, connections=CONNECTIONS, seconds=size.seconds,
                     warm_up_seconds=WARM_UP_SECONDS, rate=rate)
            )
        )  # fmt: skip
        tails.append(busy.p99_ms / busy.p50_ms)
        over_alone.append(busy.p50_ms / alone.p50_ms)
        cores = (cpu.server + cpu.database + busy.cpu_seconds) / size.seconds
        lines.append(
            f"one client: p50 {alone.p50_ms:.2f} ms; at {rate:,.0f}/s, 80 % of {reached.rate:,.0f}/s: "
            f"p50 {busy.p50_ms:.2f} ms, p99 {busy.p99_ms:.2f} ms, longest {busy.max_ms:.0f} ms, "
            f"unanswered at the end {busy.late}, {cores:.1f} cores at work"
        )
    figures = {
        "p99_over_p50_at_80": statistics.median(tails),
        "p50_at_80_over_one_client": statistics.median(over_alone),
    }
    return figures, lines


def _overload(place: Place, server: Serving, payments: tuple[str, ...], *, rate: float, size: Size) -> list[str]:
    """Ask for half as much again as can be served; see what is refused, that nothing is lost, how fast it is over."""
    one = Plan(port=server.port, requests=payments, connections=1, seconds=0.5)
    usual_ms = server.send(one)[0].p50_ms
    posted_before = asyncio.run(place.payments_posted())
    outcome, _ = server.send(
        Plan(port=server.port, requests=payments, connections=OVERLOAD_CONNECTIONS, seconds=size.seconds,
             warm_up_seconds=WARM_UP_SECONDS, rate=OVERLOAD * rate)
    )  # fmt: skip
    over_at = time.perf_counter()
    assert asyncio.run(place.payments_posted()) - posted_before == outcome.acknowledged, "a payment is lost"
    assert set(outcome.answers) <= {201, 503}, outcome.answers
    while server.send(one)[0].p50_ms > CALM * usual_ms:
        assert time.perf_counter() - over_at < CALM_SECONDS_MAX, "it doesn't come back to normal"
    return [
        (
            f"at 150 % from {OVERLOAD_CONNECTIONS} connections: {outcome.rate:,.0f}/s paid, "
            f"{outcome.answers.get(503, 0) / size.seconds:,.0f}/s told to come again, p50 {outcome.p50_ms:.0f} ms, "
            f"p99 {outcome.p99_ms:.0f} ms; every payment that was acknowledged stands; "
            f"back to normal within {time.perf_counter() - over_at:.1f} s"
        )
    ]
