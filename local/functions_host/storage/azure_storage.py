"""Queues and blobs of a storage account, reached by the name of a connection."""

import asyncio
import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient, ContainerClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from ..errors import HostStartError
from ..settings import required_setting
from .host_queue import HostQueue
from .message_encoding import MessageEncoding
from .requests import ReceivedMessage, StorageRequestError

HOST_CONNECTION = "AzureWebJobsStorage"
_HOST_CONTAINER = "azure-webjobs-hosts"
# The account and key that Azurite publishes for everybody; they open nothing else.
_AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)
# Retries are the host's (storage_retries). An answer may take as long as the .NET client waits for one. Looking for
# proxies in the environment on each request halves the throughput.
_OPTIONS: dict[str, Any] = {"retry_total": 0, "read_timeout": 100, "use_env_settings": False}


class AzureQueue:
    """`QueueRequests`, sent to an account."""

    def __init__(self, client: QueueClient) -> None:
        self.name: str = client.queue_name
        self._client = client

    async def exists(self) -> bool:
        try:
            with _translated(f"queue {self.name}: asking for its metadata"):
                await self._client.get_queue_properties()
        except StorageRequestError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def create(self) -> None:
        with _translated(f"queue {self.name}: creating it"), contextlib.suppress(ResourceExistsError):
            await self._client.create_queue()

    async def get(self, count: int, visibility_seconds: int) -> list[ReceivedMessage]:
        with _translated(f"queue {self.name}: getting messages"):
            # A page is one request; reading the pager to its end would ask again for what the first answer lacked.
            pages = self._client.receive_messages(
                messages_per_page=count, visibility_timeout=visibility_seconds
            ).by_page()
            try:
                page = await anext(pages)
            except StopAsyncIteration:
                return []
            return [
                ReceivedMessage(
                    message.id,
                    str(message.pop_receipt),
                    str(message.content),
                    message.dequeue_count or 0,
                    message.inserted_on,
                    message.expires_on,
                    message.next_visible_on,
                )
                async for message in page
            ]

    async def put(self, text: str) -> None:
        with _translated(f"queue {self.name}: putting a message"):
            await self._client.send_message(text)

    async def update(self, message_id: str, pop_receipt: str, visibility_seconds: int) -> str:
        with _translated(f"queue {self.name}: updating message {message_id}"):
            # Passing the message itself instead of its id would upload its text again.
            updated = await self._client.update_message(message_id, pop_receipt, visibility_timeout=visibility_seconds)
        return str(updated.pop_receipt)

    async def delete(self, message_id: str, pop_receipt: str) -> None:
        with _translated(f"queue {self.name}: deleting message {message_id}"):
            await self._client.delete_message(message_id, pop_receipt)


class AzureBlobs:
    """`BlobRequests`, sent to the container of the host's own blobs."""

    def __init__(self, container: ContainerClient) -> None:
        self._container = container

    async def create_container(self) -> None:
        with _translated("creating the host's container"), contextlib.suppress(ResourceExistsError):
            await self._container.create_container()

    async def acquire_lease(self, blob: str, seconds: int) -> str:
        lease = self._lease(blob)
        with _translated(f"blob {blob}: acquiring its lease"):
            await lease.acquire(lease_duration=seconds)
        return lease.id

    async def renew_lease(self, blob: str, lease_id: str) -> None:
        with _translated(f"blob {blob}: renewing its lease"):
            await self._lease(blob, lease_id).renew()

    async def release_lease(self, blob: str, lease_id: str) -> None:
        with _translated(f"blob {blob}: releasing its lease"):
            await self._lease(blob, lease_id).release()

    async def write(self, blob: str, content: bytes) -> None:
        with _translated(f"blob {blob}: writing it"):
            await self._container.upload_blob(blob, content, overwrite=True)

    async def read(self, blob: str) -> bytes:
        with _translated(f"blob {blob}: reading it"):
            return await (await self._container.download_blob(blob)).readall()

    def _lease(self, blob: str, lease_id: str | None = None) -> BlobLeaseClient:
        return BlobLeaseClient(self._container.get_blob_client(blob), lease_id=lease_id)


class StorageAccounts:
    """The accounts of all connections; one client, and so one connection pool, for each and its queues."""

    def __init__(self, encoding: MessageEncoding) -> None:
        self._encoding = encoding
        self._queue_services: dict[str, QueueServiceClient] = {}
        self._blob_service: BlobServiceClient | None = None
        self._added: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    def queue(self, connection: str | None, name: str, needed_by: str) -> HostQueue:
        connection = connection or HOST_CONNECTION
        if connection not in self._queue_services:
            self._queue_services[connection] = _service(QueueServiceClient, "queue", connection, needed_by)
        requests = AzureQueue(self._queue_services[connection].get_queue_client(name))
        return HostQueue(requests, self._encoding, self._added[connection, name])

    def host_blobs(self, needed_by: str) -> AzureBlobs:
        if self._blob_service is None:
            self._blob_service = _service(BlobServiceClient, "blob", HOST_CONNECTION, needed_by)
        return AzureBlobs(self._blob_service.get_container_client(_HOST_CONTAINER))

    async def close(self) -> None:
        for queue_service in self._queue_services.values():
            await queue_service.close()
        if self._blob_service is not None:
            await self._blob_service.close()


def _service(client: Any, kind: str, connection: str, needed_by: str) -> Any:
    uri = os.environ.get(f"{connection}__{kind}ServiceUri")
    if account := os.environ.get(f"{connection}__accountName"):
        uri = uri or f"https://{account}.{kind}.core.windows.net"
    if uri:
        from azure.identity.aio import DefaultAzureCredential

        return client(uri, credential=DefaultAzureCredential(), **_OPTIONS)
    text = required_setting(connection, needed_by)
    if text.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
        text = _AZURITE
    try:
        return client.from_connection_string(text, **_OPTIONS)
    except ValueError as error:
        raise HostStartError(
            f"{needed_by}: the app setting {connection} is no storage connection string ({error}). Correct its value."
        ) from error


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except HttpResponseError as error:
        said = getattr(error, "error_code", None) or ""
        code = str(getattr(said, "value", said))  # an enumeration where the SDK knows it
        raise StorageRequestError(f"{what}: {error.status_code} {code}", error.status_code, code) from error
    except AzureError as error:
        raise StorageRequestError(f"{what}: no answer ({type(error).__name__})", None) from error
