"""A long redrive: handed out in slices, which several workers take, each row once, at a pace for all of them."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from shared.domain.backfills.backfill import BackfillState, redrive_id
from shared.domain.backfills.standstill import STALLED_AFTER
from shared.domain.configuration.model import Destination
from shared.domain.exports.export import Export
from shared.domain.exports.redrive_slices import SLICES, RedrivePart, ahead_by, most_together
from shared.domain.exports.undelivered import BUCKETS
from shared.domain.instants import SECOND
from shared.domain.messages.pointers import SlicePointer
from shared.domain.profile_key import bucket_of_key, profile_key
from shared.errors import ExportTooLargeError, StorageError
from shared.ports.exports import Acknowledgement
from shared.services.backfills.slices import SliceOutcome
from shared.services.delivery import watch
from shared.services.wiring import Services
from tests.kit.builders import NOW, item, membership
from tests.kit.parked import parked
from tests.kit.virtual_time import run_virtually
from tests.kit.world import CACHE_SECONDS, World

FIRST_WAVE = 3


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redrive is long that has tried a row."""
    monkeypatch.setattr(watch.WatchDestinations, "alone_for_rows", 1)
    monkeypatch.setattr(watch.WatchDestinations, "alone_for", 0)


async def watched(world: World, after_seconds: float = 60) -> dict[str, int]:
    await world.clock.sleep(after_seconds)
    return (await world.worker.watch_destinations.run()).summary().get("d", {})


def sent(world: World) -> Counter[str]:
    return Counter(export.profile_id for export in world.sender.sent if export.destination.id == "d")


def slices_of(key: str) -> list[int]:
    parts = enumerate(map(RedrivePart.of, range(SLICES)))
    bucket = bucket_of_key(key, BUCKETS)
    return [number for number, part in parts if part.bucket == bucket and part.after < key < part.before]


def test_each_row_is_in_one_slice_and_they_are_about_as_large() -> None:
    keys = ["0" * 64, "f" * 64, *(profile_key(str(number)) for number in range(6_400))]
    found = Counter(number for key in keys for number in slices_of(key))
    assert (found.total(), len(found)) == (len(keys), SLICES)
    assert max(found.values()) < 2 * min(found.values())


async def test_what_takes_long_is_handed_out_and_each_row_sent_once() -> None:
    world = await parked(300)
    assert await watched(world) == {"sent": FIRST_WAVE, "handed out": 1}
    assert len(world.slices.waiting) == SLICES
    assert await watched(world, 1) == {"in slices": 1}, "its rows are the slices' now"
    assert (len(sent(world)), len(world.rows)) == (FIRST_WAVE, 300 - FIRST_WAVE)

    assert set(await world.work_slices()) == {SliceOutcome.DONE}

    assert world.rows == {}
    assert (len(sent(world)), set(sent(world).values())) == (300, {1})
    assert await watched(world) == {}
    assert world.backfills.rows[redrive_id("d")].backfill.state == BackfillState.DONE
    assert world.health.noted == {}
    assert await world.worker.plan_backfills.all() == [], "it is no backfill to anybody"


async def test_several_workers_take_part() -> None:
    world = await parked(300)
    await watched(world)
    workers = [world.new_worker() for _ in range(3)]
    of_each: Counter[int] = Counter()

    async def work(number: int) -> None:
        while world.slices.waiting:
            pointer = world.slices.waiting.pop(0)
            before = len(world.rows)
            assert await workers[number].work_slices.work(pointer) == SliceOutcome.DONE
            of_each[number] += before - len(world.rows)

    await asyncio.gather(*(work(number) for number in range(3)))
    assert (world.rows, set(sent(world).values())) == ({}, {1})
    assert min(of_each.values()) > 0


async def test_how_far_it_is_stays_true_from_the_first_row_to_the_last() -> None:
    world = await parked(300)
    exports = world.worker.undelivered_exports
    await watched(world)
    seen = []
    while world.slices.waiting:
        await world.clock.sleep(1)
        await world.worker.work_slices.work(world.slices.waiting.pop(0))
        (progress,) = await exports.recoveries(await exports.counts(), world.clock())
        assert progress.total == 300
        seen.append(progress.recovery.settled)
        if len(seen) % 20 == 0:
            assert await watched(world, 0) == {"in slices": 1}
    assert seen == sorted(seen)
    assert seen[-1] == 300
    assert progress.per_second == pytest.approx(300 / (world.clock() - progress.recovery.since) * SECOND, rel=0.1)


