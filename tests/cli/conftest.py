"""People with phones, and an operator who signs."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.operator_of_tests import Operator
from tests.cli.phones import Clock, Phone


@pytest.fixture
def clock() -> Clock:
    """Begins now, because subprocesses have the real clock, and stands still."""
    return Clock(now=int(time.time()))


@pytest.fixture
def operator(clock: Clock) -> Operator:
    return Operator(now=clock.now)


@pytest.fixture
def phone(tmp_path: Path, clock: Clock, operator: Operator) -> Callable[[str], Phone]:
    """Make a phone with an empty home."""

    def make(name: str) -> Phone:
        home = tmp_path / name
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
