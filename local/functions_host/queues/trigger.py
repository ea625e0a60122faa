"""Queue triggers: poll, invoke, and settle each message."""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import azure.functions.queue as functions_queue

from ..host_json import QueueOptions
from ..indexing import IndexedFunction
from ..invocation import Invocations
from ..storage.host_queue import HostQueue
from ..storage.message_encoding import UndecodableMessageError
from ..storage.requests import ReceivedMessage, StorageRequestError
from ..storage.retries import Uniform
from .message_lease import MessageLease
from .poll_delay import PollDelay

_log = logging.getLogger(__name__)

GET_SECONDS = 600
"""How long the host hides what it receives, whatever the settings say."""
_POISON = "-poison"


def poison_queue_name(queue: str) -> str | None:
    """Where the queue's poison messages go; None for a poison queue, which has none of its own."""
    return None if queue.endswith(_POISON) else queue + _POISON


@dataclass(frozen=True)
class ListenerOptions:
    """What is not host.json's to say. The defaults are the real host's."""

    get_seconds: int = GET_SECONDS
    older_extension: bool = False
    """Before Storage.Queues 5.3.10, a poison queue's message is not run any more after maxDequeueCount deliveries."""
    uniform: Uniform = random.uniform


class QueueListener:
    """Feeds one function from its queue, with at most batchSize + newBatchThreshold invocations at a time."""

    def __init__(
        self,
        function: IndexedFunction,
        invocations: Invocations,
        queue: HostQueue,
        poison_queue: HostQueue | None,
        options: QueueOptions,
        listener_options: ListenerOptions,
    ) -> None:
        self._function = function
        self._invocations = invocations
        self._queue = queue
        self._poison_queue = poison_queue
        self._options = options
        self._listener_options = listener_options
        self._exists = False
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Nothing to do before the host is ready."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll until `stopping` is set, then wait for the running invocations, however long they take."""
        polling = asyncio.create_task(self._poll())
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({polling, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        # Polling ends on its own only by an error in this host. A GET under way is given up: what storage has handed
        # out for it is not run, and stays hidden.
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        while self._running:
            await asyncio.wait(self._running)

    async def _poll(self) -> None:
        delay = PollDelay(self._options.max_polling_interval, self._listener_options.uniform)
        found = False
        while True:
            self._queue.added.clear()
            messages = await self._receive()
            for message in messages:
                task = asyncio.create_task(self._process(message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if messages:
                found = True
                while len(self._running) > self._options.new_batch_threshold:
                    await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._queue.added.wait(), delay.next(found=found))
                found = False

    async def _receive(self) -> Sequence[ReceivedMessage]:
        try:
            if not self._exists:
                self._exists = await self._queue.exists()
            if not self._exists:
                return []
            return await self._queue.receive(self._options.batch_size, self._listener_options.get_seconds)
        except StorageRequestError as error:
            self._exists = self._exists and error.status != 404
            _log.warning("Queue %s cannot be polled, trying again: %s", self._queue.name, error)
            return []

    async def _process(self, message: ReceivedMessage) -> None:
        try:
            await self._invoke_and_settle(message)
        except StorageRequestError as error:
            _log.warning(
                "Message %s of queue %s could not be settled; it is delivered again when its lease ends: %s",
                message.id,
                self._queue.name,
                error,
            )
        except Exception:
            _log.exception("Message %s of queue %s could not be processed", message.id, self._queue.name)

    async def _invoke_and_settle(self, message: ReceivedMessage) -> None:
        lease = MessageLease(self._queue, message, self._listener_options.get_seconds)
        try:
            body = self._queue.encoding.decode(message.text)
        except UndecodableMessageError as error:
            _log.warning("Message %s of queue %s: %s; check messageEncoding", message.id, self._queue.name, error)
            await self._move_to_poison_queue(message, lease)
            return
        # More deliveries than allowed, and yet no failure was noted: the host died with this message each time.
        if message.dequeue_count > self._options.max_dequeue_count and self._counts_deliveries:
            await self._move_to_poison_queue(message, lease)
            return
        async with lease.renewed():
            succeeded = await self._invoke(message, body)
        if succeeded:
            await lease.delete()
        elif self._poison_queue is None:
            _log.warning("Message %s of queue %s stays hidden until its lease ends", message.id, self._queue.name)
        elif message.dequeue_count >= self._options.max_dequeue_count:
            await self._move_to_poison_queue(message, lease)
        else:
            await lease.release(int(self._options.visibility_timeout))

    @property
    def _counts_deliveries(self) -> bool:
        return self._poison_queue is not None or self._listener_options.older_extension

    async def _invoke(self, message: ReceivedMessage, body: bytes) -> bool:
        if self._function.trigger.get("dataType") != "BINARY":
            # The host hands the body to the worker as text.
            try:
                body.decode()
            except UnicodeDecodeError as error:
                _log.error("Function %s failed: message %s is no text: %s", self._function.name, message.id, error)
                return False
        trigger_value = functions_queue.QueueMessage(  # type: ignore[no-untyped-call]  # in the library
            id=message.id,
            body=body,
            dequeue_count=message.dequeue_count,
            insertion_time=message.inserted_on,
            expiration_time=message.expires_on,
            time_next_visible=message.next_visible_on,
            pop_receipt=message.pop_receipt,
        )
        return (await self._invocations.invoke(self._function, trigger_value)).succeeded

    async def _move_to_poison_queue(self, message: ReceivedMessage, lease: MessageLease) -> None:
        """On a poison queue, which has none of its own, the message stays where it is, hidden until its lease ends."""
        if self._poison_queue is None:
            return
        _log.warning(
            "Message %s of queue %s moves to %s (delivery %s)",
            message.id,
            self._queue.name,
            self._poison_queue.name,
            message.dequeue_count,
        )
        await self._poison_queue.copy(message.text)
        await lease.delete()
