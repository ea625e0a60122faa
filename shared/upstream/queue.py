"""Opens the queue of profile changes for sending."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.queue.aio import QueueClient

from shared.adapters.queues import queue
from shared.adapters.queues.changes import StorageChangesQueue
from shared.errors import SettingError
from shared.services.changes.send import SendChanges

QUEUE_NAME = "profile-changes"
_PATIENT = queue.PATIENT | {"retry_total": 5}
"""More than the app's, whose messages come again by themselves."""


@asynccontextmanager
async def open_queue(
    url: str, credential: AsyncTokenCredential | None = None, **options: Any
) -> AsyncIterator[SendChanges]:
    """Send to the queue at `url`, such as `https://contoso.queue.core.windows.net/profile-changes`.

    Without `credential` the environment's identity is used (`DefaultAzureCredential`), unless the URL has a shared
    access signature. Whoever sends needs the role Storage Queue Data Message Sender. `options` are those of
    SendChanges. Raises SettingError for a URL that is none of a queue.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or not parts.path.strip("/"):
        raise SettingError(
            "expected the URL of a queue, such as https://contoso.queue.core.windows.net/profile-changes"
        )
    async with AsyncExitStack() as stack:
        if credential is None and not parts.query:
            from azure.identity.aio import DefaultAzureCredential  # slow to import, and not always needed

            credential = await stack.enter_async_context(DefaultAzureCredential())
        client = QueueClient.from_queue_url(url, credential, **_PATIENT)
        yield await stack.enter_async_context(_sending(client, options))


@asynccontextmanager
async def open_queue_of_account(
    connection_string: str, name: str = QUEUE_NAME, **options: Any
) -> AsyncIterator[SendChanges]:
    """Send to the queue `name` of the storage account that `connection_string` names, which holds its key.

    `options` are those of SendChanges. Raises SettingError.
    """
    try:
        client = QueueClient.from_connection_string(connection_string, name, **_PATIENT)
    except ValueError as error:
        raise SettingError(f"queue {name!r} of the storage connection string: {error}") from error
    async with _sending(client, options) as changes:
        yield changes


@asynccontextmanager
async def _sending(client: QueueClient, options: dict[str, Any]) -> AsyncIterator[SendChanges]:
    async with client, SendChanges(StorageChangesQueue(client, client.queue_name), _clock, **options) as changes:
        yield changes


def _clock() -> int:
    return time.time_ns() // 1_000