async def test_a_worker_that_dies_in_a_slice_leaves_it_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await parked(200)
    await watched(world)
    (number,) = slices_of(next(key for _, key in world.undelivered.rows))
    pointer = next(each for each in world.slices.waiting if each.bucket == number)
    with monkeypatch.context() as patch:

        async def dies(*_arguments: Any) -> Any:
            raise StorageError("gone")

        patch.setattr(world.profiles, "load", dies)
        with pytest.raises(StorageError):
            await world.worker.work_slices.work(pointer)
    world.slices.waiting.clear()  # nobody brings any pointer again
    assert await watched(world, STALLED_AFTER / SECOND + 1) == {"in slices": 1}
    assert len(world.slices.waiting) == SLICES
    assert await world.worker.work_slices.work(pointer) == SliceOutcome.OUTDATED
    await world.work_slices()
    assert (world.rows, set(sent(world).values())) == ({}, {1})


async def test_the_next_redrive_begins_anew_and_takes_no_pointer_of_the_last() -> None:
    world = await parked(100)
    await watched(world)
    old = list(world.slices.waiting)
    await world.work_slices()
    await watched(world)
    world.break_down("d")
    for each in range(100):
        await world.handle(item(f"n{each}", 1, segmentMembership=membership(1)), message_id=f"n{each}")
    world.mend("d")
    world.health.troubles.clear()
    await world.clock.sleep(2 * CACHE_SECONDS)
    world.worker = world.new_worker()
    world.sender.sent.clear()
    assert (await watched(world))["handed out"] == 1
    assert {await world.worker.work_slices.work(pointer) for pointer in old} == {SliceOutcome.OUTDATED}
    await world.work_slices()
    assert set(world.rows.values()) <= {"retrying"}
    assert set(sent(world).values()) == {1}


async def test_slices_end_where_the_hub_is_down_again_and_another_redrive_sends_the_rest() -> None:
    world = await parked(200)
    await watched(world)
    world.break_down("d")
    await world.work_slices()
    left = len(world.rows)
    assert left >= 200 - FIRST_WAVE, "all but a few are not even tried"
    assert (await watched(world))["still down"] == 1
    world.mend("d")
    assert (await watched(world))["answers again"] == 1
    assert (await watched(world, 1))["recovering"] == 1
    assert (await watched(world, 2 * CACHE_SECONDS))["handed out"] == 1
    await world.work_slices()
    await world.retry()
    for _ in range(3):
        await watched(world)
        await world.work_slices()
    assert (world.rows, world.health.troubles) == ({}, {})


async def test_a_slice_does_not_touch_what_somebody_may_count_on() -> None:
    """The hub went down and answers again, and not every worker knows that it does."""
    world = await parked(200)
    await watched(world)
    world.break_down("d")
    for each in range(3):
        await world.handle(item(f"n{each}", 1, segmentMembership=membership(1)), message_id=f"n{each}")
    world.mend("d")
    assert (await watched(world, 1))["answers again"] == 1
    rows, world.worker = dict(world.rows), world.new_worker()
    await world.work_slices()
    assert world.rows == rows


async def test_what_is_asked_for_by_hand_is_handed_out_with_all_that_is_dead() -> None:
    world = World()
    world.sender.failures["d"] = lambda down: ExportTooLargeError(down, "too large")
    for each in range(50):
        await world.handle(item(f"p{each}", 1, segmentMembership=membership(1)), message_id=f"m{each}")
    world.mend("d")
    done = (await world.worker.watch_destinations.redrive("d")).summary()["d"]
    assert done == {"sent": FIRST_WAVE, "handed out": 1}
    await world.work_slices()
    assert world.rows == {}
    assert await watched(world) == {"redriven as requested": 1}


