"""Start and stop: the database that is meant, the port that is free, and one clear sentence when something is not.

People run this by one command, so whatever can go wrong at the start is told apart here instead of in a traceback.
"""

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from types import FrameType
from urllib.parse import urlsplit

import asyncpg
import uvicorn
from litestar import Litestar

from tikiwallet.platform.config import Settings
from tikiwallet.platform.embedded_postgres import EmbeddedPostgres
from tikiwallet.platform.patience import BoundedProtocol, end_what_takes_too_long

DATABASE_NAME = "tikiwallet"
GRACEFUL_SHUTDOWN_SECONDS = 10
BACKLOG = 2048
# Of TLS 1.2 what has forward secrecy and authenticates what it encrypts; TLS 1.3 has nothing else. uvicorn's default
# takes whatever TLS 1.0 had.
TLS_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
TICKS_A_SECOND = 10  # of uvicorn
GARBAGE_OBJECTS = 50_000  # new ones before the collector looks again
# Ctrl-C, a supervisor, a terminal that was closed: each must leave no database running behind.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(Exception):
    """The server can't start. The message is one sentence for the operator."""


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Yield the owner's URL of the wallet's database: DATABASE_URL, or the embedded server for as long as needed.

    Raises `StartError` or `EmbeddedPostgresError`.
    """
    if settings.database_url:
        yield settings.database_url
        return
    with EmbeddedPostgres(settings.data_dir) as server:
        asyncio.run(_ensure_database(server.url()))
        yield server.url(DATABASE_NAME)


async def _ensure_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", DATABASE_NAME):
            # Another process was faster, a moment ago or at this very moment.
            with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await connection.execute(f"CREATE DATABASE {DATABASE_NAME}")
    finally:
        await connection.close()


@contextlib.contextmanager
def database_errors(settings: Settings) -> Iterator[None]:
    """Turn what a database server refuses at the start into one sentence."""
    where = urlsplit(settings.database_url).hostname or "the embedded server"
    try:
        yield
    except (OSError, asyncpg.CannotConnectNowError) as error:
        raise StartError(f"PostgreSQL at {where} can't be reached; check DATABASE_URL and that it runs.") from error
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise StartError(f"PostgreSQL at {where} refused the user or password of DATABASE_URL.") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StartError("The database of DATABASE_URL doesn't exist; create it first.") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StartError(f"The user of DATABASE_URL may not do this: {error}.") from error


def listen(settings: Settings, *, is_shared: bool = False) -> socket.socket:
    """Return a socket bound to the wallet's address, or raise `StartError` with what to do.

    Shared sockets of one user may have one address; each connection then comes to one of them.
    """
    found = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind((settings.host, settings.port))
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {settings.port} on {settings.host} is in use: is the wallet running already? "
                "Stop the other program or set TIKIWALLET_PORT."
            ) from error
        raise StartError(f"{settings.host}:{settings.port} can't be used: {error.strerror}.") from error
    found.listen(BACKLOG)
    return found


def check_tls(settings: Settings) -> None:
    """Raise `StartError` if TLS is wanted and its two files can't be used."""
    if not settings.tls_cert:
        return

    def nobody_is_asked() -> str:
        raise StartError(f"The private key in {settings.tls_key} has a passphrase; give one without.")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=nobody_is_asked)
    except ssl.SSLError as error:
        raise StartError(
            f"{settings.tls_cert} and {settings.tls_key} are not a certificate and its private key in PEM "
            f"({error.reason or 'not PEM'}); `tikiwallet make-certificate` makes a pair."
        ) from error
    except OSError as error:
        raise StartError(f"{settings.tls_cert} or {settings.tls_key} can't be read: {error.strerror}.") from error


def _spare_the_collector() -> None:
    """Let the collector of cycles leave alone what stays for ever, and look for the rest less often.

    Nearly nothing in a request is part of a cycle, so looking often finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)


class _OneWrite:
    """A transport that holds the head of an answer back until its body comes: one system call instead of two."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold back what ends as a head does, until the end of this turn of the loop at most."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif data.endswith(b"\r\n\r\n"):
            self._held = data
            self._loop.call_soon(self._let_go)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection after what was written."""
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)


class _Protocol(BoundedProtocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type]


class _Server(uvicorn.Server):
    """A server that stops for every signal in `STOP_SIGNALS` and then lets its caller clean up.

    uvicorn's own raises the signal again when it is done: SIGTERM would end us before the database is stopped.
    """

    def __init__(self, config: uvicorn.Config, *, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()  # here and not earlier: whoever reads it may stop us at once, and then it has to be caught

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            end_what_takes_too_long(self.server_state.connections, now=asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A browser that only keeps its connection doesn't answer the farewell of TLS, and would hold us for the whole
        # time that is meant for requests under way.
        for connection in list(self.server_state.connections) if self.config.is_ssl else ():
            cycle = getattr(connection, "cycle", None)
            if (cycle is None or cycle.response_complete) and connection.transport.get_write_buffer_size() == 0:
                connection.transport.abort()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def until_the_end_of(self, parent: socket.socket | None) -> Iterator[None]:
        """Stop, requests under way first, when the other end of `parent` is closed, however that came about."""
        if parent is None:
            yield
            return
        loop, descriptor = asyncio.get_running_loop(), parent.fileno()

        def stop() -> None:
            loop.remove_reader(descriptor)
            self.should_exit = True

        loop.add_reader(descriptor, stop)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let every request to stop unwind what was begun, as Ctrl-C does (raises `KeyboardInterrupt` in the block)."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS if number != signal.SIGINT}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def server_config(app: Litestar, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves `app`."""
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",  # nobody speaks WebSocket here, and its library takes time to load
        lifespan="off",  # entered by `run`, where what goes wrong is raised instead of logged
        log_config=None,
        access_log=False,
        proxy_headers=False,  # uvicorn would believe anybody on this machine; see `throttle.client_address`
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        ssl_ciphers=TLS_CIPHERS,
        ssl_context_factory=_no_old_tls if settings.tls_cert else None,
    )


def _no_old_tls(_: uvicorn.Config, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # some builds of Python leave it to the settings of the machine
    return context


def run(
    app: Litestar,
    listening: socket.socket,
    settings: Settings,
    *,
    ready: Callable[[], None],
    parent: socket.socket | None = None,
) -> None:
    """Serve `app` until a signal of `STOP_SIGNALS` or the end of `parent`, over TLS if the settings name its files
    (`check_tls`); requests under way are finished first.

    `ready` is called when every part has started. Raises what a part raises that can't start, such as `ConfigError`.
    """
    config = server_config(app, settings)

    async def serve() -> None:
        server = _Server(config, ready=ready)
        with server.until_the_end_of(parent):
            async with app.lifespan():
                _spare_the_collector()
                await server.serve(sockets=[listening])

    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        try:
            runner.run(serve())
        except BaseExceptionGroup as group:
            raise only_cause(group) from group


def only_cause(error: BaseException) -> BaseException:
    """Return what went wrong inside the groups that a framework wraps it in, if it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
