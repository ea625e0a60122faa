"""The services over fakes, wired as in the composition root."""

import json
from typing import Any

from shared.errors import SendError
from shared.services.circuit_breakers import CircuitBreakers
from shared.services.configuration_cache import ConfigurationCache
from shared.services.delivery import Delivery
from shared.services.export_changes import ExportChanges, InboundMessage, Outcome
from shared.services.poisoned import Poisoned
from shared.services.retry_export import Attempt, RetryExport
from shared.services.watch_destinations import WatchDestinations
from tests.fakes import (
    ManualClock,
    MemoryConfiguration,
    MemoryHealth,
    MemoryProfiles,
    MemoryQuarantine,
    MemoryRetryQueue,
    MemorySender,
    MemoryUndelivered,
)
from tests.unit.builders import NOW, configuration, destination

DOCUMENT: dict[str, Any] = {
    "destinations": [destination("d"), destination("e")],
    "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x"]}, {"id": "e", "audiences": ["a"]}],
}
DELAYS = (15.0, 30.0)
CACHE_SECONDS = 30.0


class Worker:
    """One worker process: its services and what it remembers, over the world's storage and hubs."""

    def __init__(self, world: "World") -> None:
        self.breakers = CircuitBreakers(world.health, world.clock)
        cache = ConfigurationCache(world.configuration, world.health, world.clock, CACHE_SECONDS)
        self.delivery = Delivery(
            sender=world.sender,
            breakers=self.breakers,
            undelivered=world.undelivered,
            retries=world.retries,
            clock=world.clock,
            retry_delays=DELAYS,
        )
        self.export_changes = ExportChanges(
            profiles=world.profiles,
            configuration=cache,
            delivery=self.delivery,
            quarantine=world.quarantine,
            clock=world.clock,
            sleep=world.clock.sleep,
        )
        self.retry_export = RetryExport(
            profiles=world.profiles,
            configuration=cache,
            sender=world.sender,
            breakers=self.breakers,
            undelivered=world.undelivered,
            retries=world.retries,
            clock=world.clock,
            retry_delays=DELAYS,
        )
        self.watch = WatchDestinations(
            configuration=cache,
            undelivered=world.undelivered,
            health=world.health,
            retry=self.retry_export,
            clock=world.clock,
            sleep=world.clock.sleep,
            retry_delays=DELAYS,
            redrive_per_second=100,
            grace=2 * CACHE_SECONDS,
        )
        self.poisoned = Poisoned(
            profiles=world.profiles,
            configuration=cache,
            quarantine=world.quarantine,
            delivery=self.delivery,
            undelivered=world.undelivered,
            clock=world.clock,
        )


class World:
    """Storage, hubs and a clock that stands still, and a first worker."""

    def __init__(self, profiles: MemoryProfiles | None = None) -> None:
        self.clock = ManualClock(NOW)
        self.profiles = profiles or MemoryProfiles(size_limit=20_000)
        self.configuration = MemoryConfiguration(configuration(DOCUMENT))
        self.quarantine = MemoryQuarantine()
        self.sender = MemorySender()
        self.undelivered = MemoryUndelivered()
        self.health = MemoryHealth()
        self.retries = MemoryRetryQueue()
        self.worker = Worker(self)

    async def handle(self, *items: Any, message_id: str = "m") -> Outcome:
        """What the first worker makes of a message with these items."""
        body = json.dumps(items).encode()
        return await self.worker.export_changes.handle(InboundMessage(message_id, body, NOW))

    def break_down(self, destination_id: str) -> None:
        self.sender.failures[destination_id] = lambda down: SendError(down, "down")

    def mend(self, destination_id: str) -> None:
        del self.sender.failures[destination_id]

    async def retry(self) -> list[tuple[Attempt, float]]:
        """Handle every pointer that waits, each after its delay; the attempts and the delays."""
        waiting, self.retries.waiting = self.retries.waiting, []
        attempts = []
        for pointer, delay in waiting:
            await self.clock.sleep(delay)
            attempts.append((await self.worker.retry_export.handle(pointer), delay))
        return attempts

    @property
    def rows(self) -> dict[tuple[str, str], str]:
        """The state of each undelivered row, by destination and profile."""
        rows = (row for row, _ in self.undelivered.rows.values())
        return {(row.destination_id, row.profile_id): str(row.state) for row in rows}
