"""The queue `export-retries`: pointers that come back after a delay."""

import json

from shared.adapters.queues import Queue
from shared.services.undelivered_ports import RetryPointer

NAME = "export-retries"


class StorageRetryQueue:
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        await self._queue.put(encode_pointer(pointer), delay)


def encode_pointer(pointer: RetryPointer) -> str:
    return json.dumps(
        {"destinationId": pointer.destination_id, "profileKey": pointer.profile_key, "attempt": pointer.attempt}
    )


def decode_pointer(body: bytes) -> RetryPointer:
    """Raises ValueError for what is no pointer."""
    try:
        document = json.loads(body)
        return RetryPointer(str(document["destinationId"]), str(document["profileKey"]), int(document["attempt"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"queue {NAME}: expected destinationId, profileKey and attempt") from error
