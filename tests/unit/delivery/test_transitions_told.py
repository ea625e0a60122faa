"""Who entered and who left is told whatever fails on the way, and each under one id."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.instants import SECOND
from shared.domain.profile.state import ProfileState
from shared.domain.profile_key import profile_key
from shared.errors import SendError, StorageError
from shared.services.delivery.attempts import Attempt
from tests.kit.builders import item, membership
from tests.kit.world import World

KEY = profile_key("p")
ENTERS, LEAVES = {"segmentMembership": membership(1)}, {"segmentMembership": membership(2, "exited")}


@pytest.fixture
def world() -> World:
    return World()


def told(world: World, destination_id: str = "d") -> list[list[str]]:
    """The ids that each export to the destination tells of, without those that tell of none."""
    texts = [
        export.application_properties.get("transitionIds")
        for export in world.sender.sent
        if export.destination.id == destination_id
    ]
    return [str(text).split(",") for text in texts if text]


async def test_a_retry_tells_of_both_ways_in_their_order(world: World) -> None:
    world.break_down("d")
    await world.handle(item("p", 1, **ENTERS))
    await world.handle(item("p", 2, **LEAVES), message_id="m2")
    world.mend("d")
    assert (await world.retry())[0][0] == Attempt.SENT

    (ours,) = told(world)
    assert [identity.partition("-")[0] for identity in ours] == ["entered", "left"]
    assert len(told(world, "e")) == 2
    assert not set(ours).intersection(*told(world, "e")), "an id is of one destination"
    assert not world.undelivered.rows


async def test_what_fails_while_a_retry_is_on_its_way_is_told_by_the_next(world: World) -> None:
    """An older export that is late: the retry's version is as great, and still it has something to tell."""
    world.break_down("d")
    await world.handle(item("p", 1, attributes={"x": 1}, **ENTERS))
    await world.handle(item("p", 2, **LEAVES), message_id="m2")
    world.mend("d")
    enqueue = world.sender.enqueue

    def overtaken(export: Any, **options: Any) -> Any:
        """Another worker's news of the same row come while the export is sent."""
        world.sender.enqueue = enqueue  # type: ignore[method-assign]
        (key, (row, _)) = next(iter(world.undelivered.rows.items()))
        more = row.transitions[0]._replace(audience_id="b")
        world.undelivered.rows[key] = (replace(row, transitions=(*row.transitions, more)), "another")
        return enqueue(export, **options)

    world.sender.enqueue = overtaken  # type: ignore[method-assign]
    await world.retry()
    assert [row.transitions[-1].audience_id for row, _ in world.undelivered.rows.values()] == ["b"]


async def test_what_is_parked_again_in_an_outage_is_told_after_it(world: World) -> None:
    world.break_down("d")
    for number in range(3):
        await world.handle(item(f"opens-{number}", 1, **ENTERS), message_id=f"opens-{number}")
    await world.clock.sleep(31)
    await world.handle(item("p", 1, **ENTERS))
    await world.handle(item("p", 2, **LEAVES), message_id="m2")
    ((row, _),) = (each for each in world.undelivered.rows.values() if each[0].profile_id == "p")
    assert [each.entered for each in row.transitions] == [True, False]


async def test_a_busy_profile_keeps_what_a_dead_worker_has_still_to_tell(world: World) -> None:
    await world.handle(item("p", 1, segmentMembership=membership(1, audience="z")))
    world.sender.failures["d"] = lambda name: SendError(name, "down")
    broken = world.undelivered.load

    async def fails(*_: Any) -> Any:
        raise StorageError("no answer")

    world.undelivered.load = fails  # type: ignore[method-assign, assignment]
    with pytest.raises(StorageError):
        await world.handle(item("p", 2, **ENTERS), message_id="cut-off")
    world.undelivered.load = broken  # type: ignore[method-assign]
    world.mend("d")
    for second in range(3, 80):
        status = "exited" if second % 2 else "realized"
        await world.handle(item("p", second, segmentMembership=membership(second, status)), message_id=f"m{second}")
        world.clock.now += SECOND
    state: ProfileState = (await world.profiles.load("p")).state
    assert "cut-off:0" in state.due
    assert len(state.due) < 50
    before = {identity for ids in told(world) for identity in ids}

    await world.handle(item("p", 2, **ENTERS), message_id="cut-off")

    assert set(told(world)[-1]) - before, "told of who entered in the message that was cut off"
