"""Storage queues through the Azure SDK."""

from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared.adapters.identity import credential
from shared.adapters.renewing_transport import RenewingTransport
from shared.adapters.storage_reasons import storage_error
from shared.errors import StorageError
from shared.settings import Connection

PATIENT: dict[str, Any] = {
    "use_env_settings": False,
    "connection_timeout": 5,
    "read_timeout": 10,
    # By default the SDK waits a quarter of a minute before its first retry, and a minute in all.
    "initial_backoff": 1,
    "increment_base": 1,
    "random_jitter_range": 0,
    "retry_total": 2,
}
IMPATIENT: dict[str, Any] = {"use_env_settings": False, "connection_timeout": 2, "read_timeout": 2, "retry_total": 0}
"""For whoever a person waits for."""
IN_PASSING: dict[str, Any] = PATIENT | {"retry_total": 0}
"""For whoever asks again soon, and would rather know what became of a request."""


def connect(connection: Connection, name: str) -> QueueClient:
    """A client for the queue `name`; no request is made yet."""
    if connection.connection_string:
        return QueueClient.from_connection_string(connection.connection_string, name, **PATIENT)
    return QueueClient(connection.endpoint or "", name, **_by_identity(connection, PATIENT))


def connect_account(connection: Connection, options: Mapping[str, Any] = IMPATIENT) -> QueueServiceClient:
    """A client for all queues; no request is made yet."""
    if connection.connection_string:
        return QueueServiceClient.from_connection_string(connection.connection_string, **options)
    return QueueServiceClient(connection.endpoint or "", **_by_identity(connection, options))


def _by_identity(connection: Connection, options: Mapping[str, Any]) -> Mapping[str, Any]:
    identity = credential(connection.client_id)
    of_transport = {name: options[name] for name in ("use_env_settings", "connection_timeout", "read_timeout")}
    return {**options, "credential": identity, "transport": RenewingTransport(identity, **of_transport)}


def poison_queue(name: str) -> str:
    """Where the host puts what failed at every delivery of the queue `name`."""
    return f"{name}-poison"


class Queue:
    """A queue of the app's own, for short texts."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    async def create_if_missing(self) -> None:
        """Raises StorageError."""
        try:
            await self._client.create_queue()
        except ResourceExistsError:
            return
        except AzureError as error:
            raise self._storage_error("create the queue", error) from error

    async def put(self, text: str, delay: float = 0) -> None:
        """Put a message that can be taken after `delay` seconds. Raises StorageError."""
        try:
            await self._client.send_message(text, visibility_timeout=max(0, round(delay)))
        except AzureError as error:
            raise self._storage_error("put a message", error) from error

    def _storage_error(self, operation: str, error: AzureError) -> StorageError:
        return storage_error(f"queue {self._client.queue_name}: could not {operation}", error)
