"""Figures for Prometheus, on a port of their own.

They tell how the business stands, so they are off unless asked for and stand on the loopback interface by default,
never beside the API. A figure is read at the moment when somebody asks: one kept by a job would be old in every process
but the one that ran it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tikiwallet.platform.config import ConfigError, Settings

READ_TIMEOUT_SECONDS: Final = 10

Read = Callable[[], Awaitable[Mapping[str, float]]]  # value by the name of the gauge


class _Gauges(Collector):
    """Asks the server's event loop for the figures; the answer is given by a thread of the port's own."""

    def __init__(self, read: Read, *, about: Mapping[str, str], loop: asyncio.AbstractEventLoop) -> None:
        self._read = read
        self._about = about
        self._loop = loop

    def collect(self) -> Iterable[GaugeMetricFamily]:
        async def figures() -> Mapping[str, float]:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                return await self._read()

        found = asyncio.run_coroutine_threadsafe(figures(), self._loop).result()
        return [GaugeMetricFamily(name, self._about[name], value=value) for name, value in found.items()]


@contextlib.asynccontextmanager
async def metrics_port(settings: Settings, read: Read, *, about: Mapping[str, str]) -> AsyncIterator[None]:
    """Answer GET /metrics while the context lasts, if the settings name a port. Raises `ConfigError` if it is taken.

    `about` says what each gauge that `read` returns means. What `read` raises is a 500 for who asked, and no more.
    """
    if not settings.metrics_port:
        yield
        return
    registry = CollectorRegistry()
    registry.register(_Gauges(read, about=about, loop=asyncio.get_running_loop()))
    host, port = settings.metrics_host, settings.metrics_port
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigError(
            f"The metrics can't be served on {host}:{port} ({error.strerror}); set TIKIWALLET_METRICS_PORT."
        ) from error
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        await asyncio.to_thread(thread.join)
