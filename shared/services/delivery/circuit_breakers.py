"""Circuit breakers: after three failed sends in a row a destination is down, here at once and soon everywhere."""

from collections import Counter

from shared.errors import ExportTooLargeError, SendError, StorageError, ThrottledError
from shared.ports.health import DestinationTrouble, HealthStore
from shared.ports.time import Clock
from shared.services.configuration.cache import ConfigurationCache, ConfigurationSnapshot

FAILURES_IN_A_ROW = 3


class CircuitBreakers:
    """One breaker for each destination. `watch_destinations` closes them, by what it writes to the health rows."""

    def __init__(self, health: HealthStore, configuration: ConfigurationCache, clock: Clock) -> None:
        self._health = health
        self._configuration = configuration
        self._clock = clock
        self._failures: Counter[str] = Counter()
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

    def succeeded(self, destination_id: str) -> None:
        self._failures.pop(destination_id, None)

    async def failed(self, error: SendError) -> None:
        """Count a failed send; a batch that failed whole raises the same error for each of its events, and counts once.

        A hub that is busy, or refuses one event as too large, is not down. Raises StorageError when the others cannot
        be told that it is.
        """
        destination_id = error.destination_id
        if isinstance(error, (ThrottledError, ExportTooLargeError)) or self._last_error.get(destination_id) is error:
            return
        self._last_error[destination_id] = error
        self._failures[destination_id] += 1
        if self._failures[destination_id] >= FAILURES_IN_A_ROW and destination_id not in self._opened_at:
            now = self._clock()
            self._opened_at[destination_id] = now  # before the others are told: failures come side by side
            self._failures.pop(destination_id)
            try:
                since = await self._began(destination_id, now)
                await self._health.put(
                    DestinationTrouble(destination_id, recovering=False, since=since, error=error.reason)
                )
            except StorageError:
                self._opened_at.pop(destination_id, None)
                raise
            self._configuration.outdate()

    async def _began(self, destination_id: str, now: int) -> int:
        """One that is half-open goes on, and the rows that were parked in it are all there still."""
        trouble = (await self._configuration.current()).troubles.get(destination_id)
        return trouble.since if trouble is not None and trouble.half_open_since else now


def _down_since(destination_id: str, snapshot: ConfigurationSnapshot) -> int | None:
    trouble = snapshot.troubles.get(destination_id)
    if trouble is None or trouble.recovering or trouble.half_open_since:
        return None
    return trouble.since
