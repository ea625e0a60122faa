"""Counting what waits, on Azurite."""

from contextlib import suppress

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues import queue as queues
from shared.adapters.queues.counter import StorageQueueCounter
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.settings import Connection
from tests.conftest import UniqueNames
from tests.contracts.queue_counter import Put, QueueCounterContract


class TestStorageQueueCounter(QueueCounterContract):
    @pytest.fixture
    async def counter(self, queue_account: QueueServiceClient, own_names: dict[QueueKind, str]) -> StorageQueueCounter:
        for name in own_names.values():
            await queue_account.create_queue(name)
        return StorageQueueCounter(queue_account, own_names)

    @pytest.fixture
    def put(self, queue_account: QueueServiceClient, own_names: dict[QueueKind, str]) -> Put:
        async def put(kind: QueueKind, poison: bool, visible: bool) -> int:
            queue = queue_account.get_queue_client(f"{own_names[kind]}-poison" if poison else own_names[kind])
            with suppress(ResourceExistsError):
                await queue.create_queue()
            sent = await queue.send_message("x", visibility_timeout=0 if visible else 3_600)
            assert sent.inserted_on is not None
            return int(sent.inserted_on.timestamp() * 1_000_000)

        return put

    async def test_a_queue_that_is_missing_has_no_count(
        self, queue_account: QueueServiceClient, names: UniqueNames
    ) -> None:
        counter = StorageQueueCounter(queue_account, {QueueKind.CHANGES: names.queue})
        assert [each.messages for each in await counter.counts()] == [None, None]

    async def test_one_that_cannot_be_counted_does_not_hide_the_others(
        self, queue_account: QueueServiceClient, names: UniqueNames
    ) -> None:
        await queue_account.create_queue(names.queue)
        counter = StorageQueueCounter(
            queue_account, {QueueKind.CHANGES: names.queue, QueueKind.RETRIES: "No Name of a Queue"}
        )
        counts = await counter.counts()
        assert [each.messages for each in counts] == [0, None, None, None]
        assert [each.unknown is not None for each in counts] == [False, False, True, True]


async def test_storage_that_does_not_answer_is_an_error_that_names_the_queue() -> None:
    connection = Connection("STORAGE", "AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:1/a")
    async with queues.connect_account(connection) as queue_account:
        counter = StorageQueueCounter(queue_account, {QueueKind.CHANGES: "profile-changes"})
        with pytest.raises(StorageError, match=r"queue profile-changes(-poison)?: could not count its messages: "):
            await counter.counts()
