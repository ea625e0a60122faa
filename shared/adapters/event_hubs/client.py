"""One client of an Event Hub at a time: every request ends in time, and a client with which one failed is replaced."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from azure.eventhub.aio import EventHubProducerClient
from azure.eventhub.exceptions import EventHubError

from shared.errors import ExportTooLargeError, SendError, ThrottledError

T = TypeVar("T")
_CLOSE_TIMEOUT = 5.0


class NoAnswerError(SendError):
    """Nothing came back in time, and what waits behind it would wait in vain, too."""


class HubClient:
    """`new_client` may take its time, to read a key; so may each request: both are over within `timeout` seconds."""

    def __init__(
        self, destination_id: str, new_client: Callable[[], Awaitable[EventHubProducerClient]], timeout: float
    ) -> None:
        self._destination_id = destination_id
        self._new_client = new_client
        self._timeout = timeout
        self._client: EventHubProducerClient | None = None
        self._connecting: asyncio.Future[EventHubProducerClient] | None = None
        self._closing: set[asyncio.Future[None]] = set()

    async def request(self, request: Callable[[EventHubProducerClient], Awaitable[T]]) -> T:
        """One request to the hub, over within the timeout whatever the SDK does. Raises SendError."""
        client = self._client or await self._connected()
        task: asyncio.Future[T] = asyncio.ensure_future(request(client))
        try:
            done, _ = await asyncio.wait({task}, timeout=self._timeout)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            # Not awaited: the SDK may be slow to give up, and the lane must not be.
            task.cancel()
            task.add_done_callback(_consume_result)
            self._replace(client)
            raise NoAnswerError(self._destination_id, f"no acknowledgement within {self._timeout:g} s")
        try:
            return task.result()
        except Exception as error:
            condition = error.error if isinstance(error, EventHubError) else None
            if condition == "server-busy":
                raise ThrottledError(self._destination_id, "the hub is busy (server-busy)") from error
            self._replace(client)
            if condition == "link:message-size-exceeded":
                raise ExportTooLargeError(self._destination_id, f"larger than the hub takes: {error}") from error
            raise SendError(self._destination_id, f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        if self._client is not None:
            self._replace(self._client)
        await asyncio.gather(*self._closing)

    async def _connected(self) -> EventHubProducerClient:
        """The client; all who need one at once wait for the same."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(_consume_result)
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> EventHubProducerClient:
        try:
            async with asyncio.timeout(self._timeout):
                self._client = await self._new_client()
        except TimeoutError as error:
            raise NoAnswerError(self._destination_id, f"its key was not read within {self._timeout:g} s") from error
        except Exception as error:
            raise SendError(self._destination_id, str(error)) from error
        finally:
            self._connecting = None
        return self._client

    def _replace(self, failed: EventHubProducerClient) -> None:
        """Let the next request build a new client; requests that are under way on this one fail with it."""
        if self._client is failed:
            self._client = None
            closing = asyncio.ensure_future(_close_quietly(failed))  # the event loop itself holds its tasks only weakly
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _consume_result(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()


async def _close_quietly(client: EventHubProducerClient) -> None:
    """Closing a broken client may fail or hang; it is of no use to anyone any more."""
    closing: asyncio.Future[None] = asyncio.ensure_future(client.close())
    await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
    closing.cancel()
    closing.add_done_callback(_consume_result)
