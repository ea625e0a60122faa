"""Notes how far a redrive is, every few seconds, for people who wait for it."""

from contextlib import suppress
from dataclasses import replace

from shared.domain.exports.recovery import Recovery
from shared.domain.instants import SECOND
from shared.errors import StorageError
from shared.ports.health import HealthStore
from shared.ports.time import Clock

NOTED_EVERY = 5 * SECOND


class NoteRecovery:
    """Of one destination in one run. Storage that does not take a note stops no redrive."""

    def __init__(self, health: HealthStore, clock: Clock, destination_id: str, earlier: Recovery | None) -> None:
        now = clock()
        self._health = health
        self._clock = clock
        self._is_there = earlier is not None
        self._recovery = earlier if earlier and earlier.goes_on(now) else Recovery(destination_id, now, now)
        self._noted = self._recovery
        self._noted_at = now

    async def settled(self, rows: int) -> None:
        """That many more rows are gone."""
        now = self._clock()
        self._recovery = replace(self._recovery, settled=self._recovery.settled + rows, at=now)
        if now - self._noted_at >= NOTED_EVERY:
            await self.note()

    async def note(self) -> None:
        """Also at the end of a run, for what was settled last."""
        if self._recovery.settled > self._noted.settled:
            self._noted, self._noted_at, self._is_there = self._recovery, self._clock(), True
            with suppress(StorageError):
                await self._health.note_recovery(self._recovery)

    async def goes_on(self) -> None:
        """Others are at it, and count what they settle themselves."""
        self._recovery = replace(self._recovery, at=self._clock())
        self._noted, self._noted_at, self._is_there = self._recovery, self._recovery.at, True
        with suppress(StorageError):
            await self._health.note_recovery(self._recovery)

    async def end(self) -> None:
        """Nothing is left."""
        self._noted = self._recovery
        if self._is_there:
            with suppress(StorageError):
                await self._health.end_recovery(self._recovery.destination_id)
