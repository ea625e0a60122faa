"""The queue `export-retries`: pointers that come back after a delay."""

import json

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.queue.aio import QueueClient

from shared.errors import StorageError
from shared.services.ports import RetryPointer

NAME = "export-retries"


class StorageRetryQueue:
    def __init__(self, client: QueueClient) -> None:
        self._client = client

    async def create_if_missing(self) -> None:
        """Raises StorageError."""
        try:
            await self._client.create_queue()
        except ResourceExistsError:
            return
        except AzureError as error:
            raise StorageError(f"queue {NAME}: could not create the queue: {error}") from error

    async def put(self, pointer: RetryPointer, delay: float) -> None:
        try:
            await self._client.send_message(encode_pointer(pointer), visibility_timeout=max(0, round(delay)))
        except AzureError as error:
            raise StorageError(f"queue {NAME}: could not put a message: {error}") from error


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
