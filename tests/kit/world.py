"""The services over fakes, wired as in the composition root."""

import json
from dataclasses import replace
from itertools import count
from typing import Any

from shared.domain.timers import TIMERS
from shared.errors import SendError
from shared.host_json import FailedMessages
from shared.ports.tracing import PassOn
from shared.services.backfills.slices import SliceOutcome
from shared.services.changes.export import InboundMessage, Outcome
from shared.services.delivery.attempts import Attempt
from shared.services.wiring import Services
from shared.services.worker_ports import Ports
from shared.settings import Settings
from tests.kit.app_settings import DEPLOYED
from tests.kit.builders import NOW, configuration, destination
from tests.kit.fakes.alerts import MemoryAlerts, MemoryDeliveryQueue, ScriptedWebhooks
from tests.kit.fakes.backfills import MemoryBackfills, MemorySliceQueue, MemoryUploadFiles
from tests.kit.fakes.clock import ManualClock
from tests.kit.fakes.configuration import MemoryAudit, MemoryConfiguration, MemorySecrets, ScriptedVerifier
from tests.kit.fakes.delivery import MemoryHealth, MemoryRetryQueue, MemorySender, MemoryUndelivered
from tests.kit.fakes.lags import MemoryCheckpoints, MemoryConsumerLags, ScriptedHubProperties
from tests.kit.fakes.profiles import MemoryMembers, MemoryProfiles
from tests.kit.fakes.quarantine import MemoryQuarantine
from tests.kit.fakes.queues import (
    QUEUE_NAMES,
    MemoryChangesQueue,
    MemoryPoisonQueues,
    MemoryPoisonRounds,
    MemoryQueueCounter,
)
from tests.kit.fakes.runs import MemoryAudienceCounts, MemoryLastExports, MemoryMetrics, MemoryRuns, MemoryTimers
from tests.kit.memory_queues import MemoryMessagesInHand

DOCUMENT: dict[str, Any] = {
    "destinations": [destination("d"), destination("e")],
    "dataflows": [{"id": "d", "audiences": ["a"], "attributes": ["/x"]}, {"id": "e", "audiences": ["a"]}],
}
FAILED = FailedMessages(first_delay=30, most_deliveries=10)
SETTINGS = Settings.from_environment(DEPLOYED | {f"AzureWebJobs.{timer}.Disabled": "true" for timer in TIMERS})
"""Timers run when a test says so; nobody is to miss them otherwise."""
DELAYS = SETTINGS.retry_delays
CACHE_SECONDS = SETTINGS.config_cache_seconds


class World:
    """Storage, hubs and a clock that stands still, and a first worker. `settle`: what the destinations choose."""

    def __init__(
        self, profiles: MemoryProfiles | None = None, settings: Settings = SETTINGS, *, settle: bool = False
    ) -> None:
        self.settings = settings
        self.clock = ManualClock(NOW)
        self.profiles = profiles or MemoryProfiles(size_limit=20_000)
        self.members = MemoryMembers(self.clock)
        given = configuration(DOCUMENT)
        destinations = [each.model_copy(update={"settle": settle}) for each in given.destinations]
        update = {"destinations": destinations, "requested_backfills": []}
        self.configuration = MemoryConfiguration(given.model_copy(update=update))
        self.quarantine = MemoryQuarantine()
        self.sender = MemorySender()
        self.secrets = MemorySecrets()
        self.verifier = ScriptedVerifier()
        self.checkpoints = MemoryCheckpoints()
        self.hub_properties = ScriptedHubProperties()
        self.consumer_lags = MemoryConsumerLags()
        self.sign_in_failing_since: int | None = None
        self.undelivered = MemoryUndelivered()
        self.backfills = MemoryBackfills()
        self.audit = MemoryAudit()
        self.health = MemoryHealth()
        self.runs = MemoryRuns()
        self.audience_counts = MemoryAudienceCounts()
        self.last_exports = MemoryLastExports()
        self.timers = MemoryTimers()
        self.metrics = MemoryMetrics()
        self.tracing = PassOn()
        self.changes = MemoryChangesQueue()
        self.retries = MemoryRetryQueue()
        self.slices = MemorySliceQueue()
        self.queues = MemoryQueueCounter(self.clock)
        self.messages_in_hand = MemoryMessagesInHand(self.clock)
        self.poison_queues = MemoryPoisonQueues(self.clock)
        self.poison_rounds = MemoryPoisonRounds()
        self.uploads = MemoryUploadFiles()
        self.alerts = MemoryAlerts()
        self.alert_deliveries = MemoryDeliveryQueue()
        self.webhooks = ScriptedWebhooks()
        self._ids = count(1)
        self.worker = self.new_worker()

    @property
    def ports(self) -> Ports:
        return Ports(
            profiles=self.profiles,
            members=self.members,
            configuration=self.configuration,
            health=self.health,
            quarantine=self.quarantine,
            undelivered=self.undelivered,
            backfills=self.backfills,
            audit=self.audit,
            runs=self.runs,
            audience_counts=self.audience_counts,
            last_exports=self.last_exports,
            timers=self.timers,
            metrics=self.metrics,
            tracing=self.tracing,
            changes=self.changes,
            retries=self.retries,
            slices=self.slices,
            queues=self.queues,
            queue_names=QUEUE_NAMES,
            messages_in_hand=self.messages_in_hand,
            failed_messages=FAILED,
            poison_queues=self.poison_queues,
            poison_rounds=self.poison_rounds,
            uploads=self.uploads,
            alerts=self.alerts,
            alert_deliveries=self.alert_deliveries,
            webhooks=self.webhooks,
            sender=self.sender,
            secrets=self.secrets,
            verifier=self.verifier,
            checkpoints=self.checkpoints,
            hub_properties=self.hub_properties,
            consumer_lags=self.consumer_lags,
            sign_in_failing_since=lambda: self.sign_in_failing_since,
            clock=self.clock,
            sleep=self.clock.sleep,
            new_id=lambda: f"{next(self._ids):08}",
        )

    def new_worker(self, **ports: Any) -> Services:
        """A worker process that remembers nothing; with some `ports` instead of the world's own."""
        return Services(replace(self.ports, **ports), self.settings)

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

    async def run_backfills(self, after_seconds: float = 60) -> dict[str, str]:
        """One run of the timer, and every slice that is then on the queue, to its end."""
        await self.clock.sleep(after_seconds)
        outcome = await self.worker.plan_backfills.run()
        await self.work_slices()
        return outcome

    async def work_slices(self) -> list[SliceOutcome]:
        outcomes = []
        while self.slices.waiting:
            outcomes.append(await self.worker.work_slices.work(self.slices.waiting.pop(0)))
        return outcomes
