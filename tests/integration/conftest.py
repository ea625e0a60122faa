"""What tests on Azurite have in common: the app's queues, and the state directory of a stack that runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from azure.storage.queue.aio import QueueServiceClient

from local.stack.local_stack import LocalStack
from local.stack.state import write_settings
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


@pytest.fixture
def state(stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands find the settings of the running stack; the environment says nothing else."""
    for name in stack.settings:
        monkeypatch.delenv(name, raising=False)
    write_settings(tmp_path / "local.settings.json", stack.settings)
    return tmp_path
