"""What was counted, of one destination, added up over all instances."""

from shared.domain.instants import DAY
from shared.domain.runs import RunCounts, RunSlot, in_steps, slot_of, total_of
from shared.ports.runs import RunStore
from shared.ports.time import Clock

KEPT_DAYS = 32


class RunHistory:
    """What an instance has counted is in it some seconds later (`FLUSH_SECONDS` of `record_runs`)."""

    def __init__(self, store: RunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, destination_id: str, since: int, until: int, step: int) -> list[RunSlot]:
        """From `since` until `until`, in slots of `step` that start at multiples of it, empty ones included; all in
        microseconds. NO_DESTINATION has what concerns no single one.

        The first slot starts at or before `since` and is whole. Raises ValueError for a `step` that is no multiple of
        SLOT, StorageError.
        """
        slots = in_steps((), since, until, step)
        counted = await self._store.read(destination_id, slots[0].start, until) if slots else []
        return in_steps(counted, since, until, step)

    async def totals(self, destination_id: str, since: int, until: int) -> RunCounts:
        """From the slot of `since` until `until`. Raises StorageError."""
        return total_of(
            RunSlot(each.start, each.counts) for each in await self._store.read(destination_id, slot_of(since), until)
        )

    async def forget_outdated(self) -> int:
        """Delete what is older than KEPT_DAYS; how many rows went. Raises StorageError."""
        return await self._store.forget(self._clock() - KEPT_DAYS * DAY)
