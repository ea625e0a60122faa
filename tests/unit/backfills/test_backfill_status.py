"""Why a backfill stands still: told from what is stored, wherever it is asked."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.backfills.backfill import Backfill, BackfillKind, BackfillState, Slice
from shared.domain.backfills.standstill import LIVE_CHANGES_FIRST, STALLED_AFTER, Standstill, standstill_of
from shared.domain.backfills.standstill import StandstillReason as Reason
from shared.domain.configuration.model import Configuration, parse_configuration_file
from shared.domain.instants import MINUTE, SECOND
from shared.errors import NoSuchBackfillError
from shared.ports.health import DestinationTrouble
from shared.services.backfills.status import BackfillStatus
from shared.services.configuration.apply import apply_configuration
from tests.kit.builders import NOW, destination, item, membership
from tests.kit.world import World

WAITING = Backfill("d-2", BackfillKind.BACKFILL, BackfillState.WAITING, NOW, NOW + MINUTE, destination_id="d")
RUNNING = replace(WAITING, state=BackfillState.RUNNING, started_at=NOW)
DONE = Slice("d-2", 0, done=True, updated_at=NOW - 60 * MINUTE)
AT_WORK = Slice("d-2", 1, updated_at=NOW)


def standstill(backfill: Backfill, *slices: Slice, paused: bool = False, down_since: int = 0) -> Standstill | None:
    return standstill_of(backfill, slices, paused=paused, down_since=down_since, now=NOW)


@pytest.mark.parametrize("state", [BackfillState.DONE, BackfillState.FAILED, BackfillState.CANCELLED])
def test_what_has_ended_stands_still_for_no_reason(state: BackfillState) -> None:
    stalled = replace(AT_WORK, updated_at=0, note="why")
    assert standstill(replace(RUNNING, state=state), stalled, paused=True, down_since=NOW) is None


def test_what_goes_on_does_not_stand_still() -> None:
    assert standstill(RUNNING, DONE, AT_WORK) is None
    assert standstill(RUNNING, DONE) is None  # run_backfill will say that it is done


@pytest.mark.parametrize(
    ("slices", "why"),
    [
        ((replace(AT_WORK, note=LIVE_CHANGES_FIRST), DONE), (Reason.LIVE_CHANGES, LIVE_CHANGES_FIRST)),
        ((replace(AT_WORK, note="x"), replace(AT_WORK, note="y"), replace(AT_WORK, note="y")), (Reason.HELD, "y")),
        ((replace(DONE, note="why it failed"), AT_WORK), None),
    ],
    ids=["live changes", "what most slices say", "a slice that has ended"],
)
def test_what_slices_say_is_told(slices: tuple[Slice, ...], why: tuple[Reason, str] | None) -> None:
    found = standstill(RUNNING, *slices)
    assert (found and (found.reason, found.why)) == why


def test_the_first_obstacle_is_told_of() -> None:
    """A paused dataflow keeps it from starting, too; a destination that is down does not."""
    down = NOW - 5 * MINUTE
    found = [
        standstill(WAITING, paused=True, down_since=down),
        standstill(WAITING, down_since=down),
        standstill(replace(WAITING, due_at=NOW - SECOND), down_since=down),
        standstill(RUNNING, replace(AT_WORK, note="held"), down_since=down),
    ]
    assert [each and (each.reason, each.since) for each in found] == [
        (Reason.PAUSED, 0),
        (Reason.NOT_DUE, 0),
        (Reason.NOT_STARTED, NOW - SECOND),
        (Reason.DESTINATION_DOWN, down),
    ]


def test_it_is_stalled_when_nobody_was_at_any_slice() -> None:
    long_ago = replace(AT_WORK, updated_at=NOW - STALLED_AFTER - SECOND)
    found = standstill(RUNNING, DONE, long_ago, replace(long_ago, updated_at=long_ago.updated_at - MINUTE))
    assert found is not None
    assert (found.reason, found.since) == (Reason.STALLED, long_ago.updated_at)
    assert standstill(RUNNING, long_ago, AT_WORK) is None


async def apply(world: World, *audiences: str, enabled: bool = True) -> Configuration:
    """Let the dataflow `d` map these, and be the only one."""
    document = {
        "audiences": [{"id": "b", "name": "Buyers"}],
        "destinations": [destination("d")],
        "dataflows": [{"id": "d", "audiences": list(audiences), "enabled": enabled}],
    }
    planned = await apply_configuration(
        world.configuration, world.health, parse_configuration_file(document), world.clock
    )
    return planned.configuration


async def status(world: World, backfill_id: str = "d-2") -> BackfillStatus:
    return await world.worker.backfill_statuses.get(backfill_id)


async def reason(world: World) -> Reason | None:
    still = (await status(world)).standstill
    return None if still is None else still.reason


async def test_a_backfill_tells_from_its_request_on_what_it_waits_for() -> None:
    world = World()
    await world.handle(item("p", 1, segmentMembership=membership(1, audience="b")))
    await apply(world, "a", "b")
    assert (await reason(world), (await status(world)).names) == (Reason.NOT_DUE, {("ups", "b"): "Buyers"})
    await apply(world, "a", "b", enabled=False)
    assert await reason(world) == Reason.PAUSED
    await apply(world, "a", "b")
    await world.clock.sleep(120)
    assert await reason(world) == Reason.NOT_STARTED
    await world.worker.plan_backfills.run()
    assert await reason(world) is None
    trouble = DestinationTrouble("d", recovering=False, since=world.clock() - MINUTE, error="gone")
    await world.health.put(trouble)
    assert await reason(world) == Reason.DESTINATION_DOWN
    await world.health.put(replace(trouble, recovering=True))
    assert await reason(world) is None
    await world.clock.sleep(STALLED_AFTER / SECOND + 1)
    assert await reason(world) == Reason.STALLED


async def test_a_slice_says_that_live_changes_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.services.backfills.slices.CHECKPOINT_MEMBERS", 1)
    monkeypatch.setattr("shared.services.backfills.members.MEMBERS_A_STEP", 1)
    world = World()
    everybody = [item(f"p{number}", 1, segmentMembership=membership(1, audience="b")) for number in range(100)]
    await world.handle(*everybody)
    await apply(world, "a", "b")
    await world.clock.sleep(120)
    await world.worker.plan_backfills.run()
    found = set()
    find = world.profiles.find

    async def looked(key: str) -> Any:
        found.add(await reason(world))
        return await find(key)

    monkeypatch.setattr(world.profiles, "find", looked)
    with world.worker.traffic.passing():
        await world.work_slices()
    assert Reason.LIVE_CHANGES in found
    assert not any(stored.slice.note for stored in world.backfills.parts.values())


async def test_those_to_one_destination_can_be_asked_for() -> None:
    world = World()
    await apply(world, "a", "b")
    await world.worker.plan_backfills.sweep()
    statuses = world.worker.backfill_statuses
    assert [each.backfill.kind for each in await statuses.all()] == [BackfillKind.BACKFILL, BackfillKind.SWEEP]
    assert [each.backfill.id for each in await statuses.all("d")] == ["d-2"]
    assert await statuses.all("nobody") == []
    with pytest.raises(NoSuchBackfillError):
        await statuses.get("d-3")
