"""Who looks again and again does not have thousands of rows counted each time."""

import pytest

from shared.ports.undelivered import UndeliveredCount
from shared.services.delivery.undelivered_counts import MANY, REMEMBERED_FOR, UndeliveredCounts
from tests.kit.builders import NOW
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.delivery import MemoryUndelivered


class Counting(MemoryUndelivered):
    """Has as many rows as one says, and counts how often it was asked."""

    rows_of_each = 0
    asked = 0

    async def count(self, _destination_id: str, _most: int) -> UndeliveredCount:
        self.asked += 1
        return UndeliveredCount({"parked": self.rows_of_each}, complete=True)

    async def counts(self, most: int) -> dict[str, UndeliveredCount]:
        return {each: await self.count(each, most) for each in "d"}


@pytest.mark.parametrize("all_destinations", [False, True])
async def test_of_many_rows_a_count_is_good_enough_for_a_while(all_destinations: bool) -> None:
    clock, store = ManualClock(NOW), Counting()
    counts = UndeliveredCounts(undelivered=store, clock=clock)

    async def total() -> int:
        found = (await counts.by_destination())["d"] if all_destinations else await counts.of("d")
        return found.total

    store.rows_of_each = MANY
    assert [await total(), await total()] == [MANY, MANY]
    assert store.asked == 2
    store.rows_of_each = MANY + 1
    assert [await total(), await total()] == [MANY + 1, MANY + 1]
    assert store.asked == 3
    store.rows_of_each = 2 * MANY
    await clock.sleep(REMEMBERED_FOR / 1_000_000)
    assert await total() == 2 * MANY
    store.rows_of_each = 1
    await clock.sleep(REMEMBERED_FOR / 1_000_000)
    assert [await total(), await total()] == [1, 1]


async def test_each_destination_is_counted_for_itself() -> None:
    store = Counting()
    counts = UndeliveredCounts(undelivered=store, clock=ManualClock(NOW))
    store.rows_of_each = 2 * MANY
    assert (await counts.of("d")).total == 2 * MANY
    store.rows_of_each = 3 * MANY
    assert (await counts.of("e")).total == 3 * MANY
    assert (await counts.by_destination())["d"].total == 3 * MANY
