"""A queue as the host uses it: requests retried, messages in the stated encoding, missing queues made by a put."""

import asyncio
import random
from collections.abc import Sequence

from .message_encoding import MessageEncoding
from .requests import QueueRequests, ReceivedMessage, StorageRequestError
from .retries import Uniform, retried


class HostQueue:
    """Raises StorageRequestError once a request's retries are used up."""

    def __init__(
        self,
        requests: QueueRequests,
        encoding: MessageEncoding,
        added: asyncio.Event,
        uniform: Uniform = random.uniform,
    ) -> None:
        self.name = requests.name
        self.encoding = encoding
        self.added = added
        """Set when this process adds a message: the host's own messages do not wait for the next poll."""
        self._requests = requests
        self._uniform = uniform

    async def exists(self) -> bool:
        return await retried(self._requests.exists, self._uniform)

    async def receive(self, count: int, seconds: int) -> Sequence[ReceivedMessage]:
        return await retried(lambda: self._requests.get(count, seconds), self._uniform)

    async def hide(self, message_id: str, pop_receipt: str, seconds: int) -> str:
        """Make a received message invisible for so long from now; returns its new pop receipt."""
        return await retried(lambda: self._requests.update(message_id, pop_receipt, seconds), self._uniform)

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        await retried(lambda: self._requests.delete(message_id, pop_receipt), self._uniform)

    async def add(self, content: str | bytes) -> None:
        """Add a message in the stated encoding; a queue that does not exist is created."""
        await self._put(self.encoding.encode(content.encode() if isinstance(content, str) else content))

    async def copy(self, text: str) -> None:
        """Add what was the text of another message."""
        await self._put(self.encoding.tidied(text))

    async def _put(self, text: str) -> None:
        try:
            await retried(lambda: self._requests.put(text), self._uniform)
        except StorageRequestError as error:
            if error.status != 404:
                raise
            await retried(self._requests.create, self._uniform)
            await retried(lambda: self._requests.put(text), self._uniform)
        self.added.set()
