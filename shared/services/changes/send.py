"""Puts profile changes on the queue: checked, as many in a message as fit, a few messages on their way at once."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from shared.domain.instants import SECOND
from shared.domain.messages.batches import MESSAGE_LIMIT, Message, MessageBatches
from shared.domain.messages.outgoing import check_item, item_text
from shared.ports.queues import ChangesQueue
from shared.ports.time import Clock, Sleep

IN_FLIGHT = 4
_BATCHES_PER_SECOND = 10


class SendChanges:
    """At the end of an `async with` without an error all that was added is on the queue for certain.

    Sending again what may have arrived does no harm: the app takes a change that comes twice as one. So after an error,
    send again from the change number `unsure_from`. `sent` and `messages` count what is there for certain.

    `batch_bytes` bounds the JSON of a message, `rate` the changes a second. `checked`: refuse what the app would put in
    quarantine; without, whatever is a JSON object goes.
    """

    def __init__(
        self,
        queue: ChangesQueue,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        batch_bytes: int = MESSAGE_LIMIT,
        as_base64: bool = False,
        rate: float | None = None,
        checked: bool = True,
    ) -> None:
        self.sent = 0
        self.messages = 0
        self._queue = queue
        self._clock = clock
        self._sleep = sleep
        self._rate = rate
        self._checked = checked
        most = None if rate is None else max(1, int(rate / _BATCHES_PER_SECOND))
        self._batches = MessageBatches(batch_bytes=batch_bytes, as_base64=as_base64, most_changes=most)
        self._next: Message | None = None
        self._on_their_way: dict[asyncio.Task[None], Message] = {}
        self._last_number = 0
        self._began: int | None = None
        self._begun_changes = 0

    async def add(self, change: Mapping[str, Any] | bytes, number: int | None = None) -> None:
        """Take a change, an object or one as JSON; `number` is its place in the input, one more than the last unless
        given. Waits while enough messages are on their way.

        Raises ChangeRefusedError, after which the others go on as if it had not been; StorageError, after which nothing
        is on its way any more, and another SendChanges is needed.
        """
        self._last_number = self._last_number + 1 if number is None else number
        item = item_text(change)
        if self._checked:
            check_item(item, self._clock())
        if full := self._batches.add(self._last_number, item):
            await self._send(full)

    async def flush(self) -> None:
        """Let what has gathered go, without waiting for its arrival. Raises StorageError."""
        if rest := self._batches.flush():
            await self._send(rest)

    async def finish(self) -> None:
        """Let what has gathered go, and wait until everything is on the queue. Raises StorageError."""
        await self.flush()
        while self._on_their_way:
            await self._collect()

    @property
    def unsure_from(self) -> int:
        """The number of the first change that is not on the queue for certain."""
        unsure = [message.first_line for message in (self._next, *self._on_their_way.values()) if message]
        return min([*unsure, self._batches.first_line or self._last_number + 1])

    async def _send(self, message: Message) -> None:
        self._next = message
        while len(self._on_their_way) >= IN_FLIGHT:
            await self._collect()
        await self._wait_for_its_turn()
        self._begun_changes += message.changes
        self._next = None
        self._on_their_way[asyncio.create_task(self._put(message))] = message

    async def _put(self, message: Message) -> None:
        await self._queue.put(message.text.encode())

    async def _wait_for_its_turn(self) -> None:
        if self._rate is None:
            return
        if self._began is None:
            self._began = self._clock()
        wait = self._began + self._begun_changes / self._rate * SECOND - self._clock()
        if wait > 0:
            await self._sleep(wait / SECOND)

    async def _collect(self) -> None:
        """Wait until some message has arrived; if one has not, for all the others too, and raise its error."""
        await asyncio.wait(self._on_their_way, return_when=asyncio.FIRST_COMPLETED)
        if any(task.done() and task.exception() for task in self._on_their_way):
            await asyncio.wait(self._on_their_way)
        failures = []
        for task, message in list(self._on_their_way.items()):
            if not task.done():
                continue
            if failure := task.exception():
                failures.append(failure)
                continue
            del self._on_their_way[task]
            self.sent += message.changes
            self.messages += 1
        if failures:
            raise failures[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.finish()
        elif self._on_their_way:
            for task in self._on_their_way:
                task.cancel()
            await asyncio.wait(self._on_their_way)
