"""Applying a file: what is undelivered for a destination that it removes goes, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.configuration.model import parse_configuration_file
from shared.domain.configuration.plan import Plan
from shared.domain.exports.undelivered import Undelivered, UndeliveredState
from shared.errors import ConfigurationError, ConflictError, StorageError
from shared.ports.health import DestinationTrouble
from shared.ports.undelivered import StoredUndelivered
from shared.services.configuration.apply import apply_configuration
from shared.services.delivery.attempts import Attempt
from tests.kit.builders import NOW, configuration, destination, item, membership, told
from tests.kit.world import CACHE_SECONDS, DOCUMENT, SETTINGS, World

QUALIFIES = {"segmentMembership": membership(1)}
GRACE = 2 * CACHE_SECONDS
WITHOUT_DESTINATION: dict[str, Any] = {
    "destinations": DOCUMENT["destinations"][1:],
    "dataflows": DOCUMENT["dataflows"][1:],
}
WITHOUT_DATAFLOW: dict[str, Any] = DOCUMENT | {"dataflows": DOCUMENT["dataflows"][1:]}
REMOVED = DestinationTrouble("d", recovering=True, since=NOW, error="removed", code="removed")


@pytest.fixture
def world() -> World:
    return World()


async def apply(world: World, document: dict[str, Any], *, prune: bool = True, dry_run: bool = False) -> Plan:
    return await apply_configuration(
        world.configuration,
        world.health,
        parse_configuration_file(document),
        world.clock,
        prune=prune,
        dry_run=dry_run,
    )


async def store(world: World, state: UndeliveredState, *, destination_id: str = "d", **fields: Any) -> None:
    """A row of a profile that is named for its destination and state."""
    row = Undelivered(
        destination_id=destination_id,
        profile_id=f"{destination_id} {state} {fields}",
        state=state,
        version=1,
        reasons=("audience",),
        occurred_at=NOW,
        attempts=1,
        first_failed_at=NOW,
        last_failed_at=NOW,
        last_error="down",
    )
    await world.undelivered.save(StoredUndelivered(replace(row, **fields), None))


@pytest.mark.parametrize("document", [WITHOUT_DESTINATION, WITHOUT_DATAFLOW], ids=["destination", "dataflow"])
@pytest.mark.parametrize("down", [True, False])
async def test_what_is_undelivered_for_a_removed_destination_goes(
    world: World, document: dict[str, Any], down: bool
) -> None:
    for state in UndeliveredState:
        await store(world, state)
    await store(world, UndeliveredState.DEAD, permanent=True)
    await store(world, UndeliveredState.DEAD, destination_id="e", permanent=True)
    if down:
        await world.health.put(DestinationTrouble("d", recovering=False, since=NOW - 1, error="down"))

    await apply(world, document)

    assert world.health.troubles == {"d": REMOVED}
    await world.clock.sleep(GRACE - 1)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"recovering": 1}}
    await world.clock.sleep(1)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"dropped": 4, "removed": 1}}
    assert [owner for owner, _ in world.rows] == ["e"]
    assert world.health.troubles == {}
    assert world.sender.sent == []
    assert (await world.worker.watch_destinations.run()).summary() == {}


async def test_a_pointer_to_a_row_that_went_does_nothing(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))
    await apply(world, WITHOUT_DESTINATION)
    await world.clock.sleep(GRACE)
    assert (await world.worker.watch_destinations.run()).summary()["d"]["dropped"] == 1
    assert [attempt for attempt, _ in await world.retry()] == [Attempt.OUTDATED]


async def test_a_removed_destination_with_many_rows_is_cleared_in_several_runs() -> None:
    world = World(settings=replace(SETTINGS, redrive_per_second=50.0))
    for number in range(5_000):
        await store(world, UndeliveredState.DEAD, profile_id=f"p{number}", permanent=True)
    await apply(world, WITHOUT_DESTINATION)
    await world.clock.sleep(GRACE)
    (first,) = (await world.worker.watch_destinations.run()).summary().values()
    assert first == {"dropped": 5_000 - len(world.rows)}
    assert 2_500 < first["dropped"] < 3_300
    assert world.health.troubles == {"d": REMOVED}
    (second,) = (await world.worker.watch_destinations.run()).summary().values()
    assert second == {"dropped": 5_000 - first["dropped"], "removed": 1}
    assert world.health.troubles == {}


async def test_one_that_is_back_before_its_rows_went_gets_what_it_missed(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **QUALIFIES))
    world.mend("d")
    await apply(world, WITHOUT_DESTINATION)
    await apply(world, DOCUMENT)
    await world.clock.sleep(15 + 30 + 121)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"pointed to again": 1, "healthy": 1}}
    assert Attempt.SENT in [attempt for attempt, _ in await world.retry()]
    assert told(world.sender.sent)[-1] == ("d", "audience")


@pytest.mark.parametrize(
    ("document", "prune", "dry_run"),
    [
        (WITHOUT_DESTINATION, True, True),
        (WITHOUT_DESTINATION, False, False),
        (DOCUMENT | {"dataflows": [{"id": "d", "audiences": ["a"], "enabled": False}]}, False, False),
        (DOCUMENT | {"dataflows": [{"id": "d", "audiences": ["other"]}, *DOCUMENT["dataflows"][1:]]}, True, False),
    ],
    ids=["dry run", "kept", "paused", "another mapping"],
)
async def test_a_destination_that_keeps_its_dataflow_is_left_alone(
    world: World, document: dict[str, Any], prune: bool, dry_run: bool
) -> None:
    await apply(world, document, prune=prune, dry_run=dry_run)
    assert world.health.troubles == {}


async def test_a_removal_that_is_not_saved_after_all_drops_nothing(world: World) -> None:
    await world.handle(item("p", 1, **QUALIFIES))
    await store(world, UndeliveredState.PARKED, profile_id="p")
    await store(world, UndeliveredState.DEAD, profile_id="q", permanent=True)
    with pytest.MonkeyPatch.context() as patch:

        async def away(*_: Any) -> None:
            raise StorageError("away")

        patch.setattr(world.configuration, "save", away)
        with pytest.raises(StorageError, match="away"):
            await apply(world, WITHOUT_DESTINATION)
    assert world.health.troubles == {"d": REMOVED}

    await world.clock.sleep(GRACE)

    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"sent": 1, "healthy": 1}}
    assert world.rows == {("d", "q"): "dead"}
    assert world.health.troubles == {}


async def test_nothing_is_removed_of_which_nobody_could_be_told(world: World) -> None:
    before = await world.configuration.load()
    with pytest.MonkeyPatch.context() as patch:

        async def away(*_: Any) -> None:
            raise StorageError("away")

        patch.setattr(world.health, "put", away)
        with pytest.raises(StorageError, match="away"):
            await apply(world, WITHOUT_DESTINATION)
    assert await world.configuration.load() == before


@pytest.mark.parametrize(("losses", "ends_well"), [(4, True), (5, False)])
async def test_who_loses_a_race_plans_anew(world: World, losses: int, ends_well: bool) -> None:
    save = world.configuration.save
    others = configuration(DOCUMENT | {"destinations": [*DOCUMENT["destinations"], destination("f")]})
    left = losses

    async def contested(*arguments: Any) -> None:
        nonlocal left
        if left:
            left -= 1
            world.configuration.put(others.model_copy(update={"revision": 100 - left}))
        await save(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.configuration, "save", contested)
        if ends_well:
            planned = await apply(world, WITHOUT_DESTINATION)
            assert [change.id for change in planned.changes if change.action == "removed"] == ["d", "f", "d"]
            assert (await world.configuration.load()).configuration == planned.configuration
        else:
            with pytest.raises(ConflictError):
                await apply(world, WITHOUT_DESTINATION)
    assert world.health.troubles == {"d": REMOVED}


async def test_a_file_that_cannot_be_applied_removes_nothing(world: World) -> None:
    with pytest.raises(ConfigurationError):
        await apply(world, {"destinations": [], "dataflows": [{"id": "nowhere"}]})
    assert world.health.troubles == {}
