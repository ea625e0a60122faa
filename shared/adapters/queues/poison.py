"""The `-poison` queues, where the host puts what failed at every delivery."""

from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.queues.pointers import ALERT_DELIVERIES, RETRIES, SLICES, PointerKind
from shared.adapters.queues.queue import poison_queue
from shared.adapters.storage_reasons import storage_error
from shared.domain.messages.pointers import AnyPointer
from shared.domain.messages.queue_kind import QueueKind
from shared.errors import StorageError
from shared.ports.poison import PoisonMessage

_MOST = 32
_HIDDEN_SECONDS = 120
_NEVER_EXPIRES = -1
_POINTERS: Mapping[QueueKind, PointerKind[Any]] = {
    QueueKind.RETRIES: RETRIES,
    QueueKind.SLICES: SLICES,
    QueueKind.ALERTS: ALERT_DELIVERIES,
}


class StoragePoisonQueues:
    """`names` are those of the queues, their `-poison` queues apart."""

    def __init__(self, account: QueueServiceClient, names: Mapping[QueueKind, str]) -> None:
        self._account = account
        self._names = names

    async def take(self, kind: QueueKind) -> list[PoisonMessage]:
        name = self._poison(kind)
        queue = self._account.get_queue_client(name)
        try:
            pages = queue.receive_messages(messages_per_page=_MOST, visibility_timeout=_HIDDEN_SECONDS).by_page()
            return [_message(kind, each) async for each in await anext(pages)]
        except (ResourceNotFoundError, StopAsyncIteration):
            return []
        except AzureError as error:
            raise _failed(name, "take its messages", error) from error

    async def put_back(self, message: PoisonMessage) -> None:
        name = self._names[message.kind]
        try:
            queue = self._account.get_queue_client(name)
            await queue.send_message(message.body.decode(), time_to_live=_NEVER_EXPIRES)
        except AzureError as error:
            raise _failed(name, "put a message back", error) from error

    async def delete(self, message: PoisonMessage) -> None:
        name = self._poison(message.kind)
        try:
            await self._account.get_queue_client(name).delete_message(message.id, message.receipt)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise _failed(name, "delete a message", error) from error

    def _poison(self, kind: QueueKind) -> str:
        return poison_queue(self._names[kind])


def _message(kind: QueueKind, message: QueueMessage) -> PoisonMessage:
    body = str(message.content).encode()
    return PoisonMessage(
        kind,
        str(message.id),
        body,
        _microseconds(message.inserted_on),
        _microseconds(message.expires_on),
        _pointer(kind, body),
        str(message.pop_receipt),
    )


def _pointer(kind: QueueKind, body: bytes) -> AnyPointer | None:
    if kind not in _POINTERS:
        return None
    try:
        pointer: AnyPointer = _POINTERS[kind].decode(body)
    except ValueError:
        return None
    return pointer


def _microseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1_000_000) if moment else 0


def _failed(name: str, what: str, error: AzureError) -> StorageError:
    return storage_error(f"queue {name}: could not {what}", error)
