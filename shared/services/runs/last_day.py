"""What every destination's exports came to in the last day, remembered, so that whoever looks again costs little."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.concurrency import all_of
from shared.domain.instants import MINUTE
from shared.domain.runs import QUARANTINED, Histogram, RunSlot
from shared.ports.runs import RunStore
from shared.ports.time import Clock

HOUR = 60 * MINUTE
HOURS = 24
_FRESH = MINUTE
"""For how long what was read is good enough."""
_LATE = MINUTE
"""By then instances have saved what they counted (`FLUSH_SECONDS` of `record_runs`)."""


@dataclass(slots=True)
class Day:
    """`exports`: acknowledged in each of the last 24 hours of the clock, the current one last. `last_slot`: the start
    of the latest slot in which there was one, in microseconds; None where there was none. `latency`: of all of them.
    `quarantined`: changes, of those that concern no single destination.
    """

    exports: list[int]
    last_slot: int | None
    latency: Histogram
    quarantined: int = 0


@dataclass(slots=True)
class _Hour:
    exports: int = 0
    last_slot: int | None = None
    latency: Histogram = field(default_factory=Histogram)
    quarantined: int = 0

    def add(self, slot: RunSlot) -> None:
        acknowledged = slot.counts.activated.total()
        self.exports += acknowledged
        if acknowledged:
            self.last_slot = max(slot.start, self.last_slot or 0)
        self.latency.merge(slot.counts.latency)
        self.quarantined += slot.counts.excluded[QUARANTINED]


@dataclass(slots=True)
class _Known:
    read_at: int
    hours: dict[int, _Hour]


class LastDay:
    """A request or two for each destination the first time, one at most a minute later; hours that are over stay."""

    def __init__(self, store: RunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def of(self, destination_ids: Iterable[str]) -> dict[str, Day]:
        """By destination id; up to a minute old. Raises StorageError."""
        now, wanted = self._clock(), list(destination_ids)
        first = now - now % HOUR - (HOURS - 1) * HOUR
        outdated = [each for each in wanted if each not in self._known or now - self._known[each].read_at >= _FRESH]
        await all_of(self._read(each, first, now) for each in outdated)
        return {each: _day(self._known[each].hours, first) for each in wanted}

    async def _read(self, destination_id: str, first: int, now: int) -> None:
        known = self._known.get(destination_id)
        since = first
        if known is not None:
            complete_until = known.read_at - _LATE
            since = max(first, complete_until - complete_until % HOUR)
        hours = {start: hour for start, hour in known.hours.items() if first <= start < since} if known else {}
        for slot in await self._store.read(destination_id, since, now + 1):
            hours.setdefault(slot.start - slot.start % HOUR, _Hour()).add(slot)
        self._known[destination_id] = _Known(now, hours)


def _day(hours: dict[int, _Hour], first: int) -> Day:
    latency = Histogram()
    for hour in hours.values():
        latency.merge(hour.latency)
    return Day(
        exports=[hours[start].exports if start in hours else 0 for start in range(first, first + HOURS * HOUR, HOUR)],
        last_slot=max((hour.last_slot for hour in hours.values() if hour.last_slot is not None), default=None),
        latency=latency,
        quarantined=sum(hour.quarantined for hour in hours.values()),
    )
