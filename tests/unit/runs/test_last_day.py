"""What every destination's exports came to in the last day."""

from collections import Counter

from shared.domain.instants import MINUTE, SECOND
from shared.domain.runs import NO_DESTINATION, QUARANTINED, Histogram, RunCounts, RunSlot, slot_of
from shared.services.runs.last_day import HOUR, LastDay
from tests.kit.builders import NOW
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.runs import MemoryRuns

START = NOW - NOW % HOUR + 30 * MINUTE


class CountedRuns(MemoryRuns):
    """Says from when each destination's counts were read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int]] = []

    async def read(self, destination_id: str, since: int, until: int) -> list[RunSlot]:
        self.reads.append((destination_id, since))
        return await super().read(destination_id, since, until)


async def put(runs: MemoryRuns, destination_id: str, at: int, exports: int, instance: str = "i") -> None:
    latency = Histogram()
    for _ in range(exports):
        latency.add(SECOND)
    counts = RunCounts(activated=Counter({"audience": exports}), latency=latency)
    await runs.put(destination_id, RunSlot(slot_of(at), counts), instance)


async def test_hours_add_up_over_instances() -> None:
    runs, clock = CountedRuns(), ManualClock(START)
    await put(runs, "d", START, 2)
    await put(runs, "d", START - 20 * MINUTE, 3, "j")
    await put(runs, "d", START - 23 * HOUR, 5)
    await put(runs, "d", START - 24 * HOUR, 100)
    days = await LastDay(runs, clock).of(["d", "silent"])
    assert (days["d"].exports, days["d"].last_slot) == ([5, *[0] * 22, 5], slot_of(START))
    assert days["d"].latency.count == 10
    assert (sum(days["silent"].exports), days["silent"].last_slot) == (0, None)


async def test_what_went_into_quarantine_adds_up() -> None:
    runs, clock = CountedRuns(), ManualClock(START)
    for ago, changes in ((0, 2), (23 * HOUR, 3), (24 * HOUR, 100)):
        counts = RunCounts(excluded=Counter({QUARANTINED: changes, "other": 1}))
        await runs.put(NO_DESTINATION, RunSlot(slot_of(START - ago), counts), "i")
    assert (await LastDay(runs, clock).of([NO_DESTINATION]))[NO_DESTINATION].quarantined == 5


async def test_who_looks_again_reads_what_may_have_changed() -> None:
    runs, clock = CountedRuns(), ManualClock(START)
    day = LastDay(runs, clock)
    await put(runs, "d", START, 2)
    await day.of(["d"])
    assert runs.reads == [("d", START - 30 * MINUTE - 23 * HOUR)]
    await put(runs, "d", START, 4)
    assert (await day.of(["d"]))["d"].exports[-1] == 2
    assert len(runs.reads) == 1
    clock.now += MINUTE
    assert (await day.of(["d"]))["d"].exports[-1] == 4
    assert runs.reads[1:] == [("d", START - 30 * MINUTE)]


async def test_what_an_instance_saves_late_is_counted() -> None:
    runs, clock = CountedRuns(), ManualClock(START + 30 * MINUTE - SECOND)
    day = LastDay(runs, clock)
    await day.of(["d"])
    await put(runs, "d", START + 29 * MINUTE, 7)
    clock.now = START + 32 * MINUTE
    assert (await day.of(["d"]))["d"].exports[-2:] == [7, 0]
    clock.now += 24 * HOUR
    assert (await day.of(["d"]))["d"].exports == [0] * 24
