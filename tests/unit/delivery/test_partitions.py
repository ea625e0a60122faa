"""One partition of a hub that does not answer: it is no outage, and what is for the others goes its way."""

from collections.abc import Callable

import pytest

from shared.domain.profile_key import partition_of
from shared.errors import FailureCode, HeldBackError, SendError
from shared.ports.health import DestinationTrouble
from tests.kit.builders import NOW, item, membership
from tests.kit.world import World

PARTITIONS = ("0", "1", "2", "3")
STALLED = "2"
Failure = Callable[[str], SendError]


def no_answer_from(partition: str) -> Failure:
    return lambda destination_id: SendError(destination_id, "no acknowledgement", FailureCode.TIMEOUT, partition)


def stalled(destination_id: str) -> SendError:
    return SendError(destination_id, "no acknowledgement", FailureCode.TIMEOUT, STALLED)


def rejecting(destination_id: str) -> SendError:
    return SendError(destination_id, "internal error", FailureCode.OTHER, STALLED)


@pytest.fixture
def world() -> World:
    world = World()
    world.sender.hubs["d"] = PARTITIONS
    return world


def profiles_in(partition: str, number: int) -> list[str]:
    """So many profiles whose exports go to this partition."""
    found = (name for name in (f"p{n}" for n in range(1_000)) if PARTITIONS[partition_of(name, 4)] == partition)
    return [next(found) for _ in range(number)]


async def change(world: World, profile_id: str) -> str:
    """The profile qualifies: what became of the export to d."""
    world.clock.now += 1_000
    outcome = await world.handle(item(profile_id, 1, segmentMembership=membership(1)), message_id=profile_id)
    return str(next(iter(outcome.summary()["undelivered"].get("d", {"sent": 1}))))


@pytest.mark.parametrize("failure", [stalled, rejecting])
async def test_a_partition_that_fails_is_no_outage_while_others_answer(world: World, failure: Failure) -> None:
    world.sender.failing["d", STALLED] = failure
    bad, good = profiles_in(STALLED, 12), profiles_in("1", 4)
    for number, profile_id in enumerate(bad):
        assert await change(world, profile_id) == "retrying"
        if number % 3 == 1:
            assert await change(world, good[number // 3]) == "sent"
    assert world.health.troubles == {}


async def test_retries_say_nothing_of_the_partitions_that_they_do_not_go_to(world: World) -> None:
    """They go where something failed before, and timers and retries have instances of their own."""
    world.sender.failing["d", STALLED] = stalled
    for profile_id in profiles_in(STALLED, 2):
        assert await change(world, profile_id) == "retrying"
    world.worker = world.new_worker()
    while world.retries.waiting:
        await world.retry()
    for _ in range(4):
        await world.clock.sleep(61)
        await world.worker.watch_destinations.run()
    assert world.health.troubles == {}
    assert set(world.rows.values()) == {"dead"}


@pytest.mark.parametrize("failure", [stalled, rejecting])
async def test_it_is_one_where_nothing_says_that_others_answer(world: World, failure: Failure) -> None:
    assert await change(world, profiles_in("1", 1)[0]) == "sent"
    world.sender.failing["d", STALLED] = failure
    for profile_id in profiles_in(STALLED, 3):
        await change(world, profile_id)
    assert not world.health.troubles["d"].recovering
    assert await change(world, "late") == "parked"


async def test_partitions_that_fail_in_turn_are_no_evidence_for_each_other(world: World) -> None:
    """In an outage the last acknowledgements come among the first failures."""
    world.sender.failing["d", STALLED] = stalled
    await change(world, profiles_in(STALLED, 1)[0])
    assert await change(world, profiles_in("1", 1)[0]) == "sent"
    for partition in PARTITIONS:
        world.sender.failing["d", partition] = no_answer_from(partition)
    for number in range(1, 4):
        for partition in PARTITIONS:
            await change(world, profiles_in(partition, 4)[number])
    assert not world.health.troubles["d"].recovering


async def test_what_is_wrong_with_the_whole_hub_counts_whichever_partition_it_met(world: World) -> None:
    assert await change(world, profiles_in("1", 1)[0]) == "sent"
    for number, partition in enumerate(PARTITIONS[:3]):
        await world.worker.breakers.failed(SendError("d", f"refused {number}", FailureCode.BAD_KEY, partition))
    assert world.health.troubles["d"].code == "bad-key"


async def down(world: World) -> None:
    await world.health.put(DestinationTrouble("d", recovering=False, since=NOW, error="down", code="timeout"))
    world.clock.now += 1_000_000
    world.worker.configuration.outdate()


async def test_the_probe_does_not_stop_at_a_partition_that_fails(world: World) -> None:
    await down(world)
    for profile_id in [*profiles_in(STALLED, 5), *profiles_in("0", 1)]:
        assert await change(world, profile_id) == "parked"
    world.sender.failing["d", STALLED] = stalled
    probed = world.worker.watch_destinations
    await world.clock.sleep(30)
    assert (await probed.run()).summary() == {"d": {"answers again": 1}}
    assert [export.profile_id for export in world.sender.sent if export.destination.id == "d"] == profiles_in("0", 1)


async def test_a_hub_all_of_whose_partitions_fail_is_down_still(world: World) -> None:
    await down(world)
    for partition in PARTITIONS:
        for profile_id in profiles_in(partition, 2):
            await change(world, profile_id)
        world.sender.failing["d", partition] = no_answer_from(partition)
    await world.clock.sleep(30)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"still down": 1}}
    assert world.health.troubles["d"].code == "timeout"


async def test_a_redrive_leaves_what_is_for_a_partition_that_fails_and_sends_the_rest(world: World) -> None:
    bad, good = profiles_in(STALLED, 10), profiles_in("3", 10)
    await down(world)
    for profile_id in [*bad, *good]:
        await change(world, profile_id)
    world.health.troubles.clear()
    world.worker = world.new_worker()
    world.sender.failing["d", STALLED] = stalled
    await world.clock.sleep(30)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"failed": 3, "sent": 10}}
    assert {profile for _, profile in world.rows} == set(bad)

    world.sender.failing["d", STALLED] = lambda held: HeldBackError(held, "slow", FailureCode.TIMEOUT, STALLED)
    await world.clock.sleep(30)
    assert (await world.worker.watch_destinations.run()).summary() == {"d": {"parked": 3}}
    world.sender.failing.clear()
    await world.clock.sleep(30)
    done = (await world.worker.watch_destinations.run()).summary()["d"]
    await world.retry()
    assert done["sent"] >= 7
    assert world.rows == {}
