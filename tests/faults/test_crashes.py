"""The worker dies before and after every single call of an adapter; whatever it was doing, nothing is lost."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from shared.domain.configuration import parse_configuration_file
from shared.errors import ExportTooLargeError
from shared.services import ports
from shared.services.apply_configuration import apply_configuration
from tests.faults.simulation import PORTS, Simulation
from tests.unit.builders import item, membership
from tests.unit.world import DOCUMENT

QUALIFIES = {"segmentMembership": membership(1)}


async def send_changes(simulation: Simulation) -> None:
    simulation.enqueue(
        item("p", 1, **QUALIFIES), item("p", 2, attributes={"x": 1}), item("q", 1, **QUALIFIES), {"bad": 1}
    )
    simulation.enqueue(item("p", 3, attributes={"x": 2}))
    await simulation.deliver_all()


async def send_to_a_broken_hub(simulation: Simulation) -> None:
    simulation.world.break_down("d")
    simulation.enqueue(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES))
    await simulation.deliver_all()
    await simulation.retry_all()
    simulation.enqueue(item("p", 2, attributes={"x": 1}))
    await simulation.deliver_all()
    simulation.world.mend("d")
    await simulation.retry_all()


async def outlive_an_outage(simulation: Simulation) -> None:
    simulation.world.break_down("d")
    for second in range(1, 6):
        simulation.enqueue(item(f"p{second}", 1, **QUALIFIES))
        await simulation.deliver_all()
    await simulation.retry_all()
    await simulation.watch()
    simulation.world.mend("d")
    for _ in range(5):
        await simulation.watch()


Scenario = Callable[[Simulation], Any]
SCENARIOS: list[Scenario] = [send_changes, send_to_a_broken_hub, outlive_an_outage]


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_crash_at_any_call_loses_nothing(scenario: Scenario) -> None:
    calm = Simulation()
    await scenario(calm)
    await calm.settle()
    calm.check()
    steps = calm.plan.passed
    assert steps >= 40

    crashes = 0
    for at in range(1, steps + 1):
        simulation = Simulation()
        simulation.plan.at = at
        await scenario(simulation)
        await simulation.settle()
        simulation.check()
        crashes += simulation.plan.crashed
    assert crashes == steps


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_two_crashes_in_a_row_lose_nothing(scenario: Scenario) -> None:
    for at in range(1, 60):
        simulation = Simulation()
        simulation.plan.at = at
        step = simulation.plan.step

        def again(simulation: Simulation = simulation, step: Callable[[], None] = step, at: int = at) -> None:
            try:
                step()
            finally:
                if simulation.plan.crashed == 1 and simulation.plan.at is None:
                    simulation.plan.at = simulation.plan.passed + at % 7 + 1

        simulation.plan.step = again  # type: ignore[method-assign]
        await scenario(simulation)
        simulation.plan.at = None
        simulation.plan.crashed = 9
        await simulation.settle()
        simulation.check()


async def remove_d(simulation: Simulation) -> None:
    """As `apply --prune` does, with a crash wherever the plan says."""
    world, kept = simulation.world, {name: entries[1:] for name, entries in DOCUMENT.items()}
    stores = simulation.plan.wrap(world.configuration), simulation.plan.wrap(world.health)
    await apply_configuration(*stores, parse_configuration_file(kept), world.clock, prune=True)


async def test_a_crash_while_a_destination_is_removed_leaves_none_of_its_rows() -> None:
    async def removed(crash_at: int | None) -> Simulation:
        simulation = Simulation()
        simulation.world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
        simulation.enqueue(item("p", 1, **QUALIFIES))
        await simulation.deliver_all()
        simulation.world.break_down("d")
        simulation.enqueue(item("q", 1, **QUALIFIES))
        await simulation.deliver_all()
        assert simulation.world.rows == {("d", "p"): "dead", ("d", "q"): "retrying"}
        simulation.plan.passed, simulation.plan.at = 0, crash_at
        if not await simulation.survive(partial(remove_d, simulation)):
            await remove_d(simulation)
        for _ in range(4):
            await simulation.watch(after_seconds=61)
        assert (simulation.world.rows, simulation.world.health.troubles) == ({}, {})
        assert {export.destination.id for export in simulation.world.sender.sent} == {"e"}
        return simulation

    steps = (await removed(None)).plan.passed
    assert steps >= 12
    crashed = [(await removed(at)).plan.crashed for at in range(1, steps + 1)]
    assert crashed == [1] * steps


def test_every_port_is_covered() -> None:
    protocols = {
        name for name, value in vars(ports).items() if getattr(value, "_is_protocol", False) and name != "Protocol"
    }
    replay = {"ChangesQueue"}  # no worker calls it: tests/unit/test_replay_quarantined.py lets its caller die
    assert protocols - {"Clock", "Sleep"} - replay == {
        "ProfileStore",
        "ConfigurationStore",
        "Quarantine",
        "ExportSender",
        "UndeliveredStore",
        "HealthStore",
        "RetryQueue",
    }
    assert len(PORTS) == 7
