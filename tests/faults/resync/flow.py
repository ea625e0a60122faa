"""Changes that flow all the while, and moments at which all of them were handled."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.storage.queue.aio import QueueClient

from local.stack.local_stack import CHANGES_QUEUE
from tests.faults.load.storage import Storage
from tests.faults.resync.audience import Model

_POLL_SECONDS = 0.1
_HANDLED_WITHIN = 300.0
_QUEUES = (CHANGES_QUEUE, "export-retries")


class Flow:
    """`rate` changes a second by `model`, so many `together` in a message; none until `flowing`."""

    def __init__(self, queue: QueueClient, storage: Storage, model: Model, rate: float, together: int) -> None:
        self._queue = queue
        self._storage = storage
        self._model = model
        self._rate = rate
        self._together = together
        self._open = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Changes flow within, unless somebody holds them."""
        self._open.set()
        sending = asyncio.create_task(self._send())
        try:
            yield
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Within, all that was sent is handled and nothing else comes: the model is true. Raises TimeoutError."""
        self._open.clear()
        try:
            async with self._one_at_a_time, asyncio.timeout(_HANDLED_WITHIN):
                while await self._storage.waiting(_QUEUES):  # noqa: ASYNC110 - other processes work on them
                    await asyncio.sleep(_POLL_SECONDS)
            self._model.settle()
            yield
        finally:
            self._open.set()

    async def _send(self) -> None:
        while True:
            await self._open.wait()
            async with self._one_at_a_time:
                if self._open.is_set():
                    await self._send_some()
            await asyncio.sleep(self._together / self._rate)

    async def _send_some(self) -> None:
        now = time.time()
        changes = [self._model.next_change(now) for _ in range(self._together)]
        if any(changes):
            await self._queue.send_message(json.dumps([each for each in changes if each]))
