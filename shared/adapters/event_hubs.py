"""The ExportSender on Event Hubs: each destination has a client of its own, so that none waits for another."""

import asyncio
from collections.abc import Callable
from typing import Any

from azure.eventhub.aio import EventHubProducerClient

from shared.adapters.lanes import Hub
from shared.domain.configuration import Destination
from shared.domain.export import Export
from shared.settings import Connection

ConnectionOf = Callable[[str], Connection]


def connect(connection: Connection, event_hub_name: str) -> EventHubProducerClient:
    """A client for the hub; it connects with the first request."""
    # One internal reconnect: links that were idle for half an hour are closed by the service.
    options: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1}
    if connection.connection_string:
        return EventHubProducerClient.from_connection_string(
            connection.connection_string, eventhub_name=event_hub_name, **options
        )
    from shared.adapters.identity import credential  # slow to import, and not needed with connection strings

    return EventHubProducerClient(
        connection.endpoint or "", event_hub_name, credential(connection.client_id), **options
    )


class EventHubsSender:
    """`send_timeout` in seconds; `connection_of` gives the connection behind a setting's name."""

    def __init__(self, connection_of: ConnectionOf, send_timeout: float) -> None:
        self._connection_of = connection_of
        self._send_timeout = send_timeout
        self._hubs: dict[tuple[str, str, str], Hub] = {}

    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        return self._hub_of(export.destination).enqueue(export)

    def _hub_of(self, destination: Destination) -> Hub:
        key = (destination.id, destination.connection, destination.event_hub_name)
        hub = self._hubs.get(key)
        if hub is None:
            hub = self._hubs[key] = Hub(
                destination.id,
                lambda: connect(self._connection_of(destination.connection), destination.event_hub_name),
                self._send_timeout,
            )
        return hub

    async def close(self) -> None:
        """Close all connections; what is still enqueued fails."""
        await asyncio.gather(*(hub.close() for hub in self._hubs.values()))
