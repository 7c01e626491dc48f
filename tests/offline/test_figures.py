"""What the operator sees: what is promised, owed and paid out, as figures and as metrics on a port of their own."""

import socket
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import urllib3

from offline.conftest import OfflineParts, PhoneOf, let_claims_end
from offline.phone import double_spend
from tikiwallet.offline.gauges import ABOUT, gauges
from tikiwallet.platform.config import ConfigError, read_settings
from world import World, body_of, open_world

LIMIT = "tikiwallet_exposure_limit_minor"  # there is none by default


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


async def test_the_figures_tell_what_is_promised_owed_and_paid(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "20.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    now = world.clock.now
    before = await offline_parts.offline.figures(now=now)
    assert (before.exposure.total_minor, before.guarantee_balance_minor) == (60_00 + 20_00 + 20_00, 0)
    assert (before.vouchers_open, before.closes_due, before.payouts_waiting) == (1, 0, 0)
    assert before.key_ends_at == offline_parts.offline.issuer.ends_at(now)
    double_spend(mallory, ben, chi, 2000)
    for phone in (ben, chi):
        await phone.sync()
    await let_claims_end(database_url)
    due = await offline_parts.offline.figures(now=now)
    assert (due.vouchers_open, due.closes_due, due.revocation_epoch) == (1, 1, 1)
    await offline_parts.offline.keep_up()
    after = await offline_parts.offline.figures(now=now)
    # 20.00 were missing and the guarantee gave all of it.
    assert (after.paid_guarantee_minor, after.paid_cover_minor, after.guarantee_balance_minor) == (2000, 0, -2000)
    assert (after.vouchers_open, after.closes_due, after.closes_stuck, after.debt_minor) == (0, 0, 0, 0)
    shown = gauges(after, now=after.key_ends_at - timedelta(days=1))
    assert shown.keys() == ABOUT.keys() - {LIMIT}
    assert shown["tikiwallet_issuer_key_seconds_left"] == 86400
    limited = msgspec.structs.replace(after, exposure=msgspec.structs.replace(after.exposure, limit_minor=5))
    assert gauges(limited, now=now)[LIMIT] == 5
    assert gauges(limited, now=now)["tikiwallet_offline_paused"] == 1
    assert (shown["tikiwallet_guarantee_balance_minor"], shown["tikiwallet_offline_paused"]) == (-2000, 0)


async def get(port: int) -> urllib3.BaseHTTPResponse:
    import asyncio

    return await asyncio.to_thread(
        lambda: urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", retries=False, timeout=30)
    )


async def test_the_metrics_are_served_only_where_asked_for_and_stop_with_the_server(
    database_url: str, data_dir: Path
) -> None:
    port = free_port()
    for _ in range(2):  # no registry is shared between two servers of one process
        async with open_world(database_url, data_dir, metrics_port=port) as world:
            answer = await get(port)
            assert answer.status == 200
            values = dict(line.rsplit(" ", 1) for line in answer.data.decode().splitlines() if line[0] != "#")
            assert values.keys() == ABOUT.keys() - {LIMIT}
            assert values["tikiwallet_vouchers_open"] == "0.0"
            body_of(await world.http.get("/healthz"), 200)
            assert (await world.http.get("/metrics")).status_code == 404  # never beside the API
        with pytest.raises(urllib3.exceptions.NewConnectionError):
            await get(port)


def test_metrics_are_off_and_on_this_machine_only_unless_set() -> None:
    settings = read_settings({})
    assert (settings.metrics_host, settings.metrics_port) == ("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="TIKIWALLET_METRICS_PORT"):
        read_settings({"TIKIWALLET_METRICS_PORT": "65536"})


async def test_a_port_that_is_taken_stops_the_start_with_a_sentence(database_url: str, data_dir: Path) -> None:
    from tikiwallet.platform.metrics import metrics_port
    from world import settings_for_tests

    async def read() -> dict[str, float]:
        return {}

    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_for_tests(data_dir, metrics_port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match="TIKIWALLET_METRICS_PORT"):
            async with metrics_port(settings, read, about={}):
                raise AssertionError("never reached")
