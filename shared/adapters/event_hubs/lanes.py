"""Lanes to one Event Hub: what gathers while a batch is under way is sent with the next (group commit).

A lane is one partition of one destination. Batches of one lane follow each other, lanes run side by side; the first
event of an idle lane waits some milliseconds for company. An event that cannot be sent fails alone; a batch that cannot
be sent fails whole, and the next one gets a new client.

Nobody waits for a slow hub: whoever waits holds a queue message, and with it one of the few that the host hands out at
a time. So a lane that acknowledged before gets `_SLOW_AFTER`; then all who wait in it are told, though the send itself
goes on. Until it answers again only one send at a time tries it, and whoever comes meanwhile is told at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from azure.eventhub import EventData, EventDataBatch
from azure.eventhub.aio import EventHubProducerClient

from shared.adapters.event_hubs.client import HubClient, NoAnswerError
from shared.domain.exports.export import Export
from shared.domain.profile_key import partition_of
from shared.errors import ExportTooLargeError, SendError, ThrottledError

T = TypeVar("T")
_THROTTLE_PAUSE = 1.0
_GATHERING = 0.005
"""Seconds that the first event of an idle lane waits for others: a send costs hardly more with many than with one."""
_SLOW_AFTER = 2.5  # a connection that was lost is built anew within one to two


class _Waiting(NamedTuple):
    export: Export
    acknowledged: "asyncio.Future[None]"


class Hub:
    """The lanes of one destination, over one client that is replaced after a failure. `send_timeout` in seconds.

    `used_at` is when something was last enqueued, on the event loop's clock.
    """

    def __init__(
        self, destination_id: str, new_client: Callable[[], Awaitable[EventHubProducerClient]], send_timeout: float
    ) -> None:
        self._destination_id = destination_id
        self._client = HubClient(destination_id, new_client, send_timeout)
        self.used_at = 0.0
        self._partitions: list[str] = []
        self._lanes: dict[str, deque[_Waiting]] = {}
        self._warm: set[str] = set()
        self._slow: set[str] = set()
        self._unassigned: deque[_Waiting] = deque()
        self._working: set[asyncio.Future[None]] = set()

    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        """See ExportSender.enqueue."""
        self.used_at = asyncio.get_running_loop().time()
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(export, acknowledged)
        if self._partitions:
            self._assign(waiting)
        else:
            self._unassigned.append(waiting)
            if len(self._unassigned) == 1:
                _keep(self._working, self._open())
        return acknowledged

    @property
    def idle(self) -> bool:
        """Whether everything that was enqueued has ended."""
        return not (self._unassigned or self._lanes or self._working)

    async def close(self) -> None:
        """Close the connection; whoever still waits is cancelled."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        for waiting in [*self._unassigned, *(waiting for lane in self._lanes.values() for waiting in lane)]:
            waiting.acknowledged.cancel()
        await self._client.close()

    async def _open(self) -> None:
        """Learn the hub's partitions, then hand the events that waited for them to their lanes."""
        try:
            self._partitions = await self._request(lambda client: client.get_partition_ids())
        except SendError as error:
            while self._unassigned:
                _fail(self._unassigned.popleft(), error)
            return
        while self._unassigned:
            self._assign(self._unassigned.popleft())

    def _assign(self, waiting: _Waiting) -> None:
        partition = self._partitions[partition_of(waiting.export.profile_id, len(self._partitions))]
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = deque()
            _keep(self._working, self._drain(partition, lane))
        elif partition in self._slow:
            reason = f"earlier events have waited for more than {_SLOW_AFTER:g} s for their acknowledgement"
            _fail(waiting, SendError(self._destination_id, reason))
            return
        lane.append(waiting)

    async def _drain(self, partition: str, lane: deque[_Waiting]) -> None:
        to_send_alone = 0
        await asyncio.sleep(_GATHERING)
        while lane:
            sent: list[_Waiting] = []
            try:
                with self._patience(partition, sent, lane):
                    batch = await self._request(lambda client: client.create_batch(partition_id=partition))
                    _fill(batch, lane, sent, most=1 if to_send_alone else len(lane))
                    if sent:
                        await self._send(partition, batch)
            except Exception as error:  # whatever it was, nobody may wait for it for ever
                if isinstance(error, ExportTooLargeError) and len(sent) > 1:
                    # Which of them the hub finds too large shows when each goes alone.
                    to_send_alone = len(sent)
                    lane.extendleft(reversed(sent))
                    continue
                await self._give_up(partition, error, sent, lane)
            for waiting in sent:
                if not waiting.acknowledged.done():
                    waiting.acknowledged.set_result(None)
            to_send_alone = max(0, to_send_alone - 1)
        del self._lanes[partition]

    async def _give_up(self, partition: str, error: Exception, sent: list[_Waiting], lane: deque[_Waiting]) -> None:
        """Tell those who were sent, and those behind them where the hub does not answer at all."""
        failure = error if isinstance(error, SendError) else SendError(self._destination_id, repr(error))
        if isinstance(error, NoAnswerError):
            self._slow.add(partition)
        if isinstance(error, NoAnswerError) or not sent:
            sent += [lane.popleft() for _ in range(len(lane))]
        for waiting in sent:
            _fail(waiting, failure)
        if isinstance(error, ThrottledError):
            await asyncio.sleep(_THROTTLE_PAUSE)

    async def _send(self, partition: str, batch: EventDataBatch) -> None:
        await self._request(lambda client: client.send_batch(batch))
        self._warm.add(partition)
        self._slow.discard(partition)

    @contextmanager
    def _patience(self, partition: str, sent: list[_Waiting], lane: deque[_Waiting]) -> Iterator[None]:
        """While a send of a lane takes too long, let nobody wait for it."""

        def stop_waiting() -> None:
            self._slow.add(partition)
            error = NoAnswerError(self._destination_id, f"no acknowledgement within {_SLOW_AFTER:g} s")
            for waiting in [*sent, *lane]:
                _fail(waiting, error)
            lane.clear()

        if partition not in self._warm:  # the first send of a connection opens a link, which takes a second or two
            yield
            return
        timer = asyncio.get_running_loop().call_later(_SLOW_AFTER, stop_waiting)
        try:
            yield
        finally:
            timer.cancel()

    async def _request(self, request: Callable[[EventHubProducerClient], Awaitable[T]]) -> T:
        try:
            return await self._client.request(request)
        except (NoAnswerError, ThrottledError):
            raise  # still warm: a hub that left one batch waiting is not given as long again
        except SendError:
            self._warm.clear()
            raise


