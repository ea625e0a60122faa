"""Messages that cannot be worked on, for a setting is wrong: they stay on their queues, on Azurite."""

import uuid
from collections.abc import AsyncIterator

import azure.functions as func
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.stack.local_stack import LocalStack
from shared import bootstrap
from shared.adapters.queues import queue as queues
from shared.adapters.queues.leave import LeaveMessages
from shared.errors import StorageError
from shared.host_json import FailedMessages
from shared.ports.in_hand import MessageInHand
from shared.settings import Connection
from shared.triggers.profile_changes import export_profile_changes

BODY = b'{"profileId":"\xff"}'


@pytest.fixture
async def queue(queue_account: QueueServiceClient) -> AsyncIterator[QueueClient]:
    """With a message."""
    client = queue_account.get_queue_client(f"changes-{uuid.uuid4().hex}")
    await client.create_queue()
    await client.send_message("text")
    yield client
    await client.delete_queue()


async def taken(queue: QueueClient) -> list[QueueMessage]:
    return [message async for message in queue.receive_messages(messages_per_page=32, visibility_timeout=600)]


async def waiting(queue: QueueClient) -> int:
    return (await queue.get_queue_properties()).approximate_message_count or 0


def in_hand(queue: QueueClient, message: QueueMessage) -> MessageInHand:
    return MessageInHand(queue.queue_name, message.id, str(message.pop_receipt))


async def deleted_by_the_host(queue: QueueClient, message: QueueMessage) -> bool:
    """It does so after a success; what the service says of an outdated receipt it takes for done."""
    try:
        await queue.delete_message(message.id, message.pop_receipt)
    except HttpResponseError as error:
        if getattr(error, "error_code", None) not in ("PopReceiptMismatch", "MessageNotFound"):
            raise
        return False
    return True


async def test_a_message_stays_though_the_host_takes_it_for_done(
    queue: QueueClient, queue_account: QueueServiceClient
) -> None:
    leave = LeaveMessages(queue_account, FailedMessages(first_delay=1, most_deliveries=150))
    for _ in range(3):
        await queue.send_message("text")
    messages = dict(zip((1, 2, 5, 100), await taken(queue), strict=True))
    delays = [await leave.leave(in_hand(queue, message), number, b"text") for number, message in messages.items()]
    assert delays == [1, 2, 16, 300]
    assert not any([await deleted_by_the_host(queue, message) for message in messages.values()])
    assert await waiting(queue) == 4


async def test_what_was_delivered_too_often_begins_anew_uncounted(
    queue: QueueClient, queue_account: QueueServiceClient
) -> None:
    leave = LeaveMessages(queue_account, FailedMessages(first_delay=0.4, most_deliveries=2))
    (message,) = await taken(queue)
    await leave.leave(in_hand(queue, message), 1, BODY)
    assert not await deleted_by_the_host(queue, message)
    (again,) = await taken(queue)
    assert (again.id == message.id, again.dequeue_count) == (False, 1)
    assert str(again.expires_on).startswith("9999-")


@pytest.mark.parametrize("most", [2, 150])
async def test_what_the_host_has_from_elsewhere_is_not_said_to_be_left(
    queue: QueueClient, queue_account: QueueServiceClient, most: int
) -> None:
    """It deletes what is, in the queue that it takes messages from."""
    leave = LeaveMessages(queue_account, FailedMessages(first_delay=1, most_deliveries=most))
    with pytest.raises(StorageError, match=f"queue {queue.queue_name}: "):
        await leave.leave(MessageInHand(queue.queue_name, str(uuid.uuid4()), "cmVjZWlwdA=="), 1, BODY)
    assert await waiting(queue) == 1


async def test_storage_that_fails_leaves_it_to_the_host() -> None:
    nowhere = Connection("STORAGE", "AccountName=a;AccountKey=YQ==;QueueEndpoint=http://127.0.0.1:1/a")
    message = MessageInHand("changes", "1", "receipt")
    async with queues.connect_account(nowhere) as account:
        for most in (2, 150):
            with pytest.raises(StorageError, match="queue changes: could not "):
                await LeaveMessages(account, FailedMessages(1, most)).leave(message, 1, BODY)


async def test_a_message_is_left_where_the_host_has_it_by_another_setting(
    queue: QueueClient, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"AzureWebJobsRELAY_STORAGE": stack.storage_connection_string, "profile_changes_queue": queue.queue_name}
    monkeypatch.setattr(bootstrap, "_ENVIRONMENT", settings)
    monkeypatch.setattr(bootstrap, "_relay", None)
    (message,) = await taken(queue)
    given = func.QueueMessage(id=message.id, body=b"text", pop_receipt=message.pop_receipt)
    await export_profile_changes.build().get_user_function()(given)
    assert not await deleted_by_the_host(queue, message)
    assert await waiting(queue) == 1


async def test_a_trigger_with_a_wrong_setting_succeeds_and_leaves_the_message(
    queue: QueueClient, stack: LocalStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"RELAY_STORAGE": stack.storage_connection_string, "PROFILE_CHANGES_QUEUE": queue.queue_name}
    monkeypatch.setattr(bootstrap, "_ENVIRONMENT", settings | {"RETRY_DELAYS": "abc"})
    monkeypatch.setattr(bootstrap, "_relay", None)
    (message,) = await taken(queue)
    given = func.QueueMessage(id=message.id, body=b"text", pop_receipt=message.pop_receipt)
    await export_profile_changes.build().get_user_function()(given)
    assert not await deleted_by_the_host(queue, message)
    assert await waiting(queue) == 1
    assert caplog.messages == [
        "export_profile_changes: app setting RETRY_DELAYS: expected seconds, one for each retry, such as 15,30; "
        f"message {message.id} stays, and comes again in 25 s"
    ]
