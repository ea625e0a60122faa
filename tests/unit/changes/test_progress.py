"""Changes get through whatever the clock, the size of the configuration and the load: nothing is begun anew in vain."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.domain.exports.export import Export
from shared.domain.runs import RunSlot, total_of
from shared.errors import ConflictError, StorageError
from shared.places import Places
from shared.ports.configuration import StoredConfiguration
from shared.ports.exports import Acknowledgement
from shared.ports.profiles import StoredProfile
from shared.services.changes.profile_writer import PROFILES_AT_ONCE, SAVE_ATTEMPTS
from tests.kit.builders import configuration, item, membership, told
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.configuration import MemoryConfiguration
from tests.kit.fakes.delivery import MemorySender
from tests.kit.fakes.profiles import MemoryProfiles
from tests.kit.world import CACHE_SECONDS, DOCUMENT, World

QUALIFIES = {"segmentMembership": membership(1)}
MANY = 3 * PROFILES_AT_ONCE


@pytest.fixture
def world() -> World:
    return World()


class LargeConfiguration(MemoryConfiguration):
    """Takes longer to read than a worker may use it; the clock stands still otherwise."""

    clock: ManualClock

    async def load(self) -> StoredConfiguration:
        stored = await super().load()
        await asyncio.sleep(0)
        await self.clock.sleep(CACHE_SECONDS + 1)
        return stored


def with_large_configuration(world: World) -> LargeConfiguration:
    """Let the world's first worker have read one that is the same but for its size."""
    store = LargeConfiguration(configuration(DOCUMENT))
    store.clock = world.clock
    world.configuration = store
    world.worker = world.new_worker()
    return store


async def test_an_unchanged_configuration_is_fresh_however_long_it_takes_to_read(world: World) -> None:
    store = with_large_configuration(world)
    outcome = await world.handle(*(item(f"p{number}", 1, **QUALIFIES) for number in range(MANY)))
    assert outcome.exported == {("d", "audience"): MANY, ("e", "audience"): MANY}
    assert store.loads < MANY  # who waits together reads once


async def test_who_finds_a_newer_configuration_decides_anew(world: World) -> None:
    store = with_large_configuration(world)
    without_e = {"destinations": DOCUMENT["destinations"], "dataflows": DOCUMENT["dataflows"][:1]}
    before_save(world, lambda: store.put(configuration(without_e).model_copy(update={"revision": 7})))
    await world.handle(item("p", 1, **QUALIFIES))
    assert told(world.sender.sent) == [("d", "audience")]
    assert await decided_again(world) == {"configuration changed": 1}


async def test_a_configuration_that_changes_all_the_time_is_named(world: World) -> None:
    with_large_configuration(world)
    revisions = iter(range(2, 100))

    def change() -> None:
        world.configuration.put(configuration(DOCUMENT).model_copy(update={"revision": next(revisions)}))

    before_save(world, change)
    with pytest.raises(ConflictError, match=rf"configuration changed \({SAVE_ATTEMPTS} times\)"):
        await world.handle(item("p", 1, **QUALIFIES))
    assert await decided_again(world) == {"configuration changed": SAVE_ATTEMPTS}
    assert world.profiles.saves == []


async def test_others_who_save_all_the_time_are_named(world: World) -> None:
    async def lost(profile: StoredProfile) -> None:
        raise ConflictError("somebody else saved the profile first")

    world.profiles.save = lost  # type: ignore[method-assign]
    with pytest.raises(ConflictError, match=rf"saved by others \({SAVE_ATTEMPTS} times\)"):
        await world.handle(item("p", 1, **QUALIFIES))
    assert await decided_again(world) == {"saved by others": SAVE_ATTEMPTS}


def before_save(world: World, happens: Callable[[], None]) -> None:
    """Let something happen between the decision on a new profile and its save."""
    add: Callable[..., Awaitable[None]] = world.members.add

    async def listed(*arguments: Any) -> None:
        await add(*arguments)
        happens()

    world.members.add = listed  # type: ignore[method-assign,assignment]


async def decided_again(world: World) -> dict[str, int]:
    """How often decisions were made anew, by the reason, as it is counted."""
    await world.worker.runs.flush()
    return dict(total_of(RunSlot(0, counts) for _, counts in world.metrics.published).decided_again)


