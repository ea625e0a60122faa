"""One connection to an Event Hub at a time: every request ends in time, and after an error a new one is made."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from azure.eventhub import EventDataBatch

from shared.adapters.event_hubs.connections import HubAccess
from shared.adapters.event_hubs.links import Links
from shared.adapters.event_hubs.problems import Refusal, problem_of, refusal_of
from shared.concurrency import all_of, ends_within
from shared.domain.exports.lag import PartitionEnds
from shared.errors import ExportTooLargeError, FailureCode, HeldBackError, NoSignInError, SendError
from shared.places import Places

T = TypeVar("T")
_CLOSE_TIMEOUT = 5.0


class NoAnswerError(SendError):
    """Nothing came back in time, and what waits behind it would wait in vain, too."""


class BusyError(SendError):
    """The hub asks to be left alone for a while; nothing was stored."""


class NoSuchPartitionError(SendError):
    """The hub is not as it was: nothing was stored."""


class KeptAccess:
    """What opens the hub, read once for all connections until the hub refuses it."""

    def __init__(self, read: Callable[[], Awaitable[HubAccess]]) -> None:
        self._read = read
        self._reading: asyncio.Future[HubAccess] | None = None

    async def get(self) -> HubAccess:
        if self._reading is None or (self._reading.done() and _failed(self._reading)):
            self._reading = asyncio.ensure_future(self._read())
            self._reading.add_done_callback(_consume_result)
        return await asyncio.shield(self._reading)

    def forget(self) -> None:
        """Read it anew: it may be another one by now."""
        if self._reading is not None and self._reading.done():
            self._reading = None

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()


class HubConnection:
    """Whoever sends must wait for the one before. `timeout` in seconds, of each request and of reading the key.

    `openings`: if given, only so many of a worker's connections and links are opened at once. To wait for one's turn is
    no fault of the hub's, so the time for its answer begins after that.
    """

    def __init__(self, destination_id: str, access: KeptAccess, timeout: float, openings: Places | None = None) -> None:
        self._destination_id = destination_id
        self._access = access
        self._timeout = timeout
        self._openings = openings
        self._links: Links | None = None
        self._closing: set[asyncio.Future[None]] = set()

    @property
    def is_open(self) -> bool:
        return self._links is not None

    def is_open_to(self, partition: str) -> bool:
        return self._links is not None and self._links.is_open(partition)

    async def partitions(self) -> tuple[str, ...]:
        """The ids of the hub's partitions. Raises SendError."""
        return await self._request(None, Links.partition_ids)

    async def properties(self) -> tuple[int, tuple[str, ...]]:
        """When the hub was made (microseconds), and the ids of its partitions. Raises SendError."""
        return await self._request(None, Links.properties)

    async def partition_ends(self, partition: str) -> PartitionEnds:
        """Where the partition begins and ends. Raises SendError."""
        return await self._request(None, lambda links: links.partition_ends(partition))

    async def open_side_by_side(self, partitions: Iterable[str]) -> None:
        """Open the links to these partitions as far as they open; what is wrong with one shows when it is used."""
        opened = await asyncio.gather(*(self.new_batch(each) for each in partitions), return_exceptions=True)
        for result in opened:
            if isinstance(result, BaseException) and not isinstance(result, SendError):
                raise result

    def open_batch(self, partition: str) -> EventDataBatch | None:
        """As `new_batch`, where the partition's link is open already."""
        links = self._links
        return links.new_batch(partition) if links is not None and links.is_open(partition) else None

    async def new_batch(self, partition: str) -> EventDataBatch:
        """As large as the partition's link takes, which is opened for it. Raises SendError."""

        async def batch(links: Links) -> EventDataBatch:
            await links.open(partition)
            return links.new_batch(partition)

        return await self._request(partition, batch)

    async def send(self, partition: str, batch: EventDataBatch) -> None:
        """Over when the hub has acknowledged the batch.

        Raises NoAnswerError, BusyError, NoSuchPartitionError, ExportTooLargeError, SendError.
        """

        async def sent(links: Links) -> None:
            await links.open(partition)
            await links.send(partition, batch)

        await self._request(partition, sent)

    async def close(self) -> None:
        self._drop(self._links)
        await all_of(self._closing)

    async def _request(self, partition: str | None, request: Callable[[Links], Awaitable[T]]) -> T:
        """One request, over within the timeout whatever the SDK does."""
        known = self._links is not None and (partition is None or self._links.is_open(partition))
        if known or self._openings is None:
            return await self._answered(partition, request)
        place = await self._openings.enter()
        try:
            place.leave_soon()
            return await self._answered(partition, request)
        finally:
            place.leave()

    async def _answered(self, partition: str | None, request: Callable[[Links], Awaitable[T]]) -> T:
        task = asyncio.ensure_future(self._tried(partition, request))
        try:
            ended = await ends_within(self._timeout, task)
        except asyncio.CancelledError:
            task.cancel()
            self._drop(self._links)
            raise
        if ended:
            return task.result()
        # Not awaited: the SDK may be slow to give up, and nobody is to wait for it.
        task.cancel()
        task.add_done_callback(_consume_result)
        raise self._no_answer(partition)

    async def _tried(self, partition: str | None, request: Callable[[Links], Awaitable[T]]) -> T:
        """A connection that was lost, or a link that was, is made anew once."""
        first, access = await self._connected()
        try:
            return await request(first)
        except Exception as error:
            refusal = self._judged(error, first, access)
            if refusal not in (Refusal.LOST, Refusal.NO_PARTITION):
                raise self._explained(partition, error, access) from error
        second, access = await self._connected()
        try:
            return await request(second)
        except Exception as error:
            self._judged(error, second, access)
            raise self._explained(partition, error, access) from error

    def _judged(self, error: Exception, links: Links, access: HubAccess) -> Refusal:
        refusal = refusal_of(error)
        # What is open needs no token; a connection that was never signed in is of no use.
        if refusal not in (Refusal.BUSY, Refusal.TOO_LARGE) and not (refusal is Refusal.NO_TOKEN and links.connected):
            self._drop(links)
        if refusal is Refusal.FINAL:
            access.token_was_refused()
            self._access.forget()
        return refusal

    async def _connected(self) -> tuple[Links, HubAccess]:
        try:
            access = await self._access.get()
        except NoSignInError as error:
            raise HeldBackError(self._destination_id, str(error), FailureCode.SIGN_IN_FAILING) from error
        except Exception as error:
            raise SendError(self._destination_id, str(error), FailureCode.NO_CREDENTIALS) from error
        if self._links is None:
            self._links = Links(access.client())
        return self._links, access

    def _no_answer(self, partition: str | None) -> NoAnswerError:
        links = self._links
        if links is None:
            what, code = "its key was not read", FailureCode.NO_CREDENTIALS
        elif not links.connected:
            what, code = "no answer", FailureCode.UNREACHABLE
        else:
            what, code = "no acknowledgement", FailureCode.TIMEOUT
        self._drop(links)
        return NoAnswerError(self._destination_id, f"{what} within {self._timeout:g} s", code, partition)

    def _explained(self, partition: str | None, error: Exception, access: HubAccess) -> SendError:
        refusal = refusal_of(error)
        problem = problem_of(error, access.credentials, access.event_hub_name)
        if refusal is Refusal.TOO_LARGE:
            return ExportTooLargeError(self._destination_id, f"larger than the hub takes: {problem.message}", partition)
        code = FailureCode(problem.kind)
        if code is FailureCode.SIGN_IN_FAILING:
            return HeldBackError(self._destination_id, problem.message, code, partition)
        kind = {Refusal.BUSY: BusyError, Refusal.NO_PARTITION: NoSuchPartitionError}.get(refusal, SendError)
        return kind(self._destination_id, problem.message, code, partition)

    def _drop(self, links: Links | None) -> None:
        """Let the next request make a new connection; those under way on this one fail with it."""
        if links is not None and self._links is links:
            self._links = None
            closing = asyncio.ensure_future(_close_quietly(links))  # the event loop holds its tasks only weakly
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _failed(future: "asyncio.Future[Any]") -> bool:
    return future.cancelled() or future.exception() is not None


def _consume_result(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()


async def _close_quietly(links: Links) -> None:
    """Closing a broken connection may fail or hang; it is of no use to anyone any more."""
    closing: asyncio.Future[None] = asyncio.ensure_future(links.close())
    await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
    closing.cancel()
    closing.add_done_callback(_consume_result)
