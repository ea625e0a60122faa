"""The worker dies before and after every single call of an adapter; whatever it was doing, nothing is lost."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from shared.domain.configuration.model import parse_configuration_file
from shared.domain.instants import SECOND
from shared.errors import ExportTooLargeError, StorageError
from shared.ports import (
    audience_counts,
    backfills,
    configuration,
    exports,
    health,
    members,
    poison,
    profiles,
    quarantine,
    queues,
    undelivered,
)
from shared.services.configuration.apply import apply_configuration
from shared.services.poison.drain import ROUNDS, SAME_ROUND
from tests.faults.simulation import PORTS, Crash, Simulation
from tests.kit.builders import item, membership
from tests.kit.world import DOCUMENT

PORT_MODULES = (
    audience_counts,
    backfills,
    configuration,
    exports,
    health,
    members,
    poison,
    profiles,
    quarantine,
    queues,
    undelivered,
)
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


async def redrive_in_slices(simulation: Simulation) -> None:
    await outlive_an_outage(simulation)
    simulation.world.break_down("d")
    for second in range(1, 8):
        simulation.enqueue(item(f"p{second}", second, attributes={"x": second}))
        await simulation.deliver_all()
    simulation.world.mend("d")
    for _ in range(4):
        await simulation.watch()
        await simulation.backfill()


MAPS_B = {"dataflows": [{"id": "d", "audiences": ["a", "b"], "attributes": ["/x"]}, {"id": "e", "audiences": ["a"]}]}
PAUSES_D = {
    "dataflows": [
        {"id": "d", "audiences": ["a"], "attributes": ["/x"], "enabled": False},
        {"id": "e", "audiences": ["a"]},
    ]
}
UPLOADED = {"audiences": [{"id": "a", "origin": "custom-upload"}]}
DAYS = 24 * 3_600


async def map_an_audience(simulation: Simulation) -> None:
    simulation.enqueue(*(item(f"p{number}", 1, segmentMembership=membership(1, audience="b")) for number in range(3)))
    await simulation.deliver_all()
    await simulation.apply(MAPS_B)
    simulation.backfilled = {("d", f"p{number}") for number in range(3)}
    for _ in range(3):
        await simulation.backfill()


async def pause_and_resume(simulation: Simulation) -> None:
    simulation.enqueue(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES), item("r", 1, **QUALIFIES))
    await simulation.deliver_all()
    await simulation.world.clock.sleep(3_600)
    await simulation.apply(PAUSES_D)
    await simulation.world.clock.sleep(60)
    simulation.enqueue(item("p", 2, attributes={"x": 1}), item("q", 2, segmentMembership=membership(2, "exited")))
    await simulation.deliver_all()
    await simulation.apply({})
    simulation.backfilled = {("d", "p"), ("d", "q")}
    for _ in range(3):
        await simulation.backfill()


async def forget_a_profile(simulation: Simulation) -> None:
    simulation.enqueue(item("p", 1, **QUALIFIES, attributes={"x": "secret"}), item("q", 1, **QUALIFIES))
    simulation.enqueue(item("p", 2, attributes={"x": 2}), {"profileId": "p", "bad": 1})
    await simulation.deliver_all()
    simulation.world.break_down("d")
    simulation.enqueue(item("p", 3, deleted=True))
    await simulation.deliver_all()
    simulation.world.mend("d")
    await simulation.retry_all()
    simulation.enqueue(item("p", 2, attributes={"x": "late"}), item("q", 3, attributes={"x": 3}))
    await simulation.deliver_all()


async def let_uploads_lapse(simulation: Simulation) -> None:
    await simulation.apply(UPLOADED)
    simulation.enqueue(item("p", 1, **QUALIFIES), item("q", 1, **QUALIFIES))
    simulation.enqueue(item("p", 2, attributes={"x": 2}))
    await simulation.deliver_all()
    for _ in range(2):
        await simulation.world.clock.sleep(31 * DAYS)
        await simulation.sweep()


async def take_turns(simulation: Simulation) -> None:
    """Two workers on the same profiles, and messages that come again to the one that remembers an earlier state."""
    simulation.enqueue(item("p", 1, **QUALIFIES, attributes={"x": "secret"}), item("q", 1, **QUALIFIES))
    await simulation.deliver_all()
    simulation.hand_over()
    simulation.enqueue(item("p", 2, attributes={"x": 2}), item("q", 2, attributes={"x": 2}))
    await simulation.deliver_all()
    simulation.hand_over()
    simulation.bring_again("m1")
    await simulation.deliver_all()
    simulation.enqueue(item("p", 3, deleted=True))
    await simulation.deliver_all()
    simulation.hand_over()
    for message_id in ("m1", "m2", "m3"):
        simulation.bring_again(message_id)
    await simulation.deliver_all()


async def fail_at_every_delivery(simulation: Simulation) -> None:
    """Some of it for good: what such messages called for before is sent all the same, and they are in quarantine."""
    simulation.world.break_down("d")
    simulation.enqueue(item("p", 1, **QUALIFIES))
    await simulation.deliver_all()
    simulation.enqueue(item("q", 1, **QUALIFIES), {"bad": 1})
    simulation.give_up()
    await simulation.drain()
    await simulation.deliver_all()
    simulation.world.mend("d")
    simulation.enqueue(item("r", 1, **QUALIFIES), {"bad": 2})
    for _ in range(ROUNDS + 1):
        simulation.give_up()
        await simulation.drain(SAME_ROUND / SECOND)


Scenario = Callable[[Simulation], Any]
SCENARIOS: list[Scenario] = [
    send_changes,
    send_to_a_broken_hub,
    outlive_an_outage,
    redrive_in_slices,
    map_an_audience,
    pause_and_resume,
    forget_a_profile,
    let_uploads_lapse,
    take_turns,
    fail_at_every_delivery,
]
FORGETTING = (forget_a_profile, take_turns)
# A run has many slices that make the same calls: every third call, or eleventh, meets each of them in some slice.
EVERY: dict[Scenario, int] = {
    map_an_audience: 3,
    pause_and_resume: 3,
    let_uploads_lapse: 3,
    redrive_in_slices: 11,
}


def simulation_of(scenario: Scenario) -> Simulation:
    return Simulation(in_slices=scenario is redrive_in_slices)


async def meet_stale_rows(simulation: Simulation) -> None:
    """A backfill over the audience: a worker that died after it forgot a membership has left the index row."""
    new = {"id": "new", "name": "New", "eventHubName": "new"}
    destinations = [*DOCUMENT["destinations"], new]
    dataflows = [*DOCUMENT["dataflows"], {"id": "new", "audiences": ["a"]}]
    await simulation.apply({"destinations": destinations, "dataflows": dataflows})
    await simulation.settle()


async def check(scenario: Scenario, simulation: Simulation) -> None:
    """What must hold in the end, whatever happened on the way."""
    await simulation.settle()
    await simulation.sweep()
    simulation.check()
    await simulation.check_consumers()
    if scenario in FORGETTING:
        simulation.check_forgotten("p")
    if scenario is fail_at_every_delivery:
        told = {export.profile_id for export in simulation.world.sender.sent}
        kept = {stored.profile_id for stored in simulation.world.quarantine.items.values()}
        assert {"p", "q", "r"} <= told | kept
    if scenario is let_uploads_lapse:
        for _ in range(2):  # a sweep that died was made up for by the next one, a month later
            await simulation.world.clock.sleep(31 * DAYS)
            await simulation.sweep()
        assert all(not state.memberships for state in simulation.stored())
        await meet_stale_rows(simulation)
        assert not simulation.world.members.rows


async def calls_of(scenario: Scenario, failure: type[Crash | StorageError] = Crash) -> int:
    """How many calls that may fail so the scenario makes until all is settled, when nothing fails.

    The sweep behind it is no part of it: it is the same for all, and `let_uploads_lapse` has sweeps with work to do.
    """
    calm = simulation_of(scenario)
    calm.plan.failure = failure
    await scenario(calm)
    await calm.settle()
    calls = calm.plan.passed
    assert calls >= 30
    await check(scenario, calm)
    return calls


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_crash_at_any_call_loses_nothing(scenario: Scenario) -> None:
    steps, crashes = await calls_of(scenario), 0
    places = range(1, steps + 1, EVERY.get(scenario, 1))
    for at in places:
        simulation = simulation_of(scenario)
        simulation.plan.at = at
        await scenario(simulation)
        await check(scenario, simulation)
        crashes += simulation.plan.crashed
    assert crashes == len(places)


@pytest.mark.parametrize(
    "scenario", [send_changes, map_an_audience, redrive_in_slices, fail_at_every_delivery, *FORGETTING]
)
async def test_a_call_of_storage_that_fails_at_any_place_loses_nothing(scenario: Scenario) -> None:
    """The worker lives on, with what it remembers."""
    for at in range(1, await calls_of(scenario, StorageError) + 1, EVERY.get(scenario, 1)):
        simulation = simulation_of(scenario)
        simulation.plan.failure, simulation.plan.at = StorageError, at
        await scenario(simulation)
        await check(scenario, simulation)
        assert simulation.plan.at is None


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_two_crashes_in_a_row_lose_nothing(scenario: Scenario) -> None:
    for at in range(1, 60):
        simulation = simulation_of(scenario)
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
        await check(scenario, simulation)


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
        name
        for module in PORT_MODULES
        for name, value in vars(module).items()
        if getattr(value, "_is_protocol", False) and name != "Protocol"
    }
    # no worker calls them: tests/unit/changes/test_replay_quarantined.py lets who puts changes die; counting only reads
    elsewhere = {"ChangesQueue", "QueueCounter"}
    assert protocols - elsewhere == {
        "AudienceCountStore",
        "MemberIndex",
        "BackfillStore",
        "SliceQueue",
        "ProfileStore",
        "ConfigurationStore",
        "Quarantine",
        "ExportSender",
        "UndeliveredStore",
        "HealthStore",
        "PoisonQueues",
        "PoisonRoundsStore",
        "RetryQueue",
    }
    people = {"audit", "uploads", "secrets", "verifier"}  # what a crash does there: tests/web, tests/unit/backfills
    alerting = {"alerts", "alert_deliveries", "webhooks"}  # tests/unit/alerts/test_alerts.py
    functions = {"timers", "messages_in_hand"}  # tests/unit/runs/test_timers.py, tests/unit/in_hand
    looking = {"checkpoints", "hub_properties", "consumer_lags"}  # what is seen is kept until it is looked at again
    assert len(set(PORTS) - people - alerting - functions - looking) == len(protocols - {"QueueCounter"})
