"""The whole app on a local stack, as the main job's tests see it: messages in, exports and quarantine out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueClient

from local.commands.apply import apply
from local.eventually import eventually
from local.exports import Export, read_exports
from local.stack.local_stack import CHANGES_QUEUE, LocalStack
from shared.adapters.tables.service.chunks import from_chunks
from shared.domain.configuration.model import parse_configuration_file
from tests.kit import running_host

# As in Azure, app settings override host.json. What takes minutes in Azure takes seconds here.
IMPATIENT = {
    "CONFIG_CACHE_SECONDS": "2",
    "RETRY_DELAYS": "1,2",
    "WATCH_SCHEDULE": "* * * * * *",
    "ALERT_SCHEDULE": "0 0 0 1 1 *",  # never, but where a test is about alerts
    "BACKFILL_SCHEDULE": "0 0 0 1 1 *",  # never: a new dataflow's backfill would export once more
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.200",
}


class RunningRelay:
    """A stack with the app on it."""

    def __init__(self, stack: LocalStack, configuration: dict[str, Any]) -> None:
        self.stack = stack
        self.hubs = [destination["eventHubName"] for destination in configuration["destinations"]]
        self._configuration = configuration

    async def start(self, *, lease_seconds: int, settings: Mapping[str, str] | None = None) -> None:
        """Apply the configuration and run the app, with leases that short if the host can be told."""
        await self.apply({})
        wanted = IMPATIENT | dict(settings or {})
        self.stack.start_functions_host(kind=running_host.KIND, settings=wanted, lease_seconds=lease_seconds)

    async def apply(self, document: Mapping[str, Any]) -> None:
        """Apply the configuration with what `document` has instead; the app follows within its cache's lifetime."""
        wanted = parse_configuration_file(self._configuration | dict(document))
        await apply(self.stack.storage_connection_string, wanted)

    async def send(self, *messages: str | bytes | Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> None:
        """Put messages on the queue; what is not text is written as JSON."""
        async with self._queue(CHANGES_QUEUE) as queue:
            for message in messages:
                text = message if isinstance(message, (str, bytes)) else json.dumps(message, ensure_ascii=False)
                await queue.send_message(text)

    async def handled(self) -> None:
        """Wait until the queue is empty: each message was deleted after its success, or moved to poison."""
        async with self._queue(CHANGES_QUEUE) as queue:

            async def empty() -> bool:
                return (await queue.get_queue_properties()).approximate_message_count == 0

            assert await eventually(empty, timeout=240)

    async def delivered(self) -> None:
        """Wait until nothing is undelivered any more."""

        async def nothing() -> bool:
            return not await self.rows("Undelivered")

        await self.handled()
        assert await eventually(nothing, timeout=240)

    async def rows(self, table: str) -> list[Mapping[str, Any]]:
        """All rows of a table; none where the app has not made it yet."""
        connection_string = self.stack.storage_connection_string
        async with TableServiceClient.from_connection_string(connection_string) as account:
            try:
                return [row async for row in account.get_table_client(table).list_entities()]
            except ResourceNotFoundError:
                return []

    async def poisoned(self) -> int:
        async with self._queue(f"{CHANGES_QUEUE}-poison") as queue:
            return (await queue.get_queue_properties()).approximate_message_count or 0

    async def exports(self, *profile_ids: str) -> list[Export]:
        """All exports there are in the hubs now (of these profiles), in the order of each partition."""
        count = sum(stats.events for name, stats in self.stack.broker.stats().hubs.items() if name in self.hubs)
        reading = read_exports(self.stack.event_hubs_connection_string, self.hubs, count=count, timeout=60)
        read = [export async for export in reading] if count else []
        assert len(read) == count
        return [export for export in read if not profile_ids or export.properties["profileId"] in profile_ids]

    async def quarantine(self) -> dict[bytes, str]:
        """The bytes of each quarantined item, with the reason."""
        rows = [row for row in await self.rows("Quarantine") if row["PartitionKey"] != "rounds"]
        return {from_chunks("body", row): row["reason"] for row in rows}

    @property
    def log(self) -> str:
        """What the host and the app have said so far."""
        return self.stack.functions_host.log.read_text(encoding="utf-8")

    def _queue(self, name: str) -> QueueClient:
        return QueueClient.from_connection_string(self.stack.storage_connection_string, name, use_env_settings=False)
