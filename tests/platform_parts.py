"""The application as a test wants it served: behind a real socket in its own loop, or by the framework alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from tikiwallet.platform.patience import BoundedProtocol, end_what_takes_too_long
from tikiwallet.platform.serving import _Protocol
from tikiwallet.platform.thin import Application
from world import World


class WholeFramework:
    """The same application, with every route served by the framework."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app._by_the_framework(scope, receive, send)


class Served:
    """The world's application behind a real socket, without the clock that ends connections."""

    def __init__(self, port: int, state: ServerState) -> None:
        self.port, self.state = port, state

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def later(self, seconds: float) -> None:
        """What the server does after so long."""
        end_what_takes_too_long(self.state.connections, now=asyncio.get_running_loop().time() + seconds)


@contextlib.asynccontextmanager
async def serving(world: World) -> AsyncIterator[Served]:
    config = Config(world.app, lifespan="off", log_config=None, access_log=False)
    config.load()
    state = ServerState()

    def connection() -> BoundedProtocol:
        return _Protocol(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    yield Served(server.sockets[0].getsockname()[1], state)
    server.close()
    await server.wait_closed()


async def status(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    return line.split(b" ")[1] if line else b""


@contextlib.asynccontextmanager
async def sending(served: Served, data: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await served.connect()
    writer.write(data)
    await writer.drain()
    yield reader, writer
    writer.close()
