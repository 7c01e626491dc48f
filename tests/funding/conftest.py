"""One database for all rows of the fault table that a worker tries, and the sum of what was tried."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest

from databases import database_of, execute
from funding.fault_table import Chart, draw_chart
from funding.stripe_wallet import open_stripe_wallet


@pytest.fixture(scope="session")
def fault_database_url(cluster: str, template: str) -> Iterator[str]:
    """A database in which each telling begins anew: making one for each would take longer than the telling."""
    name = f"t_{uuid4().hex}"
    asyncio.run(execute(cluster, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
    yield database_of(cluster, name)
    asyncio.run(execute(cluster, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def chart(fault_database_url: str) -> Chart:
    """What each story goes through when nothing goes wrong."""

    async def draw() -> Chart:
        async with open_stripe_wallet(fault_database_url) as wallet:
            wallet.is_checked = False  # building what checks takes longer than all stories; see the test of weathers
            return await draw_chart(wallet)

    return asyncio.run(draw())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were tried, whichever worker tried them."""
    tried: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        tried.update({name: count for name, count in report.user_properties if name.startswith("faults: ")})
    if tried:
        parts = ", ".join(f"{count} {name.removeprefix('faults: ')}" for name, count in sorted(tried.items()))
        terminalreporter.write_line(
            f"money in and out: {tried.total()} faults tried ({parts}), each healed to the cent"
        )
