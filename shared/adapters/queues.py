"""Storage queues through the Azure SDK."""

from typing import Any

from azure.storage.queue.aio import QueueClient

from shared.settings import Connection


def connect(connection: Connection, name: str) -> QueueClient:
    """A client for the queue `name`; no request is made yet."""
    options: dict[str, Any] = {
        "use_env_settings": False,
        "connection_timeout": 5,
        "read_timeout": 10,
        # By default the SDK waits a quarter of a minute before its first retry, and a minute in all.
        "initial_backoff": 1,
        "increment_base": 1,
        "random_jitter_range": 0,
        "retry_total": 2,
    }
    if connection.connection_string:
        return QueueClient.from_connection_string(connection.connection_string, name, **options)
    from shared.adapters.identity import credential  # slow to import, and not needed with connection strings

    return QueueClient(connection.endpoint or "", name, credential=credential(connection.client_id), **options)
