"""The storage adapter of the Functions host stand-in, on Azurite."""

from collections.abc import AsyncIterator

import pytest
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local.functions_host.storage.azure_storage import AzureBlobs, AzureQueue
from local.stack.local_stack import LocalStack
from tests.conftest import UniqueNames
from tests.contracts.host_storage import BlobRequestsContract, QueueRequestsContract


class TestAzureQueue(QueueRequestsContract):
    @pytest.fixture
    async def queue(self, stack: LocalStack, names: UniqueNames) -> AsyncIterator[AzureQueue]:
        async with QueueServiceClient.from_connection_string(stack.storage_connection_string) as service:
            yield AzureQueue(service.get_queue_client(names.queue))


class TestAzureBlobs(BlobRequestsContract):
    @pytest.fixture
    async def blobs(self, stack: LocalStack, names: UniqueNames) -> AsyncIterator[AzureBlobs]:
        async with BlobServiceClient.from_connection_string(stack.storage_connection_string) as service:
            yield AzureBlobs(service.get_container_client(names.queue))
