"""People with phones, and an operator who signs."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.operator_of_tests import Operator
from tests.cli.phones import Clock, Phone, pay_offline
from tests.cli.server_of_tests import RunningServer, serve

MEMORY = Path("/dev/shm")


@pytest.fixture
def clock() -> Clock:
    """Begins now, because subprocesses have the real clock, and stands still."""
    return Clock(now=int(time.time()))


@pytest.fixture
def operator(clock: Clock) -> Operator:
    return Operator(now=clock.now)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Path]:
    """A folder for the phones' homes: in memory where there is one, since every commit waits for the disk otherwise.

    A killed process loses nothing there either; only a power cut would, and no test can make one.
    """
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="tiki-tests-") as name:
        yield Path(name)


@pytest.fixture
def phone(homes: Path, clock: Clock, operator: Operator) -> Callable[[str], Phone]:
    """Make a phone with an empty home."""

    def make(name: str) -> Phone:
        home = homes / name
        home.mkdir()
        return Phone(name=name, home=home, clock=clock, operator=operator)

    return make


@pytest.fixture
def asha(phone: Callable[[str], Phone]) -> Phone:
    """Pays; has 50.00 of offline money."""
    return phone("asha").install(loaded=5000)


@pytest.fixture
def ben(phone: Callable[[str], Phone]) -> Phone:
    """Is paid; has a certificate with 20.00 of cover."""
    return phone("ben").install()


@pytest.fixture
def chi(phone: Callable[[str], Phone]) -> Phone:
    """Is paid by Ben."""
    return phone("chi").install()


@pytest.fixture
def server(database_url: str, data_dir: Path) -> Iterator[RunningServer]:
    with serve(database_url, data_dir) as running:
        yield running


@pytest.fixture
def people(server: RunningServer, phone: Callable[[str], Phone]) -> Callable[..., list[Phone]]:
    """Sign people up, each with 100.00 online and a phone that has synced once."""

    def make(*names: str) -> list[Phone]:
        found = [server.sign_up(phone(name)) for name in names]
        for person in found:
            person.does("topup", "100")
            person.does("sync")
        return found

    return make


@pytest.fixture
def cheat(tmp_path: Path) -> Callable[..., None]:
    """Have somebody pay two people 9.00 with the same money, by a full image of the machine: it fools both places."""

    def pay_twice(cheat: Phone, one: Phone, other: Phone) -> None:
        shutil.copytree(cheat.home, tmp_path / "image")
        pay_offline(cheat, one, "9")
        shutil.rmtree(cheat.home)
        shutil.copytree(tmp_path / "image", cheat.home)
        pay_offline(cheat, other, "9")

    return pay_twice
