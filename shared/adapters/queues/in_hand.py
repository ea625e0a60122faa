"""Notes of what workers have in hand: each a message of a queue of their own, hidden as long as its worker is there."""

import json
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from azure.core.exceptions import AzureError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.storage_reasons import storage_error
from shared.ports.in_hand import InHandNote, MessageInHand

QUEUE = "messages-in-hand"


def encode_note(messages: Sequence[MessageInHand]) -> str:
    """A JSON object: by queue, the id and the receipt of each message."""
    by_queue = defaultdict[str, list[list[str]]](list)
    for message in messages:
        by_queue[message.queue].append([message.id, message.receipt])
    return json.dumps(by_queue, separators=(",", ":"))


def decode_note(body: bytes) -> list[MessageInHand]:
    """Raises ValueError for what is no note."""
    try:
        by_queue: dict[str, list[list[str]]] = json.loads(body)
        return [MessageInHand(queue, *message) for queue, messages in by_queue.items() for message in messages]
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"queue {QUEUE}: expected ids and receipts by queue") from error


class StorageMessagesInHand:
    def __init__(self, account: QueueServiceClient) -> None:
        self._account = account
        self._notes = account.get_queue_client(QUEUE)

    async def put_note(self, messages: Sequence[MessageInHand], seconds: float) -> InHandNote:
        async with _translated(QUEUE, "put a note"):
            put = await self._notes.send_message(encode_note(messages), visibility_timeout=_whole(seconds))
            return InHandNote(put.id, str(put.pop_receipt))

    async def write_note(
        self, note: InHandNote, messages: Sequence[MessageInHand], seconds: float
    ) -> InHandNote | None:
        try:
            async with _translated(QUEUE, "write a note"):
                written = await self._notes.update_message(
                    note.id, note.receipt, content=encode_note(messages), visibility_timeout=_whole(seconds)
                )
                return InHandNote(note.id, str(written.pop_receipt))
        except _NotOursError:
            return None

    async def delete_note(self, note: InHandNote) -> None:
        try:
            async with _translated(QUEUE, "delete a note"):
                await self._notes.delete_message(note.id, note.receipt)
        except _NotOursError:
            return

    async def hide(self, message: MessageInHand, seconds: float) -> bool:
        queue = self._account.get_queue_client(message.queue)
        try:
            async with _translated(message.queue, "give back a message"):
                # By its id: the message itself would be sent up again, text and all.
                await queue.update_message(message.id, message.receipt, visibility_timeout=_whole(seconds))
        except _NotOursError:
            return False
        return True


class _NotOursError(Exception):
    """The message is there no more, or somebody else has it."""


def _whole(seconds: float) -> int:
    return max(0, math.ceil(seconds))


@asynccontextmanager
async def _translated(queue: str, operation: str) -> AsyncIterator[None]:
    try:
        yield
    except AzureError as error:
        code = getattr(error, "error_code", None)
        if getattr(code, "value", code) in ("MessageNotFound", "PopReceiptMismatch"):
            raise _NotOursError from error
        raise storage_error(f"queue {queue}: could not {operation}", error) from error
