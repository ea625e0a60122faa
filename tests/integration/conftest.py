"""What tests on Azurite have in common: the app's queues."""

from collections.abc import AsyncIterator

import pytest
from azure.storage.queue.aio import QueueServiceClient

from local.stack.local_stack import LocalStack
from shared.adapters.queues import queue as queues
from shared.domain.messages.queue_kind import QueueKind
from shared.settings import Connection
from tests.conftest import UniqueNames


@pytest.fixture
async def queue_account(stack: LocalStack) -> AsyncIterator[QueueServiceClient]:
    async with queues.connect_account(Connection("STORAGE", stack.storage_connection_string)) as client:
        yield client


@pytest.fixture
def own_names(names: UniqueNames) -> dict[QueueKind, str]:
    """A queue of the test's own for each kind, not made yet."""
    return {kind: f"{names.queue}-{kind}" for kind in QueueKind}