async def test_a_low_limit_is_for_one_worker_and_a_high_one_holds_for_all() -> None:
    world = await parked(20, redrive_per_second=200)
    assert await watched(world) == {"sent": 20}

    world = await parked(600, redrive_per_second=300)
    await watched(world)
    began = world.clock()
    await world.work_slices()
    assert (world.clock() - began) / SECOND >= 0.8 * 597 / 300
    assert (ahead_by(10, NOW, NOW + SECOND, 640), ahead_by(10, NOW, NOW + 2 * SECOND, 640)) == (0, 0)
    assert ahead_by(20, NOW, NOW + SECOND, 640) == SECOND
    assert (most_together(2_000), most_together(1)) == (62, 3)


class Hub:
    """A sender whose hub takes `per_second` events, one after the other, and answers a hundredth of a second later."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.taken: list[tuple[float, float, str]] = []
        """When each was sent, for how long it waited, and of which profile it is."""
        self._free_at = 0.0

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        return asyncio.ensure_future(self.take(export.profile_id))

    def flush(self) -> None:
        """Nothing waits for others here."""

    async def take(self, profile_id: str) -> Acknowledgement:
        sent_at = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, sent_at) + 1 / self.per_second
        took = self._free_at - sent_at + 0.01
        await asyncio.sleep(took)
        self.taken.append((sent_at, took, profile_id))
        return Acknowledgement("0")

    def partitions(self, _destination: Destination) -> tuple[str, ...]:
        return ("0",)

    def rate(self, since: float, until: float) -> float:
        """Redriven events a second that it took between these times."""
        return sum(since <= at + took < until for at, took, who in self.taken if who != LIVE) / (until - since)

    def live_latency(self, since: float, until: float) -> float:
        """The 95th percentile, in seconds, of live events that were sent between these times."""
        found = sorted(took for at, took, who in self.taken if who == LIVE and since <= at < until)
        return found[int(0.95 * len(found))]


LIVE = "live"
CALM, THROTTLED, LIVE_RATE = 100.0, 10.0, 5.0


async def at_work(world: World, worker: Services) -> None:
    """What a host does: up to 24 messages at a time."""
    places = asyncio.Semaphore(24)

    async def work(pointer: SlicePointer) -> None:
        await worker.work_slices.work(pointer)
        places.release()

    async with asyncio.TaskGroup() as working:
        while world.slices.waiting:
            await places.acquire()
            if world.slices.waiting:
                working.create_task(work(world.slices.waiting.pop(0)))


async def redrive_beside_live_events() -> Hub:
    """Two workers redrive while somebody sends five events a second, and the hub throttles from 8 s to 20 s."""
    world, loop = await parked(1_700), asyncio.get_running_loop()
    await watched(world)
    hub, start = Hub(CALM), world.clock.now - int(loop.time() * SECOND)

    def clock() -> int:
        return start + int(loop.time() * SECOND)

    async def live() -> None:
        async with asyncio.TaskGroup() as sending:
            while world.rows:
                sending.create_task(hub.take(LIVE))
                await asyncio.sleep(1 / LIVE_RATE)

    async def throttle() -> None:
        await asyncio.sleep(8)
        hub.per_second = THROTTLED
        await asyncio.sleep(12)
        hub.per_second = CALM

    workers = (world.new_worker(clock=clock, sleep=asyncio.sleep, sender=hub) for _ in range(2))
    await asyncio.gather(live(), throttle(), *(at_work(world, worker) for worker in workers))
    assert world.rows == {}
    return hub


def test_it_leaves_room_for_live_events_backs_off_where_the_hub_throttles_and_comes_back() -> None:
    hub = run_virtually(redrive_beside_live_events)
    redriven = Counter(who for _, _, who in hub.taken if who != LIVE)
    assert set(redriven.values()) == {1}
    for since, until in ((2, 8), (24, 28)):
        assert hub.rate(since, until) > 0.9 * (CALM - LIVE_RATE)
        assert hub.live_latency(since, until) < 0.6
    assert 0.7 * (THROTTLED - LIVE_RATE) < hub.rate(12, 20) < THROTTLED - LIVE_RATE
    assert hub.live_latency(12, 20) < 2, "it would be twelve seconds if they still sent as many together as before"
