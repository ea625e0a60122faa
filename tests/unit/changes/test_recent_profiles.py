"""A change that soon follows another of the same profile needs no reading, and nobody's save is lost by it."""

import json
from typing import Any

import pytest

from shared.domain.profile_key import profile_key
from shared.errors import StorageError
from shared.ports.profiles import StoredProfile
from shared.services.changes.export import InboundMessage
from shared.services.changes.recent_profiles import READ_FOR, RecentProfiles
from shared.services.wiring import Services
from tests.kit.builders import NOW, configuration, item, membership
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.profiles import MemoryProfiles
from tests.kit.world import DOCUMENT, World


class Reading(MemoryProfiles):
    """Counts what is read."""

    reads = 0

    async def load(self, profile_id: str) -> StoredProfile:
        self.reads += 1
        return await super().load(profile_id)


@pytest.fixture
def profiles() -> Reading:
    return Reading()


@pytest.fixture
def world(profiles: Reading) -> World:
    return World(profiles)


async def handle(world: World, worker: Services, second: int) -> None:
    """A change whose time is its value."""
    changed = item("p", second, attributes={"x": second}, segmentMembership=membership(1))
    await worker.export_changes.handle(InboundMessage(f"m{second}", json.dumps([changed]).encode(), NOW))


def told(world: World) -> list[int]:
    """What the destination with the attribute was told of it, in the order of the versions."""
    sent = sorted((each.version, each.body) for each in world.sender.sent if each.destination.id == "d")
    return [json.loads(body)["x"] for _, body in sent]


async def test_the_next_change_reads_nothing(world: World, profiles: Reading) -> None:
    for second in range(1, 4):
        await handle(world, world.worker, second)
    assert profiles.reads == 1
    assert told(world) == [1, 2, 3]


async def test_what_somebody_else_saved_meanwhile_is_kept(world: World, profiles: Reading) -> None:
    other = world.new_worker()
    await handle(world, world.worker, 1)
    await handle(world, other, 3)
    await handle(world, world.worker, 2)
    assert profiles.reads == 3
    assert (await profiles.load("p")).state.attributes.resolve() == {"x": 3}
    assert told(world) == [1, 3]


async def test_a_profile_that_others_save_too_is_read_for_a_while(world: World, profiles: Reading) -> None:
    await handle(world, world.worker, 1)
    await handle(world, world.new_worker(), 2)
    await handle(world, world.worker, 3)
    reads = profiles.reads
    await handle(world, world.worker, 4)
    assert profiles.reads == reads + 1
    await world.clock.sleep(READ_FOR / 1_000_000)
    await handle(world, world.worker, 5)
    assert profiles.reads == reads + 2
    await handle(world, world.worker, 6)
    assert profiles.reads == reads + 2


async def test_after_a_save_of_which_nothing_is_known_the_profile_is_read(world: World, profiles: Reading) -> None:
    await handle(world, world.worker, 1)
    fails = [StorageError("no answer")]

    def fail() -> None:
        if fails:
            raise fails.pop()

    profiles.before_save = fail
    await handle(world, world.worker, 2)
    assert profiles.reads == 2
    assert told(world) == [1, 2]


async def test_a_redelivery_reads_before_it_sends_what_is_due(world: World, profiles: Reading) -> None:
    await handle(world, world.worker, 1)
    await handle(world, world.worker, 2)
    await handle(world, world.worker, 1)
    assert profiles.reads == 2
    assert told(world) == [1, 2, 2]


async def redeliver_after(world: World, what: dict[str, Any]) -> list[dict[str, Any]]:
    """The bodies that `d` is sent when a message comes again to the worker that remembers what it made of the profile.

    Another worker has handled `what` meanwhile.
    """
    consent = {"dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x", "/ok"], "consent": "/ok"}]}
    world.configuration.put(configuration(DOCUMENT | consent).model_copy(update={"requested_backfills": []}))
    first = item("p", 1, attributes={"x": "secret", "ok": "y"}, segmentMembership=membership(1))
    await world.handle(first, message_id="first")
    other = world.new_worker()
    await other.export_changes.handle(InboundMessage("other", json.dumps([what]).encode(), NOW))
    world.sender.sent.clear()
    await world.handle(first, message_id="first")
    return [json.loads(each.body) for each in world.sender.sent]


async def test_a_redelivery_tells_nothing_of_a_profile_that_another_worker_forgot(world: World) -> None:
    assert await redeliver_after(world, item("p", 2, deleted=True)) == []


async def test_a_redelivery_tells_no_attribute_once_another_worker_was_told_of_the_end_of_consent(
    world: World,
) -> None:
    (sent,) = await redeliver_after(world, item("p", 2, attributes={"ok": "n"}))
    assert sent.keys() == {"segmentMembership", "identityMap"}
    assert sent["segmentMembership"]["ups"]["a"]["status"] == "exited"


async def test_a_change_that_fits_by_now_is_not_refused_for_what_is_remembered() -> None:
    world = World(MemoryProfiles(size_limit=20_000))
    await world.handle(item("p", 1, attributes={"y": "y" * 15_000}), message_id="large")
    other = world.new_worker()
    freed = json.dumps([item("p", 2, attributes={"y": None})]).encode()
    await other.export_changes.handle(InboundMessage("other", freed, NOW))

    outcome = await world.handle(item("p", 3, attributes={"z": "z" * 15_000}), message_id="fits")

    assert (outcome.quarantined, world.quarantine.items) == (0, {})
    state = (await world.profiles.load("p")).state
    assert state.attributes.resolve() == {"z": "z" * 15_000}


async def test_what_was_used_last_is_forgotten_last(profiles: Reading) -> None:
    recent = RecentProfiles(profiles, ManualClock(NOW), most_bytes=1_200)
    for profile_id in ("p", "q", "p", "r"):
        key = profile_key(profile_id)
        profile = recent.recall(profile_id, key) or await profiles.load(profile_id)
        await profiles.save(profile)
        recent.saved(profile)
    remembered = [each for each in ("p", "q", "r") if recent.recall(each, profile_key(each))]
    assert remembered == ["p", "r"]
