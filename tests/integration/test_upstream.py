"""The client for upstream programs, against a storage account."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient, QueueSasPermissions, generate_queue_sas
from packaging.requirements import Requirement

from local.stack.local_stack import LocalStack
from local.stack.part import PROJECT
from shared.adapters.queues import queue as queues
from shared.adapters.queues.changes import StorageChangesQueue
from shared.errors import SettingError, StorageError
from shared.ports.queues import ChangesQueue
from shared.settings import Connection
from shared.upstream import open_queue, open_queue_of_account
from tests.conftest import UniqueNames
from tests.contracts.changes_queue import ChangesQueueContract

CHANGE = {"profileId": "p", "occurredAt": "2026-01-11T21:00:00Z"}


def signed_url(stack: LocalStack, queue: str, **permissions: bool) -> str:
    with QueueClient.from_connection_string(stack.storage_connection_string, queue) as client:
        signature = generate_queue_sas(
            client.account_name or "",
            queue,
            client.credential.account_key,
            permission=QueueSasPermissions(**permissions),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return f"{client.url}?{signature}"


def messages(stack: LocalStack, queue: str) -> list[str]:
    with QueueClient.from_connection_string(stack.storage_connection_string, queue) as client:
        received = list(client.receive_messages(messages_per_page=32))
    assert {message.expires_on.year for message in received if message.expires_on} <= {9999}
    return [message.content or "" for message in received]


def create(stack: LocalStack, queue: str) -> None:
    with QueueClient.from_connection_string(stack.storage_connection_string, queue) as client:
        client.create_queue()


class TestStorageChangesQueue(ChangesQueueContract):
    @pytest.fixture
    async def queue(self, stack: LocalStack, names: UniqueNames) -> AsyncIterator[StorageChangesQueue]:
        self._stack, self._name = stack, names.queue
        create(stack, names.queue)
        async with queues.connect(Connection("STORAGE", stack.storage_connection_string), names.queue) as client:
            yield StorageChangesQueue(client, names.queue)

    async def bodies(self, _queue: ChangesQueue) -> list[bytes]:
        return [text.encode() for text in messages(self._stack, self._name)]


async def send_one(url: str) -> None:
    async with open_queue(url) as changes:
        await changes.add(CHANGE)


async def test_both_ways_of_opening_a_queue(stack: LocalStack, names: UniqueNames) -> None:
    create(stack, names.queue)
    await send_one(signed_url(stack, names.queue, add=True))
    async with open_queue_of_account(stack.storage_connection_string, names.queue) as changes:
        await changes.add(CHANGE)
    assert messages(stack, names.queue) == ['{"profileId":"p","occurredAt":"2026-01-11T21:00:00Z"}'] * 2


async def test_who_may_not_send_is_told_the_role(stack: LocalStack, names: UniqueNames) -> None:
    create(stack, names.queue)
    url = signed_url(stack, names.queue, read=True)
    with pytest.raises(
        StorageError, match=r"HTTP 403 AuthorizationPermissionMismatch; .* Storage Queue Data Message Sender"
    ) as refused:
        await send_one(url)
    assert url.split("sig=")[1][:20] not in str(refused.value)


@pytest.mark.parametrize("url", ["contoso", "ftp://contoso/q", "https://contoso.queue.core.windows.net"])
async def test_what_is_no_address_of_a_queue(url: str) -> None:
    with pytest.raises(SettingError, match="expected the URL of a queue"):
        await send_one(url)


async def test_what_is_no_connection_string() -> None:
    opening = open_queue_of_account("AccountName=x")
    with pytest.raises(SettingError, match="storage connection string"):
        await opening.__aenter__()


def test_it_needs_little() -> None:
    """An upstream program need not install what the app needs."""
    program = "import sys, shared.upstream; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert {"azure.functions", "azure.eventhub", "azure.data", "fastapi", "jinja2", "opentelemetry"}.isdisjoint(
        loaded.stdout.split()
    )


def imported_by(path: Path) -> Iterator[str]:
    """The modules that a source file imports when it is loaded, by their whole names."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_its_package_asks_for_every_package_that_the_client_imports() -> None:
    package = tomllib.loads((PROJECT / "upstream/pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {Requirement(each).name.replace("-", ".") for each in package["dependencies"]} | {"azure.core"}
    program = (
        "import json, sys, shared.upstream;"
        "print(json.dumps([each.__file__ for name, each in sys.modules.items() if name.startswith('shared')]))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, check=True).stdout
    modules = {name for path in json.loads(loaded) for name in imported_by(Path(path))}
    others = {name for name in modules if name.split(".")[0] not in sys.stdlib_module_names | {"shared"}}
    assert "pydantic" in others
    assert {name for name in others if not any(f"{name}.".startswith(f"{each}.") for each in packages)} == set()
