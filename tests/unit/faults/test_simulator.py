"""Two hundred seeds of the simulator: nothing lost, nothing made up, nothing left, and the greatest version last."""

import os
import subprocess
import sys

import pytest

from tests.faults.simulator.__main__ import main
from tests.faults.simulator.recipe import Kind, plan
from tests.faults.simulator.run import simulate
from tests.faults.simulator.shrink import shrunk, shrunk_seed
from tests.faults.simulator.trace import Trace
from tests.unit.faults.planted import acknowledge_before_saving

SEEDS = range(200)
AT_A_TIME = 25
TRACED = (5, 37)


@pytest.mark.parametrize("first", SEEDS[::AT_A_TIME])
def test_nothing_is_wrong(first: int) -> None:
    failures = {seed: simulate(seed).failures for seed in range(first, first + AT_A_TIME)}
    assert {seed: why for seed, why in failures.items() if why} == {}


def test_seeds_have_every_kind_of_fault() -> None:
    assert {fault.kind for seed in SEEDS for fault in plan(seed).faults} == set(Kind)


def test_the_same_seed_gives_the_same_trace_in_any_process() -> None:
    code = (
        "from tests.faults.simulator.run import simulate\n"
        "from tests.faults.simulator.trace import Trace\n"
        f"for seed in {TRACED}:\n"
        "    trace = Trace(kept=True)\n"
        "    simulate(seed, trace=trace)\n"
        "    print(trace.digest())\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    digests = []
    for seed in TRACED:
        trace = Trace(kept=True)
        simulate(seed, trace=trace)
        assert len(trace.lines()) > 100
        digests.append(trace.digest())
    assert other.stdout.split() == digests


def test_different_seeds_give_different_traces() -> None:
    traces = [Trace(kept=True) for _ in range(2)]
    for seed, trace in enumerate(traces):
        simulate(seed, trace=trace)
    assert traces[0].digest() != traces[1].digest()


def test_parts_of_a_plan_are_left_out_by_name() -> None:
    whole = plan(5)
    some = plan(5, ["f0", "p0", "p1", "c0", "c1", "c2"])
    assert [fault.name for fault in some.faults] == ["f0"]
    assert some.faults[0] == whole.faults[0]
    assert {each["profileId"] for each in some.changes.all} <= {"5-profile-0", "5-profile-1"}
    assert len(some.changes.load) <= 3
    assert plan(5, whole.names).changes == whole.changes


def test_what_fails_is_shrunk_to_what_it_takes() -> None:
    names = [f"c{number}" for number in range(60)]
    assert shrunk(names, lambda kept: {"c7", "c41"} <= set(kept)) == ["c7", "c41"]
    assert shrunk(names, lambda kept: True) == []


def test_a_seed_that_fails_is_told_with_a_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acknowledge_before_saving(monkeypatch)
    seed = next(seed for seed in SEEDS if simulate(seed).failures)
    names = shrunk_seed(seed, plan(seed).names, lambda seed, only: simulate(seed, only).failures)
    assert len(names) <= 6
    assert main(["--seed", str(seed), "--only", ",".join(names)]) == 1
    shown = capsys.readouterr().out
    assert "lost: " in shown
    assert "takes profile-changes" in shown


def test_a_seed_with_nothing_wrong_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1"]) == 0
    assert capsys.readouterr().out.endswith("nothing is wrong\n")
