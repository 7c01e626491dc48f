"""The story of `make demo`, told with other amounts: it keeps every promise or says the difference and fails."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo import machines
from demo.__main__ import Story, main
from demo.machines import StoryBrokenError, Wallet, World
from demo.story import check

import processes

SEED = "7"


@pytest.fixture
def quick_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sixty processes of the story start at once: forked from one that has imported what they import."""
    main_of = {machines.OPERATORS: processes.OPERATORS, machines.PEOPLE: processes.PEOPLE}

    def start(module: str, *words: str, environment: dict[str, str]) -> processes.Process:
        return processes.Process(main_of[module], *words, environment=environment, log=sys.__stderr__)

    def run(module: str, *words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return processes.run(main_of[module], *words, environment=environment)

    monkeypatch.setattr(machines, "start", start)
    monkeypatch.setattr(machines, "run", run)


@pytest.mark.usefixtures("quick_starts")
def test_the_story_keeps_every_promise_with_other_amounts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEED", SEED)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(machines.__file__).with_name("__main__.py")), run_name="__main__")
    told = capsys.readouterr()
    assert ended.value.code == 0, told.out + told.err
    assert f"Every promise held. seed={SEED}" in told.out
    assert "The same in all 6 orders of coming back." in told.out


def test_its_machines_are_the_programs_that_people_and_operators_start(begun_dir: Path) -> None:
    world = World(begun_dir.parent)
    begun_dir.rename(world.folder / "server")
    assert world.operator("--version").startswith("tikiwallet, version ")
    with world.server():
        assert world.operator("reconcile").strip().endswith("right to the unit")
        with pytest.raises(StoryBrokenError, match="wallet_missing"):
            Wallet(world, "asha", "+6591230001").tiki("balance")


def test_a_broken_promise_is_told_with_its_difference_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Story, "play", lambda _: check("all money", 49_99, 50_00))
    assert main() == 1
    told = capsys.readouterr().out
    assert "Broken: all money: 4999, expected 5000" in told
    kept = re.search(r"Everything is kept in\s+(\S+)", told)
    assert kept is not None
    shutil.rmtree(kept[1])
