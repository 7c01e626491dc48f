"""The stand-in on a port of this machine, sending webhooks.

Its state lives in memory, or also in a file that is written before each answer: whoever has an answer may rely on it.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import uvicorn

from tikiwallet.stripe_standin.app import App, Receive, Scope, SendMessage
from tikiwallet.stripe_standin.faults import AnswerLost
from tikiwallet.stripe_standin.standin import StandIn
from tikiwallet.stripe_standin.store import State

PUMP_SECONDS = 0.5  # between looks at what is due
WEBHOOK_TIMEOUT_SECONDS = 20.0
SILENCE_SECONDS = 3600.0  # how long a lost answer leaves its connection open at most


class CannotStart(Exception):
    """The stand-in can't start. The message is one sentence."""


class Kept:
    """The state in a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._written = b""

    def read(self) -> State | None:
        """Return what was kept; None if nothing was."""
        if self._file is None or not self._file.exists():
            return None
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except (msgspec.DecodeError, OSError) as error:
            raise CannotStart(f"{self._file} holds no state of a stand-in: {error}.") from error

    def write(self, state: State) -> None:
        """Keep the state; a crash leaves the old file or the new one."""
        if self._file is None or (encoded := msgspec.json.encode(state)) == self._written:
            return
        fresh = self._file.with_suffix(".fresh")
        fresh.write_bytes(encoded)
        fresh.replace(self._file)
        self._written = encoded


def run(
    *,
    port: int,
    webhook_url: str,
    webhook_secrets: tuple[str, ...],
    state_file: Path | None,
    ready: Callable[[int], None],
) -> None:
    """Serve until a signal. Raises `CannotStart`."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise CannotStart(f"Port {port} can't be used: {error.strerror}; choose another with --port.") from error
    port = listening.getsockname()[1]
    kept = Kept(state_file)
    standin = StandIn(
        run=secrets.token_hex(5),
        clock=lambda: datetime.now(UTC),
        base_url=f"http://127.0.0.1:{port}",
        secrets=webhook_secrets,
        state=kept.read(),
    )
    app = App(standin, changed=lambda: kept.write(standin.store.state))

    async def serve() -> None:
        config = uvicorn.Config(
            _silent(app), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        async with _webhooks(standin, webhook_url, changed=lambda: kept.write(standin.store.state)):
            ready(port)
            await uvicorn.Server(config).serve(sockets=[listening])

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def _silent(app: App) -> Callable[[Scope, Receive, SendMessage], "asyncio.Future[None]"]:
    """Serve `app`; a lost answer is a connection on which nothing is said until the client gives up."""

    async def serve(scope: Scope, receive: Receive, send: SendMessage) -> None:
        try:
            await app(scope, receive, send)
        except AnswerLost:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENCE_SECONDS):
                    while (await receive())["type"] != "http.disconnect":
                        pass

    return serve  # type: ignore[return-value]


@contextlib.asynccontextmanager
async def _webhooks(standin: StandIn, url: str, *, changed: Callable[[], None]) -> AsyncIterator[None]:
    """Send webhooks for as long as the context lasts. Without an address they stay where they are."""
    if not url:
        yield
        return
    async with httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT_SECONDS) as client:

        async def send(payload: bytes, headers: dict[str, str]) -> int:
            try:
                return (await client.post(url, content=payload, headers=headers)).status_code
            except httpx.HTTPError:
                return 0  # nobody there: it is tried again later, as Stripe does

        async def pump() -> None:
            while True:
                await standin.deliver(send)
                changed()
                await asyncio.sleep(PUMP_SECONDS)

        task = asyncio.create_task(pump())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
