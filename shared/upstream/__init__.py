"""For programs that send profile changes to the app: `open_queue`. docs/upstream.md shows how to use it.

It needs azure-storage-queue, azure-identity, aiohttp, orjson and pydantic, and nothing of a running app.
"""

from shared.errors import ChangeRefusedError, StorageError
from shared.services.changes.send import SendChanges
from shared.upstream.queue import open_queue, open_queue_of_account

__all__ = ["ChangeRefusedError", "SendChanges", "StorageError", "open_queue", "open_queue_of_account"]
