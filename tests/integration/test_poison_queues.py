"""The `-poison` queues on Azurite."""

import json
from contextlib import suppress

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues import queue as queues
from shared.adapters.queues.poison import StoragePoisonQueues
from shared.domain.messages.pointers import AnyPointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.ports.poison import PoisonMessage
from shared.settings import Connection
from tests.contracts.poison import POINTERS, BackOn, Poison, PoisonQueuesContract

# Each kind's fields, and a number that no integer can be made of.
OF_NO_NUMBER = json.dumps(
    dict.fromkeys(("destinationId", "profileKey", "backfillId", "eventId", "subscriptionId"), "x")
    | dict.fromkeys(("attempt", "bucket", "sequence"), float("inf"))
)


class TestStoragePoisonQueues(PoisonQueuesContract):
    @pytest.fixture
    async def queues(self, queue_account: QueueServiceClient, own_names: dict[QueueKind, str]) -> StoragePoisonQueues:
        for name in own_names.values():
            await queue_account.create_queue(name)
        return StoragePoisonQueues(queue_account, own_names)

    @pytest.fixture
    def poison(self, queue_account: QueueServiceClient, own_names: dict[QueueKind, str]) -> Poison:
        async def poison(kind: QueueKind, body: bytes, _: AnyPointer | None) -> None:
            queue = queue_account.get_queue_client(f"{own_names[kind]}-poison")
            with suppress(ResourceExistsError):
                await queue.create_queue()
            await queue.send_message(body.decode())

        return poison

    @pytest.fixture
    def back_on(self, queue_account: QueueServiceClient, own_names: dict[QueueKind, str]) -> BackOn:
        async def back_on(kind: QueueKind) -> list[bytes]:
            messages = queue_account.get_queue_client(own_names[kind]).receive_messages()
            found = [each async for each in messages]
            assert all(each.expires_on.year == 9999 for each in found if each.expires_on)
            return [each.content.encode() for each in found]

        return back_on

    @pytest.mark.parametrize("kind", POINTERS)
    @pytest.mark.parametrize("body", ["", "no JSON", "[]", "[" * 20_000, '{"destinationId": 1}', OF_NO_NUMBER])
    async def test_what_is_no_pointer_is_taken_without_one(
        self, queues: StoragePoisonQueues, poison: Poison, kind: QueueKind, body: str
    ) -> None:
        await poison(kind, body.encode(), None)
        assert [(each.body.decode(), each.pointer) for each in await queues.take(kind)] == [(body, None)]


async def test_storage_that_does_not_answer_is_an_error_that_names_the_queue() -> None:
    connection = Connection("STORAGE", "AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:1/a")
    message = PoisonMessage(QueueKind.CHANGES, "1", b"{}", 0, 0)
    async with queues.connect_account(connection) as queue_account:
        poison = StoragePoisonQueues(queue_account, {QueueKind.CHANGES: "profile-changes"})
        with pytest.raises(StorageError, match=r"queue profile-changes-poison: could not take its messages: "):
            await poison.take(QueueKind.CHANGES)
        with pytest.raises(StorageError, match=r"queue profile-changes: could not put a message back: "):
            await poison.put_back(message)
        with pytest.raises(StorageError, match=r"queue profile-changes-poison: could not delete a message: "):
            await poison.delete(message)
