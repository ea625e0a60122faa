"""The app itself: its services as `shared.bootstrap` builds them, handed queue messages as the Functions host would."""

import asyncio
from collections.abc import Mapping

from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.functions_host.host_json import read_host_json
from local.stack.part import PROJECT
from shared.adapters.queues import queue as queues
from shared.bootstrap import Relay, build, clock, spare_the_collector
from shared.services.changes.export import InboundMessage
from shared.settings import Settings

HUB = "relay"
_LEASE_SECONDS = 600


class App:
    """As many messages at a time as host.json allows."""

    most_changes: int | None = None

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._options = read_host_json(PROJECT / "host.json").queues
        self._at_a_time = self._options.batch_size + self._options.new_batch_threshold
        self._relay: Relay | None = None

    async def start(self) -> None:
        self._relay = await build(self._environment)
        spare_the_collector()  # as a worker process does

    async def close(self) -> None:
        if self._relay is not None:
            await self._relay.close()

    async def run(self, messages: list[tuple[str, bytes]]) -> None:
        """Handle (id, body) of each."""
        waiting = iter(messages)

        async def work() -> None:
            for message_id, body in waiting:
                await self._handle(message_id, body)

        await asyncio.gather(*(work() for _ in range(min(self._at_a_time, len(messages)))))

    async def run_from_queue(self, messages: int) -> None:
        """Handle the `messages` that are in the queue: receive `batchSize` of them whenever no more than
        `newBatchThreshold` are being handled, delete each one that was.
        """
        settings = Settings.from_environment(self._environment)
        async with queues.connect(settings.queues(), settings.changes_queue) as queue:
            handling: set[asyncio.Task[None]] = set()
            while messages > 0:
                received = await self._receive(queue)
                messages -= len(received)
                handling |= {asyncio.create_task(self._handle_and_delete(queue, message)) for message in received}
                while len(handling) > self._options.new_batch_threshold:
                    done, handling = await asyncio.wait(handling, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.gather(*done)
            await asyncio.gather(*handling)

    async def _receive(self, queue: QueueClient) -> list[QueueMessage]:
        size = self._options.batch_size
        pages = queue.receive_messages(
            max_messages=size, messages_per_page=size, visibility_timeout=_LEASE_SECONDS
        ).by_page()
        page = await anext(pages, None)
        return [] if page is None else [message async for message in page]

    async def _handle_and_delete(self, queue: QueueClient, message: QueueMessage) -> None:
        await self._handle(message.id, str(message.content).encode())
        await queue.delete_message(message)

    async def _handle(self, message_id: str, body: bytes) -> None:
        if self._relay is None:
            raise RuntimeError("start comes first")
        outcome = await self._relay.services.export_changes.handle(InboundMessage(message_id, body, clock()))
        if outcome.quarantined or outcome.undelivered or sum(outcome.exported.values()) != outcome.changes:
            raise RuntimeError(f"each change calls for one export that is acknowledged: {outcome.summary()}")
