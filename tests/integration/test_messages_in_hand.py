"""Notes of what is in hand, on Azurite."""

from contextlib import suppress

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues import queue as queues
from shared.adapters.queues.in_hand import QUEUE, StorageMessagesInHand
from shared.errors import StorageError
from shared.ports.in_hand import MessageInHand
from shared.settings import Connection
from tests.contracts.messages_in_hand import MessagesInHandContract
from tests.kit.memory_queues import HANDED_OUT_SECONDS, Taken


@pytest.fixture
async def account(queue_account: QueueServiceClient) -> QueueServiceClient:
    for name in ("changes", QUEUE):
        with suppress(ResourceNotFoundError):
            await queue_account.get_queue_client(name).clear_messages()
    return queue_account


class StorageHost:
    def __init__(self, account: QueueServiceClient) -> None:
        self._account = account

    async def put(self, queue: str, text: str) -> None:
        await self._account.get_queue_client(queue).send_message(text)

    async def take(self, queue: str) -> list[Taken]:
        taken = self._account.get_queue_client(queue).receive_messages(
            messages_per_page=32, visibility_timeout=int(HANDED_OUT_SECONDS)
        )
        return [
            Taken(MessageInHand(queue, message.id, str(message.pop_receipt)), str(message.content))
            async for message in taken
        ]

    async def settle(self, message: MessageInHand) -> None:
        await self._account.get_queue_client(message.queue).delete_message(message.id, message.receipt)


class TestStorageMessagesInHand(MessagesInHandContract):
    @pytest.fixture
    async def host(self, account: QueueServiceClient) -> StorageHost:
        for name in ("changes", QUEUE):
            await queues.Queue(account.get_queue_client(name)).create_if_missing()
        return StorageHost(account)

    @pytest.fixture
    def messages(self, account: QueueServiceClient) -> StorageMessagesInHand:
        return StorageMessagesInHand(account)


async def test_storage_that_does_not_answer_is_an_error_that_names_the_queue() -> None:
    connection = Connection("STORAGE", "AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:1/a")
    async with queues.connect_account(connection) as account:
        messages = StorageMessagesInHand(account)
        with pytest.raises(StorageError, match="queue messages-in-hand: could not put a note: "):
            await messages.put_note([], 60)
        with pytest.raises(StorageError, match="queue changes: could not give back a message: "):
            await messages.hide(MessageInHand("changes", "1", "receipt"), 0)
