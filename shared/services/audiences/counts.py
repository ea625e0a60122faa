"""How many profiles are in audiences, over time: what sweeps counted, and who entered and left since."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.domain.audiences.counts import AudienceCount, CountedAudiences, CountedDay, Crossed
from shared.domain.instants import DAY, MINUTE
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import NO_DESTINATION, Crossings, add_crossings, slot_of
from shared.ports.audience_counts import AudienceCountStore
from shared.ports.runs import RunStore
from shared.ports.time import Clock

HOUR = 60 * MINUTE
_FRESH = MINUTE // 4
"""For how long what was read is good enough: instances save what they counted as often (`FLUSH_SECONDS`)."""
_LATE = 20 * MINUTE
"""By then instances have saved what they counted in a slot, unless storage failed."""
_AHEAD = HOUR
"""So much an instance's clock may be ahead: what it counts has the times of its profile versions."""


@dataclass(slots=True)
class _Known:
    """What was read at `at`, of slots from `first` on. `since`: who crossed since `base`, when the last sweep counted,
    or a day ago where none has; `hour`: in the last hour.
    """

    at: int
    first: int
    base: int
    sweeps: list[CountedAudiences]
    slots: dict[int, Crossings]
    since: Crossings = field(default_factory=dict)
    hour: Crossings = field(default_factory=dict)


class AudienceCounts:
    """Two or three requests at most every 15 seconds; what the sweeps of 30 days and the slots since hold is kept."""

    def __init__(self, store: AudienceCountStore, runs: RunStore, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._clock = clock
        self._known: _Known | None = None
        self._one_at_a_time = asyncio.Lock()

    async def members_of(self, audiences: Iterable[AudienceKey]) -> dict[AudienceKey, AudienceCount]:
        """The count of each of `audiences`, whether the catalog has it or not, without looking at any profile.

        `AudienceCount.members` is how many profiles are in it by now, `.text` says so to people. Up to half a minute
        old; what an instance counted that was killed since is missing until the next sweep. Raises StorageError.
        """
        async with self._one_at_a_time:
            known = self._known = await self._read()
        return {audience: _count(audience, known) for audience in audiences}

    async def _read(self) -> _Known:
        now, before = self._clock(), self._known
        if before is not None and 0 <= now - before.at < _FRESH:
            return before
        sweeps = await self._store.since(now - 31 * DAY)
        base = sweeps[-1].at if sweeps else slot_of(now - DAY)
        first = min(base, slot_of(now - HOUR))
        slots: dict[int, Crossings] = {}
        unread = first
        if before is not None and before.first <= first:
            unread = max(first, slot_of(before.at - _LATE))
            slots = {start: crossings for start, crossings in before.slots.items() if first <= start < unread}
        for slot in await self._runs.read(NO_DESTINATION, unread, now + _AHEAD):
            add_crossings(slots.setdefault(slot.start, {}), slot.counts.audiences)
        known = _Known(now, first, base, sweeps, slots)
        for start, crossings in slots.items():
            if start >= base:
                add_crossings(known.since, crossings)
            if start >= slot_of(now - HOUR):
                add_crossings(known.hour, crossings)
        return known


def _count(audience: AudienceKey, known: _Known) -> AudienceCount:
    last = known.sweeps[-1] if known.sweeps else None
    return AudienceCount(
        counted=last.members_in(audience) if last else None,
        counted_at=last.at if last else None,
        since_counted=_crossed(known.base, known.since.get(audience)),
        hour=_crossed(slot_of(known.at - HOUR), known.hour.get(audience)),
        week=_over(audience, known, 7),
        month=_over(audience, known, 30),
        days=tuple(
            CountedDay(sweep.at, sweep.members_in(audience), *sweep.crossings.get(audience, (0, 0)))
            for sweep in known.sweeps
            if sweep.at > known.at - 30 * DAY
        ),
    )


def _over(audience: AudienceKey, known: _Known, days: int) -> Crossed:
    """In the last `days`, beginning with a sweep: what sweeps found, and what is counted since the last."""
    sweeps = [sweep for sweep in known.sweeps if sweep.at > known.at - days * DAY]
    pairs = [sweep.crossings.get(audience, [0, 0]) for sweep in sweeps]
    pairs.append(known.since.get(audience, [0, 0]))
    since = sweeps[0].since if sweeps else known.base
    return Crossed(since, sum(entered for entered, _ in pairs), sum(left for _, left in pairs))


def _crossed(since: int, pair: list[int] | None) -> Crossed:
    entered, left = pair or (0, 0)
    return Crossed(since, entered, left)
