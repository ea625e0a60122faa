"""Who looks at hubs and checkpoints when, what is kept of it, and what of that is alerted and told as metrics."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.exports.lag import Checkpoint, HubEnds, PartitionEnds
from shared.domain.exports.lag_look import HOUR, LagLook, Waited
from shared.domain.instants import MINUTE, SECOND
from shared.errors import ConsumerLagError
from shared.services.alerts.evaluate import AlertRun
from shared.services.consumers import lags
from shared.services.consumers.lags import FRESH_FOR, LOOK_EVERY
from tests.kit.builders import NOW, configuration, destination
from tests.kit.world import World

CONTAINER = "https://contoso.blob.core.windows.net/crm"
NAMESPACE = "contoso.servicebus.windows.net"


def ends(last: int, hub: str = "hub-d", first: int = 0) -> HubEnds:
    return HubEnds(NAMESPACE, hub, 1, {"0": PartitionEnds(first, last, NOW), "1": PartitionEnds(0, -1)})


def checkpoint(sequence: int, hub: str = "hub-d") -> Checkpoint:
    return Checkpoint(NAMESPACE, hub, "loader", "0", sequence, NOW)


def with_destinations(world: World, *destinations: dict[str, Any]) -> None:
    dataflows = [{"id": each["id"], "audiences": ["a"]} for each in destinations]
    document = {"destinations": list(destinations), "dataflows": dataflows}
    settled = configuration(document).model_copy(update={"requested_backfills": []})
    world.configuration.put(settled)
    world.worker = world.new_worker()


@pytest.fixture
def world() -> World:
    """The destination d names a container, e none; 20 of 100 events are unread."""
    world = World()
    with_destinations(
        world,
        destination("d", eventHubName="hub-d", consumerCheckpoints=CONTAINER),
        destination("e", eventHubName="hub-e"),
    )
    world.hub_properties.hubs["hub-d"] = ends(99)
    world.checkpoints.containers[CONTAINER] = [checkpoint(79)]
    return world


async def test_it_is_looked_at_every_five_minutes_and_told_as_metrics(world: World) -> None:
    assert await world.worker.consumer_lags.watch() == {"d": ""}
    (group,) = world.consumer_lags.looks["d"].groups
    assert (group.group, group.events) == ("loader", 20)
    assert world.metrics.lags == {"d": {"loader": (20, 0.0)}}
    await world.clock.sleep(LOOK_EVERY / SECOND - 1)
    assert await world.worker.consumer_lags.watch() == {}
    world.hub_properties.hubs["hub-d"] = ends(119)
    world.checkpoints.containers[CONTAINER] = [checkpoint(109)]
    await world.clock.sleep(1)
    assert await world.worker.consumer_lags.watch() == {"d": ""}
    assert world.metrics.lags == {"d": {"loader": (10, LOOK_EVERY / SECOND)}}
    look = world.consumer_lags.looks["d"]
    assert [each.last["0"] for each in look.seen] == [99, 119]


async def test_without_a_container_nobody_is_asked(world: World) -> None:
    with_destinations(world, destination("e", eventHubName="hub-e"))
    assert await world.worker.consumer_lags.watch() == {}
    assert await world.worker.consumer_lags.shares_waited() == {}
    assert (world.checkpoints.asked, world.consumer_lags.requests) == ([], 0)


async def test_what_is_not_named_any_more_is_forgotten(world: World) -> None:
    world.consumer_lags.looks["gone"] = LagLook(NOW, CONTAINER)
    await world.worker.consumer_lags.watch()
    assert list(world.consumer_lags.looks) == ["d"]


async def test_another_container_is_looked_into_at_once(world: World) -> None:
    await world.worker.consumer_lags.watch()
    other = f"{CONTAINER}-2"
    with_destinations(world, destination("d", eventHubName="hub-d", consumerCheckpoints=other))
    assert "there is no container of this name" in (await world.worker.consumer_lags.watch())["d"]
    assert world.consumer_lags.looks["d"].kind == "not-found"


async def test_a_run_is_bounded_and_the_next_begins_with_what_was_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lags, "_MOST_IN_A_RUN", 2)
    ids = [f"d{number}" for number in range(5)]
    with_destinations(world, *(destination(each, eventHubName="hub-d", consumerCheckpoints=CONTAINER) for each in ids))
    seen: list[str] = []
    for _ in range(3):
        seen += await world.worker.consumer_lags.watch()
        await world.clock.sleep(60)
    assert sorted(seen) == ids


async def test_a_run_that_has_taken_long_begins_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lags, "_AT_ONCE", 1)
    ids = [f"d{number}" for number in range(3)]
    with_destinations(world, *(destination(each, eventHubName="hub-d", consumerCheckpoints=CONTAINER) for each in ids))

    async def slow(of: Any) -> HubEnds:
        await world.clock.sleep(12)
        return ends(99)

    monkeypatch.setattr(world.hub_properties, "ends", slow)
    assert list(await world.worker.consumer_lags.watch()) == ["d0", "d1"]
    assert list(await world.worker.consumer_lags.watch()) == ["d2"]


async def test_a_hub_that_is_away_costs_no_memory_of_where_its_partitions_ended(world: World) -> None:
    await world.worker.consumer_lags.watch()
    hub = world.hub_properties.hubs.pop("hub-d")
    await world.clock.sleep(LOOK_EVERY / SECOND)
    assert "could not be looked at" in (await world.worker.consumer_lags.watch())["d"]
    away = world.consumer_lags.looks["d"]
    assert (away.kind, away.groups) == ("hub", [])
    world.hub_properties.hubs["hub-d"] = replace(hub, partitions={"0": PartitionEnds(0, 104, NOW + 10 * MINUTE)})
    await world.clock.sleep(LOOK_EVERY / SECOND)
    world.checkpoints.containers[CONTAINER] = [checkpoint(101)]
    await world.worker.consumer_lags.watch()
    look = world.consumer_lags.looks["d"]
    assert [each.last["0"] for each in look.seen] == [99, 104]
    assert look.waited(look.groups[0]) == Waited(0, 600)


async def test_what_was_seen_lately_is_shown_without_asking_anybody(world: World) -> None:
    destination_d = (await world.configuration.load()).configuration.destination("d")
    await world.worker.consumer_lags.watch()
    asked = len(world.checkpoints.asked)
    await world.clock.sleep(FRESH_FOR / SECOND - 1)
    assert (await world.worker.consumer_lags.last(destination_d)).at == NOW
    assert len(world.checkpoints.asked) == asked
    await world.clock.sleep(1)
    assert (await world.worker.consumer_lags.last(destination_d)).at == NOW + FRESH_FOR
    assert len(world.checkpoints.asked) == asked + 1


async def alerted(world: World) -> list[tuple[str, str, bool]]:
    await world.worker.evaluate_alerts.run(AlertRun())
    return [each for each in world.metrics.alerts if each[1] == "events-expire-unread"]


async def test_an_alert_opens_at_least_twelve_hours_before_events_expire_and_is_over_once_they_are_read(
    world: World,
) -> None:
    """A day is the retention unless told otherwise. The reader has stopped; an event came each minute."""
    opened = None
    for minutes in range(0, 14 * 60, 5):
        world.hub_properties.hubs["hub-d"] = ends(99 + minutes)
        world.checkpoints.containers[CONTAINER] = [checkpoint(99)]
        await world.worker.consumer_lags.watch()
        if opened is None and await alerted(world):
            opened = minutes
        await world.clock.sleep(LOOK_EVERY / SECOND)
    assert opened is not None
    assert 10 * 60 < opened <= 12 * 60  # the first unread event came within the first five minutes
    assert await alerted(world) == [("d", "events-expire-unread", True)]
    world.checkpoints.containers[CONTAINER] = [checkpoint(99 + 14 * 60 - 5)]
    await world.worker.consumer_lags.watch()
    assert await alerted(world) == [("d", "events-expire-unread", False)]


async def test_what_expired_opens_it_too(world: World) -> None:
    world.hub_properties.hubs["hub-d"] = ends(99, first=90)
    await world.worker.consumer_lags.watch()
    assert await alerted(world) == [("d", "events-expire-unread", True)]


async def test_what_is_not_known_opens_nothing_and_resolves_nothing(world: World) -> None:
    world.hub_properties.hubs["hub-d"] = ends(99, first=90)
    await world.worker.consumer_lags.watch()
    assert await alerted(world) == [("d", "events-expire-unread", True)]
    world.checkpoints.failures[CONTAINER] = ConsumerLagError("forbidden", "no")
    await world.clock.sleep(LOOK_EVERY / SECOND)
    await world.worker.consumer_lags.watch()
    assert await alerted(world) == [("d", "events-expire-unread", True)]
    assert await world.worker.consumer_lags.shares_waited() == {"d": None}


async def test_a_look_of_long_ago_says_nothing_of_now(world: World) -> None:
    await world.worker.consumer_lags.watch()
    assert await world.worker.consumer_lags.shares_waited() == {"d": 0.0}
    await world.clock.sleep(FRESH_FOR / SECOND)
    assert await world.worker.consumer_lags.shares_waited() == {"d": None}


async def test_hours_of_retention_count(world: World) -> None:
    with_destinations(world, destination("d", eventHubName="hub-d", consumerCheckpoints=CONTAINER, retentionHours=168))
    world.hub_properties.hubs["hub-d"] = replace(ends(99), partitions={"0": PartitionEnds(0, 99, NOW - 42 * HOUR)})
    await world.worker.consumer_lags.watch()
    assert await world.worker.consumer_lags.shares_waited() == {"d": 0.25}
