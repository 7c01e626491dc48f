"""What the edge answers by itself, whatever the address."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import structlog
from httpx import ASGITransport, AsyncClient

from tikiwallet.app import build_routes, put_behind
from world import World, refusal, settings_for_tests


@pytest.fixture
async def unstarted(data_dir: Path) -> AsyncIterator[AsyncClient]:
    """A client of an application that isn't connected to its database yet."""
    settings = settings_for_tests(data_dir)
    app = build_routes(settings)
    put_behind(app, settings, database_url="postgresql://nowhere/none")
    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://x.test") as http:
        yield http


async def test_unknown_addresses_and_methods_are_problems_too(world: World) -> None:
    assert refusal(await world.http.get("/v1/nothing")) == (404, "not_found")
    assert refusal(await world.http.delete("/v1/transfers")) == (405, "method_not_allowed")
    assert refusal(await world.http.get("/v1/transfers/not-an-id")) == (404, "not_found")


async def test_before_the_start_nobody_is_sent_here(unstarted: AsyncClient) -> None:
    assert (await unstarted.get("/healthz")).json() == {"status": "ok"}
    answer = await unstarted.get("/readyz")
    assert refusal(answer) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"


async def test_while_the_database_is_away_nobody_is_sent_here_and_then_it_serves_again(
    world: World, cluster: str, database_url: str
) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    name = database_url.rpartition("/")[2].partition("?")[0]
    operator = await asyncpg.connect(cluster)
    try:
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        assert refusal(await world.http.get("/readyz")) == (503, "overloaded")
        assert (await world.http.get("/healthz")).status_code == 200
        assert refusal(await alice.pay(bob, "20.00", key="k")) == (500, "internal_error")
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    finally:
        await operator.close()
    assert (await world.http.get("/readyz")).status_code == 200
    assert (await alice.pay(bob, "20.00", key="k")).status_code == 201
    assert await world.balances() == {"alice": "30.00", "bob": "20.00"}


async def test_a_bug_is_a_bare_500_and_its_text_goes_to_the_log_only(unstarted: AsyncClient) -> None:
    order = {"phone": "+6591230001", "password": "seven green umbrellas"}
    with structlog.testing.capture_logs() as logs:
        answer = await unstarted.post("/v1/sessions", json=order)
    assert refusal(answer) == (500, "internal_error")
    assert "database" not in answer.text
    (line,) = logs
    assert line["incident_id"] == answer.json()["incident_id"]
    assert "the database is not open" in str(line["exc_info"])
