"""The configuration as a worker sees it: at most `lifetime` old, made ready for decisions once for each revision."""

import asyncio
from dataclasses import dataclass

from shared.concurrency import both
from shared.domain.configuration.targets import Targets
from shared.domain.instants import SECOND
from shared.ports.configuration import ConfigurationStore
from shared.ports.health import DestinationTrouble, HealthStore
from shared.ports.time import Clock


@dataclass(frozen=True, slots=True)
class ConfigurationSnapshot:
    """`taken_at` is the clock just before the configuration was read; `troubles` are by destination id."""

    targets: Targets
    taken_at: int
    troubles: dict[str, DestinationTrouble]

    @property
    def revision(self) -> int:
        return self.targets.revision


class ConfigurationCache:
    """`lifetime` in seconds."""

    def __init__(self, store: ConfigurationStore, health: HealthStore, clock: Clock, lifetime: float) -> None:
        self._store = store
        self._health = health
        self._clock = clock
        self._lifetime = int(lifetime * SECOND)
        self._snapshot: ConfigurationSnapshot | None = None
        self._news = 0
        self._news_read = 0
        self._reads = 0
        self._read_of_snapshot = 0
        self._reading = asyncio.Lock()

    def is_fresh(self, snapshot: ConfigurationSnapshot) -> bool:
        return snapshot.taken_at <= self._clock() < snapshot.taken_at + self._lifetime

    async def current(self) -> ConfigurationSnapshot:
        """A fresh snapshot, read anew when the last one is too old. Raises StorageError.

        One whose reading began after it was asked for is fresh, however long that took: who waits together reads once.
        """
        if self._snapshot is not None and self._is_current(self._snapshot):
            return self._snapshot
        asked_after = self._reads
        async with self._reading:
            fresh = self._read_of_snapshot > asked_after
            if self._snapshot is None or not (fresh or self._is_current(self._snapshot)):
                self._reads += 1
                self._snapshot, self._read_of_snapshot = await self._read(self._snapshot), self._reads
            return self._snapshot

    async def knowing(self, revision: int) -> ConfigurationSnapshot:
        """The same, read anew if it is of an earlier one than `revision`, which is stored. Raises StorageError."""
        snapshot = await self.current()
        if snapshot.revision < revision:
            self.outdate()
            snapshot = await self.current()
        return snapshot

    def outdate(self) -> None:
        """Let `current` read anew: there is news in the tables."""
        self._news += 1

    def _is_current(self, snapshot: ConfigurationSnapshot) -> bool:
        return self.is_fresh(snapshot) and self._news_read == self._news

    async def _read(self, last: ConfigurationSnapshot | None) -> ConfigurationSnapshot:
        taken_at, news = self._clock(), self._news
        stored, troubles = await both(self._store.load(), self._health.load())
        self._news_read = news
        configuration = stored.configuration
        if last is not None and last.revision == configuration.revision:
            targets = last.targets
        else:
            targets = Targets.of(configuration)
        return ConfigurationSnapshot(targets, taken_at, troubles)
