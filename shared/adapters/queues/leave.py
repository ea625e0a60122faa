"""What a worker does with messages that it cannot work on, for a setting is wrong: it leaves them on their queues."""

from azure.core.exceptions import AzureError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues.changes import message_text
from shared.adapters.queues.in_hand import StorageMessagesInHand
from shared.adapters.storage_reasons import storage_error
from shared.domain.messages.redelivery import redelivery_delay
from shared.errors import StorageError
from shared.host_json import FailedMessages
from shared.ports.in_hand import MessageInHand

_FIRST_DELAY = 30.0
"""Where it is not known how long the host would let it wait."""
_SPARE = 10
"""So many deliveries before it would be poison a message begins anew."""
_HIDDEN_SECONDS = 60
"""While its copy is put."""
_NEVER_EXPIRES = -1


class LeaveMessages:
    """`failed` is what the host does with a message that failed."""

    def __init__(self, account: QueueServiceClient, failed: FailedMessages) -> None:
        self._account = account
        self._failed = failed
        self._messages = StorageMessagesInHand(account)

    async def leave(self, message: MessageInHand, deliveries: int, body: bytes) -> float:
        """Have the queue hand out the message again, later each time; in how many seconds.

        The service counts each delivery, and the host takes those that were counted too often for poison. So before
        that a copy takes the place of the message, which was counted never.

        Raises StorageError, also where the queue does not have the message under its receipt: by other settings than
        the app's the host may have it from elsewhere, and deletes it there if it is said to be left.
        """
        seconds = redelivery_delay(deliveries, self._failed.first_delay or _FIRST_DELAY, storage_failed=False)
        if deliveries + _SPARE < self._failed.most_deliveries:
            if not await self._messages.hide(message, seconds):
                raise StorageError(f"queue {message.queue}: message {message.id} is not there, or somebody else's")
        else:
            await self._begin_anew(message, body, seconds)
        return seconds

    async def _begin_anew(self, message: MessageInHand, body: bytes, seconds: float) -> None:
        queue = self._account.get_queue_client(message.queue)
        try:
            held = await queue.update_message(message.id, message.receipt, visibility_timeout=_HIDDEN_SECONDS)
            await queue.send_message(message_text(body), visibility_timeout=round(seconds), time_to_live=_NEVER_EXPIRES)
            await queue.delete_message(message.id, held.pop_receipt)
        except AzureError as error:
            raise storage_error(f"queue {message.queue}: could not put a message anew", error) from error
