"""Small runs of the simulation: the promises hold, any seed replays, and no wrong rule goes unnoticed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sim import districts
from sim.__main__ import settings_from
from sim.mutants import MUTANTS, SMALL, run
from sim.outcome import outcome
from sim.world import World

from tikicash.messages import Bundle, Signed

ROOT = Path(__file__).parents[2]


def simulate(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "OUT": str(folder), **environment}
    return subprocess.run(
        [sys.executable, "-m", "sim"], env=env, cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_promise_holds_in_a_small_world_and_any_seed_replays_exactly(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = (
        simulate(folder, SEED="7", SIZE="60", PYTHONHASHSEED=seed)
        for folder, seed in zip(folders, ("1", "2"), strict=True)
    )
    assert one.returncode == 0, one.stdout + one.stderr
    *_, last = one.stdout.splitlines()
    assert last.startswith("payments=18")
    for said in ("conserved=yes", "honest_named=0", "cheats_unnamed=0", "honest_loss_over_shown=0", "seed=7"):
        assert said in last
    assert one.stdout.replace("/one/", "/") == two.stdout.replace("/two/", "/")
    pictures = {path.name: path.read_text() for path in folders[0].iterdir()}
    assert pictures == {path.name: path.read_text() for path in folders[1].iterdir()}
    assert all(svg.startswith("<svg") for svg in pictures.values())
    assert len(pictures) == 3


def test_a_run_with_a_wrong_rule_fails(tmp_path: Path) -> None:
    found = simulate(tmp_path, SIZE="40", MUTANT="show_then_reserve")
    assert found.returncode == 1
    assert "broken promise: honest_named" in found.stdout
    assert simulate(tmp_path, MUTANT="unheard of").returncode == 2


@pytest.mark.parametrize("name", MUTANTS)
def test_no_wrong_rule_goes_unnoticed(name: str) -> None:
    mutant = MUTANTS[name]
    _, found = run(replace(SMALL, only_way=mutant.way), name)
    assert mutant.breaks in found.broken


def test_the_same_small_world_keeps_every_promise_without_a_mutant() -> None:
    world, found = run(SMALL)
    assert found.broken == ()
    assert len(world.operator.named) > 5
    assert world.audit.conflicts > 5
    # What the run is about does happen in it: money that goes on to a third hand, accidents, and every way of cheating.
    stats = world.stats
    assert 5 * (stats["depth 2"] + stats["depth 3"]) > stats["payments"]
    happened = ("depth 3", "phones_lost", "couriers", "torn", "shown_again", "refused", "refunds", "hand_backs")
    assert [name for name in happened if not stats[name]] == []
    assert all(world.forum.tries.values())


def test_every_promise_holds_with_real_signatures_too() -> None:
    settings = replace(SMALL, phones=30, payments=250, days=8, phones_per_village=10)
    world, found = run(replace(settings, real_signatures=True))
    assert found.broken == ()
    assert world.stats["payments"] > 200
    assert world.operator.named


def test_a_stubbed_document_says_its_true_size() -> None:
    world, _ = run(replace(SMALL, phones=20, payments=60, days=3, phones_per_village=10))
    bundles = [bundle for village in world.villages for phone in village for bundle in phone.chains.values()]
    assert bundles
    for bundle in bundles:
        assert len(bundle.to_bytes()) == len(Bundle.to_bytes(bundle))
        assert all(item.size == Signed.size.fget(item) for item in bundle.documents)


def test_districts_are_the_same_on_one_core_and_on_two() -> None:
    settings = replace(SMALL, phones=60, payments=300, days=5, phones_per_village=10)
    alone = districts.run(settings, count=3, cores=1)
    assert districts.run(settings, count=3, cores=2) == alone
    together = districts.whole(alone)
    assert outcome(together).broken == ()
    assert together.phones == sum(record.phones for record in alone) >= 60
    assert together.stats["payments"] == sum(day.payments for day in together.days) > 250
    assert together.losses[-1] == sum(record.losses[-1] for record in alone)


def test_a_list_of_blocked_phones_reaches_other_districts_at_midnight() -> None:
    here, there = (World(one) for one in districts.districts_of(replace(SMALL, payments=600), 2))
    for day in range(8):
        here.live(day)
        there.live(day)
        told = [here.news(), there.news()]
        here.hear(told)
        there.hear(told)
    here.live(8)
    assert {key[:8] for key in there.operator.named} <= set(here.operator.revocations.entries)
    assert here.operator.named
    assert there.operator.named
    assert not set(here.operator.account_of) & set(there.operator.account_of)


def test_a_district_that_dies_ends_the_run() -> None:
    with pytest.raises(EOFError):
        districts.run(replace(SMALL, phones=20, days=1), "unheard of", count=2, cores=2)


def test_the_default_run_is_as_large_as_promised() -> None:
    settings = settings_from({})
    assert (settings.phones, settings.days) == (10_000, 30)
    assert settings.payments >= 300_000