def _keep(tasks: set[asyncio.Future[None]], work: Awaitable[None]) -> None:
    """Start `work`; the event loop itself holds its tasks only weakly."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _fill(batch: EventDataBatch, lane: deque[_Waiting], taken: list[_Waiting], most: int) -> None:
    """Move up to `most` events from `lane` to `batch` until it is full; one too large for an empty batch fails."""
    while lane and len(taken) < most:
        waiting = lane[0]
        try:
            batch.add(_event(waiting.export))
        except ValueError as error:
            if taken and "size limit" in str(error):
                return
            _fail(lane.popleft(), _not_addable(waiting.export, batch, error))
        else:
            taken.append(lane.popleft())


def _not_addable(export: Export, batch: EventDataBatch, error: ValueError) -> SendError:
    if "size limit" not in str(error):
        return SendError(export.destination.id, f"the event cannot be encoded: {error}")
    size, limit = len(export.body), batch.max_size_in_bytes
    reason = f"an event with a body of {size:,} bytes does not fit the hub's limit of {limit:,}"
    return ExportTooLargeError(export.destination.id, reason)


def _event(export: Export) -> EventData:
    event = EventData(export.body)
    event.content_type = "application/json"
    event.message_id = export.message_id
    event.properties = {
        name: _amqp_long(value) if isinstance(value, int) else value
        for name, value in export.application_properties.items()
    }
    return event


def _amqp_long(value: int) -> dict[str, str | int]:
    """An AMQP long (64 bits): the SDK would encode a bare integer in 32 bits, or fail where it does not fit."""
    return {"TYPE": "LONG", "VALUE": value}


def _fail(waiting: _Waiting, error: SendError) -> None:
    if not waiting.acknowledged.done():
        waiting.acknowledged.set_exception(error)
