"""How much waits on the app's queues, as Storage says."""

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues.queue import poison_queue
from shared.adapters.storage_reasons import reason_of
from shared.concurrency import all_of
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.ports.queues import QueueCount


class StorageQueueCounter:
    """`names` are those of the queues, their `-poison` queues apart. Whoever asks waits for a page, so the client of
    the account has to give up soon.
    """

    def __init__(self, account: QueueServiceClient, names: dict[QueueKind, str]) -> None:
        self._account = account
        self._names = names

    async def counts(self) -> list[QueueCount]:
        counts = await all_of(
            self._count(kind, poison_queue(name) if poison else name, poison=poison)
            for kind, name in self._names.items()
            for poison in (False, True)
        )
        if all(each.unknown for each in counts):
            raise StorageError(f"queue {counts[0].name}: could not count its messages: {counts[0].unknown}")
        return counts

    async def _count(self, kind: QueueKind, name: str, *, poison: bool) -> QueueCount:
        queue = self._account.get_queue_client(name)
        messages, front = None, None
        try:
            messages = (await queue.get_queue_properties()).approximate_message_count or 0
            if messages:
                front = next((message.inserted_on for message in await queue.peek_messages(1)), None)
        except ResourceNotFoundError:
            pass
        except AzureError as error:
            return QueueCount(kind, name, poison, None, None, unknown=reason_of(error))
        return QueueCount(kind, name, poison, messages, int(front.timestamp() * 1_000_000) if front else None)
