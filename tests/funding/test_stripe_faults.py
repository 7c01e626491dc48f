"""The fault table: whatever dies, is lost, comes twice or too late, each operation happens once, to the cent."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from funding.fault_table import ALL, Chart, fails_well, fault_of, new_names, tell
from funding.points import Points
from funding.points_in_source import points_in_source
from funding.stories import STORIES
from funding.stripe_wallet import StripeWallet, open_stripe_wallet

# What "fail_for_good" leads to is asked by a test of its own.
LOST = {
    "POST": ("lose_before", "lose_after", "fail_before", "fail_after") if ALL else ("lose_after",),
    "GET": ("lose_before", "fail_before") if ALL else (),
}

Record = Callable[[str, object], None]


@pytest.fixture
async def wallet(fault_database_url: str) -> AsyncIterator[StripeWallet]:
    async with open_stripe_wallet(fault_database_url) as opened:
        opened.is_checked = False
        await opened.begin_anew()
        yield opened


@pytest.mark.parametrize("name", STORIES)
async def test_each_operation_happens_once_wherever_the_process_dies(
    wallet: StripeWallet, chart: Chart, record_property: Record, name: str
) -> None:
    deaths = [(*death, gives_up) for death in chart.deaths(name) for gives_up in ((False, True) if ALL else (False,))]
    steps = len(chart.told[name].lives[0].seen)
    for number, is_after, gives_up in deaths:
        dies = Points(dies_at=number if number < steps else number - steps, dies_after=is_after)
        lives = [dies] if number < steps else [Points(), dies]
        what = f"dies {'after' if is_after else 'before'} {number}, {chart.told[name].points[number]}, {gives_up=}"
        await fails_well(wallet, name, what, *lives, gives_up=gives_up)
        assert dies.has_died, what
    record_property("faults: deaths", len(deaths))


@pytest.mark.parametrize("name", STORIES)
async def test_each_operation_happens_once_whatever_is_lost_on_the_way_to_stripe(
    wallet: StripeWallet, chart: Chart, record_property: Record, name: str
) -> None:
    faults = [
        (path, fault_of(method, number, kind))
        for method, kinds in LOST.items()
        for number, path in chart.requests(name, method)
        for kind in kinds
    ]  # fmt: skip
    for path, fault in faults:
        await fails_well(wallet, name, f"{fault} of {path}", fault=fault)
    record_property("faults: requests lost or failed", len(faults))


async def test_who_looks_for_what_was_made_may_die_too_and_no_point_of_the_source_is_forgotten(
    wallet: StripeWallet, chart: Chart, record_property: Record
) -> None:
    """Stripe answers a key for ever with its failure, though the effect happened: only then is it looked for."""
    names, count = set(chart.names), 0
    for name in STORIES:
        for number, path in chart.requests(name, "POST"):
            fault = fault_of("POST", number, "fail_for_good")
            told = await fails_well(wallet, name, f"fail_for_good of {path}", fault=dict(fault))
            found = new_names(told, chart.names if ALL else names)
            for life, point, what in found:
                dies = Points(dies_at=point, dies_after=False)
                lives = [*(Points() for _ in range(life)), dies]
                await fails_well(wallet, name, f"{what} after fail_for_good of {path}", *lives, fault=dict(fault))
                assert dies.has_died, what
            names |= told.names
            count += 1 + len(found)
    assert points_in_source() - names == set(), "nothing dies or is lost there"
    record_property("faults: failures for good", count)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lets the page close", "/v1/checkout/sessions"),
        ("is declined in an app", "/v1/payment_intents"),
        ("pays into a full wallet", "/v1/refunds"),
        ("withdraws", "/v1/transfers"),
        ("withdraws", "/v1/payouts"),
        ("cancels a withdrawal", "/v1/transfers/*/reversals"),
    ],
)
async def test_whoever_comes_back_when_stripe_has_forgotten_the_key_finds_what_was_made(
    wallet: StripeWallet, chart: Chart, record_property: Record, name: str, path: str
) -> None:
    fault = fault_of("POST", chart.told[name].paths("POST").index(path), "lose_after")
    await fails_well(wallet, name, f"a day after {path}", fault=fault, silence=timedelta(hours=25))
    record_property("faults: days without an answer", 1)


@pytest.mark.parametrize("weather", [{"copies": 0}, {"copies": 2, "order": "shuffled"}, {"order": "reversed"}])
async def test_webhooks_may_be_lost_doubled_and_in_any_order(
    wallet: StripeWallet, record_property: Record, weather: dict[str, object]
) -> None:
    """All stories happen in one world, one after the other.

    In one of the weathers each request and answer is compared with Stripe's description: elsewhere they are the same.
    """
    wallet.transport.is_checked = weather == {"order": "reversed"}
    for story in STORIES.values():
        wallet.control("webhooks", **weather)
        await tell(wallet, story, hears=weather.get("copies") != 0)
    record_property("faults: stories in bad weather", len(STORIES))
