"""Lanes to the partitions of a hub: what gathers while a batch is under way is sent with the next (group commit).

A lane is one connection. It serves one partition or, where a hub has more of them than a worker may have connections,
several in turn. Batches of one partition follow each other, lanes run side by side; an event waits some milliseconds
for company, while more follow. An event that cannot be sent fails alone; a batch that cannot be sent fails whole,
and the next one gets a new connection.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from contextvars import Context

from shared.adapters.event_hubs.batches import Waiting, fill
from shared.adapters.event_hubs.hub_connection import BusyError, HubConnection, NoAnswerError, NoSuchPartitionError
from shared.adapters.event_hubs.partition_queue import NEVER, PartitionQueue, Patience
from shared.concurrency import ListeningTimer
from shared.errors import FailureCode, SendError
from shared.ports.tracing import Tracing


class Lane:
    """`gone` is told of a partition that the hub has no more: its events wait until `give_up` or `stop`.

    `room` says whether so many more bytes may wait for a hub that throttles.
    """

    def __init__(
        self,
        destination_id: str,
        connection: HubConnection,
        partitions: Iterable[str],
        *,
        gone: Callable[[str, SendError], None],
        room: Callable[[int], bool],
        patience: Patience,
        tracing: Tracing,
    ) -> None:
        self._destination_id = destination_id
        self._connection = connection
        served = list(partitions)
        self._alone = len(served) == 1
        self._queues = {
            each: PartitionQueue(destination_id, each, patience, alone=self._alone, room=room) for each in served
        }
        self._turns = deque(self._queues.values())
        self._gone = gone
        self._patience = patience
        self._tracing = tracing
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._stopping = False
        self._used_at = 0.0

    @property
    def idle(self) -> bool:
        return self._task is None

    @property
    def throttled_bytes(self) -> int:
        return sum(each.throttled_bytes for each in self._turns)

    def add(self, partition: str, waiting: Waiting) -> None:
        """Send it with the next batch, or say at once that it will not be."""
        self._used_at = asyncio.get_running_loop().time()
        queue = self._queues[partition]
        if not queue.add(waiting, self._used_at):
            return
        if len(queue.waiting) == 1 or queue.due_at <= self._used_at:
            self._news.set()
        if self._task is None:
            # In no trace: the events of many share a lane, and none is to be taken for the cause of the others.
            self._task = asyncio.get_running_loop().create_task(self._drain(), context=Context())

    def flush(self) -> None:
        """Let nothing wait for company any more."""
        for queue in self._turns:
            queue.flush()
        self._news.set()

    def give_up(self, partition: str, error: SendError) -> None:
        """Tell whoever waits for a partition that is gone."""
        queue = self._queues[partition]
        queue.fail_all(error)
        queue.resume_at = 0.0
        self._news.set()

    async def stop(self) -> None:
        """End after the send that is under way. What waits still is to be taken then, and the lane to be closed."""
        self._stopping = True
        self._news.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def take_all(self) -> list[Waiting]:
        """What waits, in its order, which is somebody else's from now on."""
        return [waiting for queue in self._queues.values() for waiting in queue.take_all()]

    async def close(self) -> None:
        """End at once; whoever waits is cancelled, also for a send that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        for waiting in self.take_all():
            waiting.acknowledged.cancel()
        await self._connection.close()

    async def disconnect_if_unused_since(self, unused_since: float) -> None:
        """Close the connection, which the next event opens again."""
        if self.idle and self._used_at <= unused_since:
            await self._connection.close()

    async def _drain(self) -> None:
        looked = self._alone
        try:
            while not self._stopping:
                self._news.clear()
                queue = self._next()
                if queue is not None:
                    if not looked and not self._connection.is_open:
                        await self._connection.open_side_by_side([each.id for each in self._turns if each.waiting])
                    looked = True
                    await self._send(queue)
                elif any(each.waiting for each in self._turns):
                    await self._wait()
                else:
                    break
        finally:
            self._task = None

    def _next(self) -> PartitionQueue | None:
        """The next in turn that has something to send and may be sent to."""
        now = asyncio.get_running_loop().time()
        for _ in range(len(self._turns)):
            queue = self._turns[0]
            self._turns.rotate(-1)
            if queue.waiting and queue.due_at <= now:
                return queue
        return None

    async def _wait(self) -> None:
        """Until something is to be sent, or there is news."""
        due_at = min(each.due_at for each in self._turns if each.waiting)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(None if due_at == NEVER else due_at):
                await self._news.wait()

    async def _send(self, queue: PartitionQueue) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._patient(queue):
                if await self._send_batch(queue, most=queue.begin()):
                    queue.acknowledged()
        except BusyError as error:
            queue.throttled(loop.time(), error)
        except NoSuchPartitionError as error:
            queue.gone()
            self._gone(queue.id, error)
        except NoAnswerError as error:
            queue.slow(loop.time(), error)
        except SendError as error:
            queue.failed(error)
        except Exception as error:  # whatever it was, nobody may wait for it for ever
            queue.failed(SendError(self._destination_id, repr(error), FailureCode.OTHER, queue.id))
        finally:
            queue.end()

    async def _send_batch(self, queue: PartitionQueue, most: int) -> bool:
        """Whether there was anything to send."""
        connection = self._connection
        batch = connection.open_batch(queue.id)
        if batch is None:  # an empty one is false
            batch = await connection.new_batch(queue.id)
        fill(batch, queue.waiting, queue.sent, most, queue.id)
        if not queue.sent:
            return False
        with self._tracing.send([each.export for each in queue.sent], queue.id):
            await connection.send(queue.id, batch)
        return True

    @asynccontextmanager
    async def _patient(self, queue: PartitionQueue) -> AsyncIterator[None]:
        """While a send takes too long, let nobody wait for it; and no other partition of the lane wait behind it.

        To open a link takes a second or two, and is not what is looked at here.
        """
        loop = asyncio.get_running_loop()

        def look() -> None:
            if self._connection.is_open_to(queue.id) or queue.held is not None:
                if self._alone:
                    queue.slow(loop.time())
                else:
                    limit.reschedule(loop.time())

        timer = ListeningTimer(self._patience.slow_after, look)
        try:
            async with asyncio.timeout(None) as limit:
                yield
        except TimeoutError:
            raise queue.no_answer() from None
        finally:
            timer.cancel()
