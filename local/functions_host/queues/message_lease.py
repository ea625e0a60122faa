"""The hold this host has on one received message."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..storage.host_queue import HostQueue
from ..storage.requests import ReceivedMessage, StorageRequestError

_log = logging.getLogger(__name__)

_SHORTEST_WAIT = 60.0


class MessageLease:
    """Keeps a message invisible to others, and ends by deleting or releasing it.

    A message that is not this host's any more is no error: another has it, or the function itself has settled it.
    """

    def __init__(self, queue: HostQueue, message: ReceivedMessage, seconds: int) -> None:
        self._queue = queue
        self._message_id = message.id
        self._pop_receipt = message.pop_receipt
        self._seconds = seconds

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Renew the lease whenever half of it is over, until the block ends."""
        ended = asyncio.Event()
        renewal = asyncio.create_task(self._renew_until(ended))
        try:
            yield
        finally:
            # Cancelling could break off a request whose answer holds the new pop receipt.
            ended.set()
            await renewal

    async def delete(self) -> None:
        try:
            await self._queue.delete(self._message_id, self._pop_receipt)
        except StorageRequestError as error:
            self._accept_loss(error)

    async def release(self, delay_seconds: int) -> None:
        """Let the message be delivered again after the delay."""
        try:
            await self._queue.hide(self._message_id, self._pop_receipt, delay_seconds)
        except StorageRequestError as error:
            self._accept_loss(error)

    async def _renew_until(self, ended: asyncio.Event) -> None:
        usual_wait = wait_seconds = self._seconds / 2
        while True:
            try:
                await asyncio.wait_for(ended.wait(), wait_seconds)
                return
            except TimeoutError:
                pass
            try:
                self._pop_receipt = await self._queue.hide(self._message_id, self._pop_receipt, self._seconds)
                wait_seconds = usual_wait
            except StorageRequestError as error:
                if _is_lost(error):
                    _log.debug("The lease of message %s is not renewed any more: %s", self._message_id, error)
                    return
                wait_seconds = min(usual_wait, max(wait_seconds / 2, _SHORTEST_WAIT))
                _log.warning("The lease of message %s was not renewed, trying again: %s", self._message_id, error)

    def _accept_loss(self, error: StorageRequestError) -> None:
        if not _is_lost(error):
            raise error
        _log.debug("Message %s was settled by another: %s", self._message_id, error)


def _is_lost(error: StorageRequestError) -> bool:
    return error.status == 404 or error.code == "PopReceiptMismatch"
