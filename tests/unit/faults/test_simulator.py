"""Two hundred seeds of the simulator: nothing lost, nothing made up, nothing left, and the greatest version last."""

import os
import subprocess
import sys

import pytest

from tests.faults.simulator.__main__ import main
from tests.faults.simulator.recipe import Kind, Recipe, plan
from tests.faults.simulator.run import simulate
from tests.faults.simulator.shrink import shrunk
from tests.faults.simulator.trace import Trace
from tests.unit.faults.planted import acknowledge_before_saving

SEEDS = range(200)
AT_A_TIME = 25
TRACED = (5, 37)


@pytest.mark.parametrize("first", SEEDS[::AT_A_TIME])
def test_nothing_is_wrong(first: int) -> None:
    failures = {seed: simulate(Recipe(seed)).failures for seed in range(first, first + AT_A_TIME)}
    assert {seed: why for seed, why in failures.items() if why} == {}


def test_seeds_have_every_kind_of_fault() -> None:
    assert {fault.kind for seed in SEEDS for fault in plan(Recipe(seed)).faults} == set(Kind)


def test_the_same_seed_gives_the_same_trace_in_any_process() -> None:
    code = (
        "from tests.faults.simulator.recipe import Recipe\n"
        "from tests.faults.simulator.run import simulate\n"
        "from tests.faults.simulator.trace import Trace\n"
        f"for seed in {TRACED}:\n"
        "    trace = Trace(kept=True)\n"
        "    simulate(Recipe(seed), trace)\n"
        "    print(trace.digest())\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    digests = []
    for seed in TRACED:
        trace = Trace(kept=True)
        simulate(Recipe(seed), trace)
        assert len(trace.lines()) > 100
        digests.append(trace.digest())
    assert other.stdout.split() == digests


def test_different_seeds_give_different_traces() -> None:
    traces = [Trace(kept=True) for _ in range(2)]
    for seed, trace in enumerate(traces):
        simulate(Recipe(seed), trace)
    assert traces[0].digest() != traces[1].digest()


def test_parts_of_a_plan_are_left_out_by_name() -> None:
    whole = plan(Recipe(5))
    some = plan(Recipe(5, ("f0", "p0", "p1", "c0", "c1", "c2")))
    assert [fault.name for fault in some.faults] == ["f0"]
    assert some.faults[0] == whole.faults[0]
    assert {each["profileId"] for each in some.changes.all} <= {"5-profile-0", "5-profile-1"}
    assert len(some.changes.load) <= 3
    assert plan(Recipe(5, tuple(whole.names))).changes == whole.changes


def test_what_fails_is_shrunk_to_what_it_takes() -> None:
    names = tuple(f"c{number}" for number in range(60))

    def failures_of(recipe: Recipe) -> list[str]:
        return ["lost: it"] if {"c7", "c41"} <= set(recipe.only or ()) and recipe.luck in {0, 2} else ["late: it"]

    assert shrunk(Recipe(1, names), failures_of) == Recipe(1, ("c7", "c41"))
    assert shrunk(Recipe(1, names), lambda recipe: ["lost: it"]) == Recipe(1, ())


def test_a_short_recipe_may_take_other_luck() -> None:
    def failures_of(recipe: Recipe) -> list[str]:
        return ["lost: it"] if len(recipe.only or ()) == 2 or recipe.luck == 3 else []

    assert shrunk(Recipe(1, ("c0", "c1")), failures_of) == Recipe(1, (), luck=3)
    assert str(Recipe(1, ("c0", "f1"), luck=3)) == "--seed 1 --only c0,f1 --luck 3"


def test_a_seed_that_fails_is_told_with_a_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledge_before_saving(monkeypatch)
    seed = next(seed for seed in SEEDS if simulate(Recipe(seed)).failures)
    names = tuple(plan(Recipe(seed)).names)
    recipe = shrunk(Recipe(seed, names), lambda recipe: simulate(recipe).failures, most_attempts=40)
    assert len(recipe.only or ()) < len(names)
    assert main(str(recipe).split()) == 1
    shown = capsys.readouterr().out
    assert "lost: " in shown
    assert "takes profile-changes" in shown


def test_a_seed_with_nothing_wrong_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1"]) == 0
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
