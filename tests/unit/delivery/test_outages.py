"""An outage has one beginning and one end, for whoever is told of it, whatever is there to find its end out with."""

from dataclasses import replace

import pytest

from shared.domain.alerts.subscription import SubscriptionDetails
from shared.domain.exports.undelivered import UndeliveredState
from shared.ports.health import DestinationTrouble
from shared.services.alerts.evaluate import AlertRun
from shared.services.delivery.attempts import Attempt
from tests.kit.builders import configuration, item, membership
from tests.kit.world import CACHE_SECONDS, DOCUMENT, World

QUALIFIES = {"segmentMembership": membership(1)}
GRACE = 2 * CACHE_SECONDS
PATIENT = 20.0
OPENED, RESOLVED = ([(event, threshold) for threshold in (0.0, PATIENT)] for event in ("opened", "resolved"))
UNMAPPED = {"dataflows": [{"id": "d", "audiences": ["other"]}, {"id": "e", "audiences": ["a"]}]}


@pytest.fixture
async def world() -> World:
    """Somebody wants to be told once d has been down for a while, too. It is down."""
    world = World()
    wanted = SubscriptionDetails(
        url="https://hooks.example.com/x", events=["destination-down"], thresholds={"destination-down": PATIENT}
    )
    await world.worker.alert_subscriptions.create(wanted)
    await fail(world)
    assert not world.health.troubles["d"].recovering
    return world


async def fail(world: World) -> None:
    """As often as it takes to find d down."""
    world.break_down("d")
    for number in range(3):
        await change(world, f"{world.clock()}-{number}")


async def change(world: World, profile_id: str) -> str:
    """A profile qualifies for a: whether d hears of it."""
    outcome = (await world.handle(item(profile_id, 1, **QUALIFIES), message_id=profile_id)).summary()
    return str(next(iter(outcome["undelivered"].get("d", {"sent": 1}))))


async def run(world: World, after_seconds: float = 30) -> tuple[list[str], list[tuple[str, float]]]:
    """Both timers: what became of d, and of which alerts, by their threshold, somebody was told."""
    await world.clock.sleep(after_seconds)
    watched = (await world.worker.watch_destinations.run()).summary().get("d", {})
    outcome = AlertRun()
    await world.worker.evaluate_alerts.run(outcome)
    down = [told for told in outcome.told if told["rule"] == "destination-down"]
    return sorted(watched), [(told["event"], told["threshold"]) for told in down]


@pytest.mark.parametrize("state", UndeliveredState)
async def test_whatever_waits_is_the_probe(world: World, state: UndeliveredState) -> None:
    for key, (row, etag) in world.undelivered.rows.items():
        world.undelivered.rows[key] = replace(row, state=state), etag
    assert await run(world) == (["still down"], OPENED)
    for _ in range(3):
        assert await run(world) == (["still down"], [])
    world.mend("d")
    assert await run(world) == (["answers again"], RESOLVED)
    assert await run(world) == (["recovering"], [])
    for _ in range(4):
        assert (await run(world))[1] == []
        await world.retry()
    assert (world.health.troubles, world.rows) == ({}, {})


async def test_with_nothing_to_probe_with_changes_are_let_through_and_the_alert_stays(world: World) -> None:
    began = world.health.troubles["d"].since
    world.undelivered.rows.clear()
    assert await run(world) == (["half-open"], OPENED)
    await world.clock.sleep(CACHE_SECONDS)
    assert await change(world, "p") == "retrying"
    assert await run(world, 1) == (["still down"], [])
    await world.clock.sleep(CACHE_SECONDS)
    assert await change(world, "q") == "parked"
    assert world.health.troubles["d"].since == began

    world.undelivered.rows.clear()
    world.mend("d")
    assert await run(world) == (["half-open"], [])
    await world.clock.sleep(CACHE_SECONDS)
    assert await change(world, "r") == "sent"
    assert await run(world, 1) == (["half-open"], [])
    assert await run(world) == (["nothing fails"], RESOLVED)
    assert await run(world, GRACE) == (["healthy"], [])
    assert world.health.troubles == {}


async def test_a_breaker_that_opens_while_it_is_half_open_begins_no_new_outage(world: World) -> None:
    world.undelivered.rows.clear()
    began = world.health.troubles["d"].since
    assert await run(world) == (["half-open"], OPENED)
    await world.clock.sleep(CACHE_SECONDS)
    await fail(world)
    assert world.health.troubles["d"] == DestinationTrouble(
        "d", recovering=False, since=began, error="down", code="other"
    )
    assert await change(world, "p") == "parked"
    assert await run(world, 1) == (["still down"], [])


async def test_what_would_not_be_sent_is_no_probe(world: World) -> None:
    """A hub that was not asked has not answered."""
    world.configuration.put(configuration(DOCUMENT | UNMAPPED).model_copy(update={"revision": 2}))
    world.mend("d")
    assert await run(world) == (["half-open"], OPENED)
    (_, key), *_ = world.undelivered.rows
    assert await world.worker.watch_destinations.redrive_one("d", key) == Attempt.DROPPED
    assert not world.health.troubles["d"].recovering
    assert await run(world, GRACE) == (["nothing fails"], RESOLVED)
    assert await run(world, GRACE) == (["healthy", "pointed to again"], [])
    assert {attempt for attempt, _ in await world.retry()} == {Attempt.DROPPED, Attempt.OUTDATED}
    assert [export for export in world.sender.sent if export.destination.id == "d"] == []


async def test_who_is_gone_is_not_down_for_ever(world: World) -> None:
    only_e = {name: DOCUMENT[name][1:] for name in ("destinations", "dataflows")}
    world.configuration.put(configuration(only_e).model_copy(update={"revision": 2}))
    assert await run(world) == (["half-open"], [])
    assert await run(world, GRACE) == (["nothing fails"], [])
    assert await run(world, GRACE) == (["dropped", "removed"], [])
