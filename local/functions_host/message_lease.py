"""The hold this host has on one received message."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.exceptions import AzureError, HttpResponseError

from .storage import StorageQueue

_log = logging.getLogger(__name__)

_LOST = ("PopReceiptMismatch", "MessageNotFound", "QueueNotFound")


class MessageLease:
    """Keeps a message invisible to others, and ends by deleting or releasing it.

    A lease can be lost to another host. That is logged and nothing else: the message is the other's now.
    """

    def __init__(self, queue: StorageQueue, message_id: str, pop_receipt: str, seconds: int) -> None:
        self._queue = queue
        self._message_id = message_id
        self._pop_receipt = pop_receipt
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
        except HttpResponseError as error:
            self._accept_loss(error)

    async def release(self, delay_seconds: int) -> None:
        """Let the message be delivered again after the delay."""
        try:
            await self._queue.hide(self._message_id, self._pop_receipt, delay_seconds)
        except HttpResponseError as error:
            self._accept_loss(error)

    async def _renew_until(self, ended: asyncio.Event) -> None:
        wait_seconds = self._seconds / 2
        while True:
            try:
                await asyncio.wait_for(ended.wait(), wait_seconds)
                return
            except TimeoutError:
                pass
            try:
                self._pop_receipt = await self._queue.hide(self._message_id, self._pop_receipt, self._seconds)
                wait_seconds = self._seconds / 2
            except AzureError as error:
                if _is_lost(error):
                    self._log_loss(error)
                    return
                wait_seconds = self._seconds / 8
                _log.warning("The lease of message %s was not renewed, trying again: %s", self._message_id, error)

    def _accept_loss(self, error: HttpResponseError) -> None:
        if not _is_lost(error):
            raise error
        self._log_loss(error)

    def _log_loss(self, error: AzureError) -> None:
        _log.warning(
            "The lease of message %s of queue %s was lost; another host may have run it too: %s",
            self._message_id,
            self._queue.name,
            error,
        )


def _is_lost(error: AzureError) -> bool:
    return getattr(error, "error_code", None) in _LOST
