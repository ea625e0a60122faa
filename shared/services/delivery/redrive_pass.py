"""One pass over what waits for a destination, or over a part of it: what is tried, and when trying is in vain."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.concurrency import all_of
from shared.domain.exports.undelivered import UndeliveredState, retry_overdue
from shared.domain.instants import MINUTE, SECOND, within
from shared.ports.health import RedriveRequest
from shared.ports.time import Clock
from shared.ports.undelivered import StoredUndelivered
from shared.services.configuration.cache import ConfigurationSnapshot
from shared.services.delivery.attempts import Attempt
from shared.services.delivery.retry import RetryExport

OVERDUE_PATIENCE = 120.0
DEAD_LEFT_ALONE = MINUTE
FAILURES_TO_STOP_AT = 3
CLOCK_SKEW = 5 * SECOND
"""How far the clocks of workers may be apart."""
_SETTLED = frozenset({Attempt.SENT, Attempt.DROPPED})
_IN_VAIN = frozenset({Attempt.FAILED, Attempt.PARKED})


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of exports that were sent together. `took` is in microseconds; `settled` rows are gone."""

    took: int
    settled: int
    failed: bool


@dataclass(slots=True)
class RedrivePass:
    """`began` is from before the health rows were read, in microseconds; `request` is what they ask for.

    What was parked since then is left for the next pass: whoever parked it may know of an outage that began after that,
    and count on the row to be there. Of a destination that is removed every row is tried, which drops it: nothing else
    ever would. A partition that fails too often is left for the next pass, too.
    """

    retry: RetryExport
    clock: Clock
    destination_id: str
    snapshot: ConfigurationSnapshot
    request: RedriveRequest | None
    began: int
    done: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    _left: bool = False
    _failures: Counter[str | None] = field(default_factory=Counter)

    @property
    def removed(self) -> bool:
        return self.destination_id not in self.snapshot.targets.by_id

    async def wants(self, stored: StoredUndelivered) -> bool:
        """Whether the row is to be tried now. One whose pointer is lost gets a new one instead. Raises StorageError."""
        now = self.clock()
        if not self.removed and retry_overdue(stored.row, now, self.retry.retry_delays, OVERDUE_PATIENCE):
            await self.retry.point_to(stored.row)
            self.done["pointed to again"] += 1
            return False
        if parked_since(stored, self.began) or self._failures[self._partition_of(stored)] >= FAILURES_TO_STOP_AT:
            self._left = True
            return False
        return self.removed or _wants_redrive(stored, now, self.request)

    async def attempt(self, together: Sequence[StoredUndelivered]) -> Tried:
        """Try these rows, side by side. Raises StorageError."""
        began = self.clock()
        attempts = await all_of(self.retry.attempt(stored, self.snapshot) for stored in together)
        for stored, attempt in zip(together, attempts, strict=True):
            if attempt in _IN_VAIN:
                partition = self._partition_of(stored)
                failures = self._failures[partition] + 1
                self._failures[partition] = max(failures, FAILURES_TO_STOP_AT * (attempt == Attempt.PARKED))
            self.done[attempt] += 1
        self.tried += len(attempts)
        settled = sum(attempt in _SETTLED for attempt in attempts)
        return Tried(self.clock() - began, settled, failed=not _IN_VAIN.isdisjoint(attempts))

    @property
    def all_fail(self) -> bool:
        """Whether there is no partition left that may take anything in this pass."""
        given_up = {partition for partition, count in self._failures.items() if count >= FAILURES_TO_STOP_AT}
        partitions = self.retry.partitions_of(self.destination_id, self.snapshot)
        return None in given_up or 0 < partitions <= len(given_up)

    @property
    def complete(self) -> bool:
        """Whether all of what it came past was tried."""
        return not self._left and max(self._failures.values(), default=0) < FAILURES_TO_STOP_AT

    def _partition_of(self, stored: StoredUndelivered) -> str | None:
        return None if self.removed else self.retry.partition_of(stored.row, self.snapshot)


def parked_since(stored: StoredUndelivered, began: int) -> bool:
    """Whether the row was parked when the health rows were read already, or after that."""
    return stored.row.state == UndeliveredState.PARKED and stored.row.last_failed_at > began - CLOCK_SKEW


def _wants_redrive(stored: StoredUndelivered, now: int, request: RedriveRequest | None) -> bool:
    """A request is for all that had failed by then; what has failed since was tried for it."""
    row = stored.row
    if row.state == UndeliveredState.DEAD:
        requested = request is not None and row.last_failed_at <= request.requested_at
        return requested or not (row.permanent or within(now - row.last_failed_at, DEAD_LEFT_ALONE))
    return row.state == UndeliveredState.PARKED
