"""Queue triggers: poll, invoke, and settle each message."""

import asyncio
import logging
import random

import azure.functions.queue as functions_queue
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueMessage

from .host_json import QueueOptions
from .indexing import IndexedFunction
from .invocation import Invoker
from .message_lease import MessageLease
from .storage import StorageQueues, UndecodableMessageError

_log = logging.getLogger(__name__)

_SHORTEST_DELAY = 0.1


class QueueListener:
    """Feeds one function from its queue, with at most batchSize + newBatchThreshold invocations at a time."""

    def __init__(
        self,
        function: IndexedFunction,
        invoker: Invoker,
        queues: StorageQueues,
        options: QueueOptions,
        lease_seconds: int,
    ) -> None:
        where, connection = f"function {function.name}", function.trigger.get("connection")
        self._function = function
        self._invoker = invoker
        self._options = options
        self._lease_seconds = lease_seconds
        self._queue = queues.queue(connection, function.trigger["queueName"], where)
        self._poison_queue = queues.queue(connection, f"{self._queue.name}-poison", where)
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll until `stopping` is set, then wait for the running invocations."""
        idle_polls = 0
        while not stopping.is_set():
            self._queue.added.clear()
            messages = await self._receive()
            # Messages just received are ours to settle, even if the host was told to stop meanwhile.
            for message in messages:
                task = asyncio.create_task(self._process(message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if messages:
                idle_polls = 0
                await self._wait_for_new_batch_threshold(stopping)
            else:
                await _first_of(stopping, self._queue.added, seconds=self._delay(idle_polls))
                idle_polls += 1
        if self._running:
            await asyncio.wait(self._running)

    async def _receive(self) -> list[QueueMessage]:
        try:
            return await self._queue.receive(self._options.batch_size, self._lease_seconds)
        except AzureError as error:
            _log.warning("Queue %s cannot be polled, trying again: %s", self._queue.name, error)
            return []

    def _delay(self, idle_polls: int) -> float:
        # The exponent is bounded because a float is; the jitter keeps instances from polling in step.
        delay = _SHORTEST_DELAY * 2.0 ** min(idle_polls, 32) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        return min(max(delay, _SHORTEST_DELAY), self._options.max_polling_interval)

    async def _wait_for_new_batch_threshold(self, stopping: asyncio.Event) -> None:
        stopped = asyncio.create_task(stopping.wait())
        while len(self._running) > self._options.new_batch_threshold and not stopped.done():
            await asyncio.wait({stopped, *self._running}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()

    async def _process(self, message: QueueMessage) -> None:
        lease = MessageLease(self._queue, message.id, str(message.pop_receipt), self._lease_seconds)
        try:
            await self._invoke_and_settle(message, lease)
        except AzureError as error:
            _log.warning(
                "Message %s of queue %s could not be settled; it is delivered again when its lease ends: %s",
                message.id,
                self._queue.name,
                error,
            )
        except Exception:
            _log.exception("Message %s of queue %s could not be processed", message.id, self._queue.name)

    async def _invoke_and_settle(self, message: QueueMessage, lease: MessageLease) -> None:
        try:
            body = self._queue.decode(str(message.content))
        except UndecodableMessageError as error:
            _log.warning("Message %s of queue %s: %s; check messageEncoding", message.id, self._queue.name, error)
            await self._move_to_poison_queue(message, lease)
            return
        dequeue_count = message.dequeue_count or 0
        # More deliveries than allowed, and yet no failure was noted: the host died with this message each time.
        if dequeue_count > self._options.max_dequeue_count:
            await self._move_to_poison_queue(message, lease)
            return
        async with lease.renewed():
            result = await self._invoker.invoke(self._function, self._trigger_value(message, body))
        if result.succeeded:
            await lease.delete()
        elif dequeue_count >= self._options.max_dequeue_count:
            await self._move_to_poison_queue(message, lease)
        else:
            await lease.release(int(self._options.visibility_timeout))

    async def _move_to_poison_queue(self, message: QueueMessage, lease: MessageLease) -> None:
        _log.warning(
            "Message %s of queue %s moves to %s (delivery %s)",
            message.id,
            self._queue.name,
            self._poison_queue.name,
            message.dequeue_count,
        )
        await self._poison_queue.add_raw(str(message.content))
        await lease.delete()

    def _trigger_value(self, message: QueueMessage, body: bytes) -> functions_queue.QueueMessage:
        if self._function.trigger.get("dataType") != "BINARY":
            # The host hands the body to the worker as text.
            body = body.decode(errors="replace").encode()
        return functions_queue.QueueMessage(  # type: ignore[no-untyped-call]  # in the library
            id=message.id,
            body=body,
            dequeue_count=message.dequeue_count,
            insertion_time=message.inserted_on,
            expiration_time=message.expires_on,
            time_next_visible=message.next_visible_on,
            pop_receipt=message.pop_receipt,
        )


async def _first_of(*events: asyncio.Event, seconds: float) -> None:
    """Return when one of the events is set, or the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
