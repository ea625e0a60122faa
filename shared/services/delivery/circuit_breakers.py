"""Circuit breakers: after three failed sends in a row a destination is down, here at once and soon everywhere.

What may be wrong with one partition of its hub alone is counted for that partition, and says nothing of the destination
as long as others answer: events of theirs were acknowledged since the first of its failures, not long ago.
"""

from dataclasses import dataclass

from shared.domain.instants import MINUTE
from shared.errors import ExportTooLargeError, FailureCode, HeldBackError, SendError, StorageError
from shared.ports.health import DestinationTrouble, HealthStore
from shared.ports.time import Clock
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot

FAILURES_IN_A_ROW = 3
OTHERS_COUNT_FOR = MINUTE
_OF_A_PARTITION = {FailureCode.TIMEOUT, FailureCode.OTHER}
"""What tells of one partition alone; whatever else is wrong is wrong with the hub."""


@dataclass(slots=True)
class _Row:
    """Failures in a row, of one partition or (None) of the hub; `since` is when the first was."""

    since: int
    failures: int = 0


class CircuitBreakers:
    """One breaker for each destination. `watch_destinations` closes them, by what it writes to the health rows."""

    def __init__(self, health: HealthStore, configuration: ConfigurationCache, clock: Clock) -> None:
        self._health = health
        self._configuration = configuration
        self._clock = clock
        self._rows: dict[str, dict[str | None, _Row]] = {}
        self._answered_at: dict[str, dict[str | None, int]] = {}
        self._last_error: dict[str, SendError] = {}
        self._opened_at: dict[str, int] = {}

    def open_since(self, destination_id: str, snapshot: ConfigurationSnapshot) -> int | None:
        """Since when exports to the destination are not to be tried, as this worker knows it; None if they are."""
        opened_at = self._opened_at.get(destination_id)
        if opened_at is not None and snapshot.taken_at <= opened_at:
            return opened_at
        self._opened_at.pop(destination_id, None)
        return _down_since(destination_id, snapshot)

    def told_since(self, destination_id: str, snapshot: ConfigurationSnapshot) -> int | None:
        """Since when the health rows say that it is down, if they do: then `watch_destinations` knows it, too.

        None also where the snapshot has grown old since it was taken, and the rows may say otherwise by now.
        """
        return _down_since(destination_id, snapshot) if self._configuration.is_fresh(snapshot) else None

    def succeeded(self, destination_id: str, partition: str | None = None) -> None:
        """A send was acknowledged, in this partition of its hub."""
        if rows := self._rows.get(destination_id):
            rows.pop(partition, None)
            rows.pop(None, None)
        self._answered_at.setdefault(destination_id, {})[partition] = self._clock()

    async def failed_again(self, error: SendError) -> None:
        """Count a retry that failed. Retries go where something has failed before, so they tell nothing of the other
        partitions: what may be wrong with one alone does not count. Raises StorageError, as `failed` does.
        """
        if error.partition is None or error.code not in _OF_A_PARTITION:
            await self.failed(error)

    async def failed(self, error: SendError) -> None:
        """Count a failed send; a batch that failed whole raises the same error for each of its events, and counts once.

        A hub that throttles, or refuses one event as too large, is not down; what is held back was not tried. Raises
        StorageError when the others cannot be told that it is.
        """
        destination_id = error.destination_id
        if isinstance(error, (HeldBackError, ExportTooLargeError)) or self._last_error.get(destination_id) is error:
            return
        self._last_error[destination_id] = error
        now = self._clock()
        partition = error.partition if error.code in _OF_A_PARTITION else None
        row = self._rows.setdefault(destination_id, {}).setdefault(partition, _Row(now))
        row.failures += 1
        if row.failures < FAILURES_IN_A_ROW or destination_id in self._opened_at:
            return
        if partition is not None and self._others_answer(destination_id, row, now):
            return
        self._opened_at[destination_id] = now  # before the others are told: failures come side by side
        self._rows.pop(destination_id)
        try:
            since = await self._began(destination_id, now)
            await self._health.put(
                DestinationTrouble(destination_id, recovering=False, since=since, error=error.reason, code=error.code)
            )
        except StorageError:
            self._opened_at.pop(destination_id, None)
            raise
        self._configuration.outdate()

    def _others_answer(self, destination_id: str, row: _Row, now: int) -> bool:
        """Whether partitions that do not fail themselves have acknowledged something since this row began."""
        failing = self._rows[destination_id]
        return any(
            at > row.since and at > now - OTHERS_COUNT_FOR
            for partition, at in self._answered_at.get(destination_id, {}).items()
            if partition not in failing
        )

    async def _began(self, destination_id: str, now: int) -> int:
        """One that is half-open goes on, and the rows that were parked in it are all there still."""
        trouble = (await self._configuration.current()).troubles.get(destination_id)
        return trouble.since if trouble is not None and trouble.half_open_since else now


def _down_since(destination_id: str, snapshot: ConfigurationSnapshot) -> int | None:
    trouble = snapshot.troubles.get(destination_id)
    if trouble is None or trouble.recovering or trouble.half_open_since:
        return None
    return trouble.since
