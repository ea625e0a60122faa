"""The contract of RunStore."""

from uuid import NAMESPACE_URL, uuid5

import pytest

from shared.domain.instants import DAY, SECOND, parse_instant
from shared.domain.runs import MOST_AUDIENCES, NO_DESTINATION, SLOT, RunCounts, RunSlot
from shared.domain.shadow_counts import ShadowCounts
from shared.ports.runs import RunStore

MIDNIGHT = parse_instant("2026-01-12T00:00:00Z")


def counted(start: int, number: int) -> RunSlot:
    counts = RunCounts(received=number, bytes_sent=number * 10**12)
    counts.activated["audience,attribute"] = number
    counts.excluded["nothing mapped changed"] = 1
    counts.latency.add(number * SECOND)
    counts.audiences = {("ups", "a"): [number, 1], ("ü/", "a:b"): [0, number]}
    counts.shadows[number] = ShadowCounts(both=number)
    counts.shadows[number].add(("audience", 100), ("audience,consent", 120), differ=True)
    return RunSlot(start, counts)


async def numbers(store: RunStore, destination_id: str, since: int, until: int) -> list[tuple[int, int]]:
    """(slots from midnight, received) of each row."""
    found = await store.read(destination_id, since, until)
    return sorted(((slot.start - MIDNIGHT) // SLOT, slot.counts.received) for slot in found)


class RunStoreContract:
    """`store` is empty."""

    @pytest.fixture
    def store(self) -> RunStore:
        raise NotImplementedError

    async def test_all_that_was_counted_comes_back(self, store: RunStore) -> None:
        for destination_id in ("d", NO_DESTINATION):
            assert await store.read(destination_id, MIDNIGHT, MIDNIGHT + SLOT) == []
            await store.put(destination_id, counted(MIDNIGHT, 7), "i")
            assert await store.read(destination_id, MIDNIGHT, MIDNIGHT + SLOT) == [counted(MIDNIGHT, 7)]

    async def test_there_is_room_for_as_many_audiences_as_are_counted(self, store: RunStore) -> None:
        slot = RunSlot(MIDNIGHT, RunCounts())
        slot.counts.audiences = {
            ("ups", str(uuid5(NAMESPACE_URL, str(number)))): [number, number * 3] for number in range(MOST_AUDIENCES)
        }
        await store.put(NO_DESTINATION, slot, "i")
        assert await store.read(NO_DESTINATION, MIDNIGHT, MIDNIGHT + SLOT) == [slot]

    async def test_each_instance_has_its_own_and_replaces_that_alone(self, store: RunStore) -> None:
        await store.put("d", counted(MIDNIGHT, 1), "one")
        await store.put("d", counted(MIDNIGHT, 2), "two")
        await store.put("d", counted(MIDNIGHT, 4), "one")
        assert await numbers(store, "d", MIDNIGHT, MIDNIGHT + SLOT) == [(0, 2), (0, 4)]

    async def test_a_stretch_begins_with_its_first_slot_and_ends_before_its_last(self, store: RunStore) -> None:
        for number in range(-3, 4):
            await store.put("d", counted(MIDNIGHT + number * SLOT, number + 10), "i")
        await store.put("d", counted(MIDNIGHT + 2 * DAY, 20), "i")
        everything = [(number, number + 10) for number in range(-3, 4)] + [(288, 20)]
        assert await numbers(store, "d", MIDNIGHT - DAY, MIDNIGHT + 3 * DAY) == everything
        assert await numbers(store, "d", MIDNIGHT - 2 * SLOT, MIDNIGHT + 2 * SLOT) == everything[1:5]
        assert await numbers(store, "d", MIDNIGHT + SLOT, MIDNIGHT + SLOT + 1) == [(1, 11)]
        assert await numbers(store, "d", MIDNIGHT + SLOT, MIDNIGHT + SLOT) == []

    async def test_destinations_do_not_mix(self, store: RunStore) -> None:
        for number, destination_id in enumerate(("d", "d-2", "2026-01-12", "2026-01-12-d")):
            await store.put(destination_id, counted(MIDNIGHT, number + 1), "i")
        assert await numbers(store, "d", MIDNIGHT, MIDNIGHT + SLOT) == [(0, 1)]
        assert await numbers(store, "2026-01-12-d", MIDNIGHT, MIDNIGHT + SLOT) == [(0, 4)]

    async def test_days_that_are_over_are_forgotten_whole(self, store: RunStore) -> None:
        for start in (MIDNIGHT - DAY, MIDNIGHT - SLOT, MIDNIGHT, MIDNIGHT + DAY):
            await store.put("d", counted(start, 1), "i")
        await store.put("e", counted(MIDNIGHT - 9 * DAY, 1), "i")
        assert await store.forget(MIDNIGHT + 5 * SLOT) == 3
        assert await store.forget(MIDNIGHT + 5 * SLOT) == 0
        assert await numbers(store, "d", MIDNIGHT - DAY, MIDNIGHT + 2 * DAY) == [(0, 1), (144, 1)]
