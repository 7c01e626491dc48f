"""A real PostgreSQL for every test that asks for a database: one server a run, one fresh database a test."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

import processes
from databases import ask_the_catalogue_once, database_of, execute
from platform_parts import Served, serving
from sound_books import require_sound_books
from tikiwallet.app import CONTEXTS
from tikiwallet.platform import embedded_postgres
from tikiwallet.platform.embedded_postgres import SUPERUSER, EmbeddedPostgres
from tikiwallet.platform.migrate import migrate
from world import World, open_world

# Every run draws the same examples; HYPOTHESIS_PROFILE=explore draws new ones and prints how to repeat them.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

TEMPLATE = "tikiwallet_template"
BROWSER = Path(__file__).parent / "browser"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_WANTED = 4 * 2**30
SHARED_BUFFERS_MIB = 32


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the browser last: Playwright leaves an event loop running, in which no asynchronous test can start."""
    items.sort(key=lambda item: item.path.is_relative_to(BROWSER))


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded server's maintenance database."""
    with pytest.MonkeyPatch.context() as patch, in_memory_if_there_is_room(tmp_path_factory) as folder:
        # To make or drop a database is to look at every one of them.
        patch.setattr(embedded_postgres, "shared_buffers_mib", lambda: SHARED_BUFFERS_MIB)
        with EmbeddedPostgres(folder / "pg") as server:
            patch.undo()
            asyncio.run(_forget_about_power_cuts(server.url()))
            asyncio.run(_let_in_quickly(server.url()))
            yield server.url()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> str:
    """The URL of a server's maintenance database: TEST_DATABASE_URL if set, else an embedded server of our own."""
    url: str = os.environ.get("TEST_DATABASE_URL") or request.getfixturevalue("embedded_server")
    return url


@contextlib.contextmanager
def in_memory_if_there_is_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for data that is thrown away: a fresh database then takes 40 ms, on a busy disk up to 500."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_WANTED:
        yield tmp_path_factory.mktemp("disk")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


async def _forget_about_power_cuts(url: str) -> None:
    """This server's data is thrown away: making and dropping a database takes 70 ms instead of 300."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        await execute(url, f"ALTER SYSTEM SET {setting} = off")
    # A worker that happens to clean the template would keep it from being copied.
    await execute(url, "ALTER SYSTEM SET autovacuum = off")
    await execute(url, "SELECT pg_reload_conf()")


async def _let_in_quickly(url: str) -> None:
    """Keep the password and derive its key by one step: a test connects fifteen times, and 4096 steps take 3 ms."""
    password = unquote(urlsplit(url).password or "")
    await execute(url, f"SET scram_iterations = 1; ALTER ROLE {SUPERUSER} PASSWORD '{password}'")


@pytest.fixture(scope="session", autouse=True)
def catalogue() -> Iterator[None]:
    """All databases are copies of one, and so are the answers of their catalogues."""
    with ask_the_catalogue_once():
        yield


@pytest.fixture(scope="session")
def template(cluster: str) -> Iterator[str]:
    """The name of a migrated database that tests copy."""

    async def make() -> None:
        await execute(cluster, f"DROP DATABASE IF EXISTS {TEMPLATE}")
        await execute(cluster, f"CREATE DATABASE {TEMPLATE}")
        await migrate(database_of(cluster, TEMPLATE), contexts=CONTEXTS)

    asyncio.run(make())
    yield TEMPLATE
    asyncio.run(execute(cluster, f"DROP DATABASE {TEMPLATE}"))


@pytest.fixture(scope="session")
def used(cluster: str) -> Iterator[list[str]]:
    """The databases whose tests are over: the next test drops them, on the connection that makes its own."""
    names: list[str] = []
    yield names
    asyncio.run(execute(cluster, *(f"DROP DATABASE {name} WITH (FORCE)" for name in names)))


@pytest.fixture
async def database_url(cluster: str, template: str, used: list[str]) -> AsyncIterator[str]:
    """The URL of a fresh, migrated, empty database, for its owner."""
    name = f"t_{uuid4().hex}"
    drops = [f"DROP DATABASE {used.pop()} WITH (FORCE)" for _ in tuple(used)]
    await execute(cluster, *drops, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield database_of(cluster, name)
    used.append(name)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty folder for a server's data."""
    return tmp_path / "data"


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A migrated data folder for tests to copy: to make the database and its tables takes two seconds."""
    with in_memory_if_there_is_room(tmp_path_factory) as folder:
        data_dir = folder / "data"
        environment = {**os.environ, "TIKIWALLET_DATA_DIR": str(data_dir)}
        ran = processes.run(processes.OPERATORS, "migrate", environment=environment)
        assert ran.returncode == 0, ran.stderr
        yield data_dir


@pytest.fixture
def begun_dir(first_start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server's data folder in which only the server is missing, for tests of what comes after its first start."""
    with in_memory_if_there_is_room(tmp_path_factory) as folder:
        yield shutil.copytree(first_start, folder / "data")


@pytest.fixture
async def world(database_url: str, data_dir: Path) -> AsyncIterator[World]:
    """One running wallet, empty."""
    async with open_world(database_url, data_dir) as opened:
        yield opened


@pytest.fixture
async def served(world: World) -> AsyncIterator[Served]:
    """That wallet behind a real socket."""
    async with serving(world) as opened:
        yield opened


@pytest.fixture
async def sound_books(database_url: str) -> AsyncIterator[None]:
    """After the test, its books are sound."""
    yield
    connection = await asyncpg.connect(database_url)
    try:
        await require_sound_books(connection)
    finally:
        await connection.close()


@pytest.fixture
def debian_postgres(tmp_path: Path) -> Iterator[str]:
    """The URL of a real server of the distribution's PostgreSQL, owned by this test."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
    folder = tmp_path / "debian"
    folder.mkdir()
    as_user = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"] if os.getuid() == 0 else []
    password_file = folder / "password"
    password_file.write_text("secret\n")
    pgdata = folder / "data"
    for command in (
        ["initdb", "-D", str(pgdata), "-U", "owner", "--auth=scram-sha-256", f"--pwfile={password_file}"],
        ["pg_ctl", "-D", str(pgdata), "-w", "-l", str(folder / "log"),
         "-o", f"-c listen_addresses='' -k {folder}", "start"],
    ):  # fmt: skip
        subprocess.run([*as_user, str(binaries / command[0]), *command[1:]], check=True, stdout=subprocess.DEVNULL)
    yield f"postgresql://owner:secret@/postgres?host={folder}"
    stop = [str(binaries / "pg_ctl"), "-D", str(pgdata), "-m", "immediate", "stop"]
    subprocess.run([*as_user, *stop], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent to a database from now on, but for those of the workers of jobs."""
    sent: list[str] = []
    real = asyncpg.Connection._execute

    async def seen(self: object, query: str, *given: Any, **named: Any) -> Any:
        if "_jobs.pgqueuer" not in query:
            sent.append(query)
        return await real(self, query, *given, **named)

    monkeypatch.setattr(asyncpg.Connection, "_execute", seen)
    return sent