class Gathering(MemorySender):
    """Acknowledges nothing that others are said to follow until nothing follows any more."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[asyncio.Future[Acknowledgement], asyncio.Future[Acknowledgement]]] = []
        self.flushes: list[int] = []
        """How many were acknowledged by each."""

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        assert more_follow
        acknowledged: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        self.held.append((acknowledged, super().enqueue(export)))
        return acknowledged

    def flush(self) -> None:
        if self.held:
            self.flushes.append(len(self.held))
        for acknowledged, result in self.held:
            acknowledged.set_result(result.result())
        self.held.clear()


@pytest.fixture
def gathering() -> World:
    world = World()
    world.sender = Gathering()
    world.worker = world.new_worker()
    return world


async def test_exports_wait_for_each_other_no_longer_than_profiles_are_being_saved(gathering: World) -> None:
    outcome = await gathering.handle(*(item(f"p{number}", 1, **QUALIFIES) for number in range(MANY)))
    assert outcome.exported == {("d", "audience"): MANY, ("e", "audience"): MANY}
    assert isinstance(gathering.sender, Gathering)
    assert gathering.sender.flushes == [2 * PROFILES_AT_ONCE] * (MANY // PROFILES_AT_ONCE)


async def test_nothing_waits_for_a_profile_that_cannot_be_saved(gathering: World) -> None:
    save = gathering.profiles.save

    async def fails(profile: StoredProfile) -> None:
        if profile.state.profile_id == "p1":
            raise StorageError("out of order")
        await save(profile)

    gathering.profiles.save = fails  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        await gathering.handle(*(item(f"p{number}", 1, **QUALIFIES) for number in range(3)))
    assert sorted(told(gathering.sender.sent)) == [("d", "audience")] * 2 + [("e", "audience")] * 2


class Crowd(MemoryProfiles):
    """Counts the profiles that are between their reading and their save."""

    inside = 0
    most = 0

    async def load(self, profile_id: str) -> StoredProfile:
        self.inside += 1
        self.most = max(self.most, self.inside)
        return await super().load(profile_id)

    async def save(self, profile: StoredProfile) -> None:
        await super().save(profile)
        self.inside -= 1


async def test_only_so_many_profiles_are_in_work_at_once() -> None:
    profiles = Crowd()
    world = World(profiles)
    messages = [[item(f"p{number}-{each}", 1, **QUALIFIES) for each in range(MANY)] for number in range(3)]
    await asyncio.gather(*(world.handle(*items, message_id=str(n)) for n, items in enumerate(messages)))
    assert profiles.most == PROFILES_AT_ONCE
    assert len(profiles.rows) == 3 * MANY


async def test_a_profile_keeps_its_place_until_its_exports_are_acknowledged() -> None:
    intake = Places(most=1, patience=3_600)
    first = await intake.enter()
    second = asyncio.ensure_future(intake.enter())
    first.leave_soon()
    await asyncio.sleep(0)
    assert not second.done()
    first.leave()
    (await second).leave()


async def test_a_stalled_hub_keeps_nobody_out_for_long() -> None:
    intake = Places(most=1, patience=0)
    first = await intake.enter()
    first.leave_soon()
    second = await intake.enter()
    first.leave()  # its exports are stored by now; the place is not its own any more
    third = asyncio.ensure_future(intake.enter())
    await asyncio.sleep(0)
    assert not third.done()
    second.leave()
    (await third).leave()


async def test_a_profile_that_cannot_be_written_leaves_its_place(world: World) -> None:
    async def fails(profile_id: str) -> StoredProfile:
        raise ConflictError("a test's own")

    load, world.profiles.load = world.profiles.load, fails  # type: ignore[method-assign]
    for number in range(PROFILES_AT_ONCE + 1):
        with pytest.raises(ConflictError):
            await world.handle(item(f"p{number}", 1, **QUALIFIES))
    world.profiles.load = load  # type: ignore[method-assign]
    await world.handle(item("p", 1, **QUALIFIES))
    assert told(world.sender.sent) == [("d", "audience"), ("e", "audience")]
