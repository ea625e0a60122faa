"""Queues of a storage account, reached by the name of a connection."""

import asyncio
import base64
import contextlib
import os
from collections import defaultdict
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from .errors import HostStartError
from .settings import required_setting

_DEFAULT_CONNECTION = "AzureWebJobsStorage"
# The account and key that Azurite publishes for everybody; they open nothing else.
_AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)


class UndecodableMessageError(Exception):
    """The text of a queue message is not in the encoding that host.json states."""


class StorageQueue:
    """A queue as host.json's `messageEncoding` makes the host see it."""

    def __init__(self, client: QueueClient, *, base64_encoded: bool, added: asyncio.Event) -> None:
        self.name: str = client.queue_name
        self.added = added
        """Set when this process adds a message: the host's own messages do not wait for the next poll."""
        self._client = client
        self._base64_encoded = base64_encoded

    async def receive(self, count: int, lease_seconds: int) -> list[QueueMessage]:
        """Up to `count` messages in one request; a queue that does not exist is empty."""
        # A page is one request; reading the pager to its end would ask again for what the first answer lacked.
        # The poll after this one is its retry; the SDK's retries would only keep a host from stopping.
        pages = self._client.receive_messages(
            messages_per_page=count, visibility_timeout=lease_seconds, retry_total=0
        ).by_page()
        try:
            page = await anext(pages)
        except (StopAsyncIteration, ResourceNotFoundError):
            return []
        return [message async for message in page]

    def decode(self, text: str) -> bytes:
        if not self._base64_encoded:
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise UndecodableMessageError("the message is not base64") from error

    async def hide(self, message_id: str, pop_receipt: str, seconds: int) -> str:
        """Make a received message invisible for so long from now; returns its new pop receipt."""
        # Passing the message itself instead of its id would upload its text again.
        updated = await self._client.update_message(message_id, pop_receipt, visibility_timeout=seconds)
        return str(updated.pop_receipt)

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        await self._client.delete_message(message_id, pop_receipt)

    async def add(self, content: str | bytes) -> None:
        """Add a message in the stated encoding; a queue that does not exist is created."""
        if self._base64_encoded:
            raw = content.encode() if isinstance(content, str) else content
            await self.add_raw(base64.b64encode(raw).decode())
        else:
            await self.add_raw(content if isinstance(content, str) else content.decode())

    async def add_raw(self, text: str) -> None:
        """Add a message whose text is encoded already."""
        try:
            await self._client.send_message(text)
        except ResourceNotFoundError:
            await self._create()
            await self._client.send_message(text)
        self.added.set()

    async def _create(self) -> None:
        # Another instance may be faster.
        with contextlib.suppress(ResourceExistsError):
            await self._client.create_queue()


class StorageQueues:
    """The queues of all connections; one client, and so one connection pool, for each."""

    def __init__(self, *, base64_encoded: bool) -> None:
        self._base64_encoded = base64_encoded
        self._services: dict[str, QueueServiceClient] = {}
        self._added: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    def queue(self, connection: str | None, name: str, needed_by: str) -> StorageQueue:
        connection = connection or _DEFAULT_CONNECTION
        if connection not in self._services:
            self._services[connection] = _service_client(connection, needed_by)
        client = self._services[connection].get_queue_client(name)
        return StorageQueue(client, base64_encoded=self._base64_encoded, added=self._added[connection, name])

    async def close(self) -> None:
        for service in self._services.values():
            await service.close()


def _service_client(connection: str, needed_by: str) -> QueueServiceClient:
    # Looking for proxies in the environment on each request halves the throughput. The SDK's first retry comes after
    # 15 s, that of .NET, with which the host is written, after about one.
    options: dict[str, Any] = {"use_env_settings": False, "initial_backoff": 1}
    if service_uri := os.environ.get(f"{connection}__queueServiceUri"):
        from azure.identity.aio import DefaultAzureCredential

        return QueueServiceClient(service_uri, credential=DefaultAzureCredential(), **options)
    text = required_setting(connection, needed_by)
    if text.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
        text = _AZURITE
    try:
        return QueueServiceClient.from_connection_string(text, **options)
    except ValueError as error:
        raise HostStartError(
            f"{needed_by}: the app setting {connection} is no storage connection string ({error}). Correct its value."
        ) from error
