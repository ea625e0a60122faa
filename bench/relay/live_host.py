"""The app in the Functions host of the local stack, under live changes that come by the queue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from azure.storage.queue.aio import QueueClient

from bench.harness.configured import PARTITIONS, configure
from bench.harness.live_load import LiveLoad
from bench.relay.scene import configuration
from local.eventually import eventually
from local.stack.functions_host import FunctionsHost
from local.stack.local_stack import CHANGES_QUEUE, LocalStack

_EMPTY_WITHIN = 180.0
SETTINGS = {"CONFIG_CACHE_SECONDS": "30", "BACKFILL_SCHEDULE": "0 * * * * *", "ALERT_SCHEDULE": "0 * * * * *"}
"""As in Azure; the stack looks more often."""
_numbers = count(1)


@dataclass(frozen=True)
class LiveHost:
    """Its exports go to `hub`."""

    load: LiveLoad
    hub: str
    host: FunctionsHost
    _queue: QueueClient

    async def emptied(self) -> None:
        """Wait until the queue is empty. Raises AssertionError after three minutes."""

        async def empty() -> bool:
            return (await self._queue.get_queue_properties()).approximate_message_count == 0

        await eventually(empty, timeout=_EMPTY_WITHIN)

    async def capacity(self, changes: int) -> float:
        """The changes a second at which it empties a queue that `changes` are put on at once, warmed up by as many."""
        seconds = 0.0
        for _ in range(2):
            began = time.monotonic()
            await self.load.burst(changes)
            await self.emptied()
            seconds = time.monotonic() - began
        return changes / seconds


@asynccontextmanager
async def live_host(stack: LocalStack, profiles: int) -> AsyncIterator[LiveHost]:
    """A host of its own on `stack`, which has that many profiles, all of which change; it is killed at the end."""
    number = next(_numbers)
    hub = f"live-{number}"
    stack.broker.create_hub(hub, PARTITIONS)
    await configure(stack, configuration(hub))
    host = await asyncio.to_thread(stack.start_functions_host, settings=SETTINGS)
    queue = QueueClient.from_connection_string(stack.storage_connection_string, CHANGES_QUEUE, use_env_settings=False)
    try:
        async with queue:
            yield LiveHost(LiveLoad(queue, number * 10_000_000, profiles), hub, host, queue)
    finally:
        host.stop()  # in order: one that is killed keeps the locks of its timers for a minute
