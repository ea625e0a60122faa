"""Replaying what is in quarantine, over fakes; whoever replays may die at any call."""

import json

import pytest

from shared.errors import NotInQuarantineError
from shared.ports.quarantine import QuarantinedItem
from shared.services.changes.export import InboundMessage
from shared.services.changes.quarantine import Replayed, ReplayQuarantined
from tests.faults.simulation import Crash, CrashPlan
from tests.kit.builders import NOW, item
from tests.kit.fakes.quarantine import MemoryQuarantine
from tests.kit.fakes.queues import MemoryChangesQueue
from tests.kit.world import World

BODIES = [b'{"n":0}', b"\xff", b""]


@pytest.fixture
def quarantine() -> MemoryQuarantine:
    return MemoryQuarantine()


@pytest.fixture
def changes() -> MemoryChangesQueue:
    return MemoryChangesQueue(limit=100)


async def fill(quarantine: MemoryQuarantine) -> None:
    for number, body in enumerate(BODIES):
        await quarantine.put(QuarantinedItem(f"m{number}", number, NOW, f"reason {number}", body))


async def row_ids(quarantine: MemoryQuarantine) -> list[str]:
    return [stored.row_id async for stored in quarantine.newest_first()]


async def test_what_is_replayed_is_on_the_queue_and_in_quarantine_no_more(
    quarantine: MemoryQuarantine, changes: MemoryChangesQueue
) -> None:
    await fill(quarantine)
    ids = await row_ids(quarantine)
    service = ReplayQuarantined(quarantine=quarantine, changes=changes)

    outcomes = [outcome async for outcome in service.replay([ids[0], "unknown", ids[2]])]

    assert outcomes[::2] == [Replayed(ids[0]), Replayed(ids[2])]
    assert "there is no row 'unknown' in quarantine" in (outcomes[1].problem or "")
    assert changes.bodies == [BODIES[2], BODIES[0]]
    assert await row_ids(quarantine) == [ids[1]]


async def test_all_with_a_reason(quarantine: MemoryQuarantine, changes: MemoryChangesQueue) -> None:
    await fill(quarantine)
    service = ReplayQuarantined(quarantine=quarantine, changes=changes)
    assert len([outcome async for outcome in service.replay_all("reason 1")]) == 1
    assert changes.bodies == [b"\xff"]
    assert len([outcome async for outcome in service.replay_all()]) == 2
    assert quarantine.items == {}


async def test_what_is_too_large_stays_and_the_rest_goes_on(
    quarantine: MemoryQuarantine, changes: MemoryChangesQueue
) -> None:
    await quarantine.put(QuarantinedItem("large", 0, NOW + 10_000_000, "r", b"x" * 101))
    await fill(quarantine)
    service = ReplayQuarantined(quarantine=quarantine, changes=changes)
    problems = [outcome.problem async for outcome in service.replay_all()]
    assert problems == ["too large for a queue message", None, None, None]
    assert set(quarantine.items) == {("large", 0)}


async def test_one_is_shown_and_dropped(quarantine: MemoryQuarantine, changes: MemoryChangesQueue) -> None:
    await fill(quarantine)
    service = ReplayQuarantined(quarantine=quarantine, changes=changes)
    first = await service.page("reason", most=2)
    last = await service.page("reason", first.next, most=2)
    listed = [*first.entries, *last.entries]
    assert ([entry.row_id for entry in listed], last.next) == (await row_ids(quarantine), None)
    assert (listed[0].received_at, listed[0].reason) == (NOW, "reason 2")

    assert (await service.get(listed[1].row_id)).raw == BODIES[1]
    await service.drop(listed[1].row_id)

    for gone in (service.get(listed[1].row_id), service.drop(listed[1].row_id)):
        with pytest.raises(NotInQuarantineError):
            await gone
    assert (await row_ids(quarantine), changes.bodies) == ([listed[0].row_id, listed[2].row_id], [])


async def test_a_crash_at_any_call_loses_nothing_and_at_most_doubles_one() -> None:
    steps = crashed_at = 0
    while crashed_at <= steps:
        quarantine, changes, plan = MemoryQuarantine(), MemoryChangesQueue(), CrashPlan()
        await fill(quarantine)
        ids = await row_ids(quarantine)
        plan.at = crashed_at or None
        service = ReplayQuarantined(quarantine=plan.wrap(quarantine), changes=plan.wrap(changes))
        try:
            done = [outcome async for outcome in service.replay(ids)]
        except Crash:
            done = []
            left = {stored.raw async for stored in quarantine.newest_first()}
            assert left | set(changes.bodies) == set(BODIES)
            assert len(left & set(changes.bodies)) <= 1
        assert plan.crashed == (crashed_at > 0)
        assert len(done) == (0 if plan.crashed else len(BODIES))
        steps = steps or plan.passed
        crashed_at += 1
    assert steps == 2 * 3 * len(BODIES)


async def test_what_is_not_mended_comes_back_under_a_new_id_and_what_is_mended_is_taken() -> None:
    world, changes = World(), MemoryChangesQueue()
    service = ReplayQuarantined(quarantine=world.quarantine, changes=changes)
    ahead = item("p", 2 * 3600, attributes={"x": 1})
    await world.handle(ahead, {"bad": 1})
    before = await row_ids(world.quarantine)
    await world.clock.sleep(2 * 3600)

    assert len([outcome async for outcome in service.replay_all()]) == 2
    for number, body in enumerate(changes.bodies):
        await world.worker.export_changes.handle(InboundMessage(f"again{number}", body, NOW))

    (stored,) = [stored async for stored in world.quarantine.newest_first()]
    assert (json.loads(stored.raw), stored.row_id in before) == ({"bad": 1}, False)
    assert world.profiles.saves[-1].attributes.resolve() == {"x": 1}
