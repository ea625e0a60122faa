"""Counts what becomes of changes and exports: in memory, saved every few seconds beside the messages' way.

What was counted since the last save is lost when the process is killed; nothing else hangs on it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from shared.domain.exports.export import Export
from shared.domain.exports.shadow import Compared
from shared.domain.instants import DAY
from shared.domain.profile.memberships import AudienceKey
from shared.domain.runs import NO_DESTINATION, SLOT, RunCounts, RunSlot, slot_of
from shared.domain.shadow_counts import ShadowCounts
from shared.errors import StorageError
from shared.ports.runs import MetricSink, RunStore
from shared.ports.time import Clock
from shared.services.runs.last_exports import LastExports

FLUSH_SECONDS = 15.0
_GIVEN_UP_AFTER = DAY

_Key = tuple[str, int]


class RecordRuns:
    """`last` is told of each export that is acknowledged; `new_id` names this instance in the store, once there is
    something to save.
    """

    def __init__(
        self, store: RunStore, metrics: MetricSink, last: LastExports, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._last = last
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id
        self._instance = ""
        self._fresh: dict[_Key, RunCounts] = {}
        self._crossings: Counter[tuple[AudienceKey, bool]] = Counter()
        self._slots: dict[_Key, RunCounts] = {}
        self._unsaved: set[_Key] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._problem: StorageError | None = None
        self._turn = asyncio.Lock()

    def received(self, destination_id: str | None, changes: int) -> None:
        """That many changes brought the destination into question; None: they came at all."""
        self._counts(destination_id or NO_DESTINATION).received += changes

    def excluded(self, destination_id: str | None, why: str, changes: int) -> None:
        """That many changes called for no export to the destination; None: to none."""
        self._counts(destination_id or NO_DESTINATION).excluded[why] += changes

    def acknowledged(self, export: Export, received_at: int | None = None, *, fresh: bool = True) -> None:
        """The hub took `export` just now, which came from a message that was queued at `received_at` (0: unknown).

        None where it was not the first attempt. `fresh`: there is a change whose age tells something.
        """
        now = self._clock()
        counts = self._counts(export.destination.id, now)
        counts.activated[",".join(export.reasons)] += 1
        counts.bytes_sent += len(export.body)
        if received_at:
            counts.latency.add(now - received_at)
        if fresh:
            counts.freshness.add(now - export.occurred_at)
        self._last.add(export, now)

    def failed(self, destination_id: str) -> None:
        """An attempt failed."""
        self._counts(destination_id).failed += 1

    def retried(self, destination_id: str) -> None:
        """An attempt is made that is not the export's first."""
        self._counts(destination_id).retried += 1

    def dead(self, destination_id: str) -> None:
        self._counts(destination_id).dead += 1

    def parked(self, destination_id: str) -> None:
        self._counts(destination_id).parked += 1

    def throttled(self, destination_id: str) -> None:
        """The hub asked for patience before it took an export, or for so long that nobody waited for it."""
        self._counts(destination_id).throttled += 1

    def decided_again(self, why: str) -> None:
        """A decision on a profile was not saved, so another one is made."""
        self._counts(NO_DESTINATION).decided_again[why] += 1

    def crossed(self, audience: AudienceKey, at: int, *, entered: bool, mapped: bool) -> None:
        """A profile entered the audience, or left it, by its version `at`; `mapped`: some dataflow has it."""
        self._counts(NO_DESTINATION, at).crossed(audience, entered=entered)
        if mapped:
            self._crossings[audience, entered] += 1

    def compared(self, compared: Compared) -> None:
        """What a change called for by a candidate, and by the live mapping."""
        shadows = self._counts(compared.destination_id).shadows
        counts = shadows.get(compared.revision)
        if counts is None:
            counts = shadows[compared.revision] = ShadowCounts()
        counts.add(compared.live, compared.candidate, differ=compared.differ)

    def _counts(self, destination_id: str, now: int | None = None) -> RunCounts:
        key = destination_id, slot_of(self._clock() if now is None else now)
        counts = self._fresh.get(key)
        if counts is None:
            counts = self._fresh[key] = RunCounts()
            self._flush_later()
        return counts

    def _flush_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._begin_flush)

    def _begin_flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.ensure_future(self._flush_in_background())

    async def _flush_in_background(self) -> None:
        self._problem = await self.flush()

    def take_problem(self) -> StorageError | None:
        """Why the last save in the background failed, if it did, once: nobody waited for it."""
        problem, self._problem = self._problem, None
        return problem

    async def flush(self) -> StorageError | None:
        """Save what was counted, and the last exports.

        Why that failed, if it did: what could not be saved is with the next time's.
        """
        self._take_fresh()
        async with self._turn:  # an older save must not end after a newer one
            self._instance = self._instance or self._new_id()
            unsaved = sorted(self._unsaved)
            saving = (*(self._save(key) for key in unsaved), self._last.save(self._instance))
            saved = await asyncio.gather(*saving, return_exceptions=True)
            self._forget_past_slots()
            if self._unsaved or self._last.unsaved:
                self._flush_later()
        problems = [problem for problem in saved if problem is not None]
        for problem in problems:
            if not isinstance(problem, StorageError):
                raise problem
        return next((problem for problem in problems if isinstance(problem, StorageError)), None)

    def _take_fresh(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        fresh, self._fresh = self._fresh, {}
        if self._crossings:
            self._metrics.publish_crossings(self._crossings)
            self._crossings = Counter()
        for key, counts in fresh.items():
            self._metrics.publish(key[0], counts)
            self._slots.setdefault(key, RunCounts()).merge(counts)
            self._unsaved.add(key)

    async def _save(self, key: _Key) -> None:
        """The slot's counts so far, whole: after a save of which nothing is known, saving them again does no harm."""
        destination_id, start = key
        self._unsaved.discard(key)
        try:
            await self._store.put(destination_id, RunSlot(start, self._slots[key]), self._instance)
        except BaseException:
            self._unsaved.add(key)
            raise

    def _forget_past_slots(self) -> None:
        """The slot before the current one stays, for a clock that is set back would count in it again."""
        now = self._clock()
        past = slot_of(now) - SLOT
        for key in list(self._slots):
            saved = key not in self._unsaved and key not in self._fresh
            if (saved and key[1] < past) or key[1] < now - _GIVEN_UP_AFTER:
                del self._slots[key]
                self._unsaved.discard(key)
