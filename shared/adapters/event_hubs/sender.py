"""The ExportSender on Event Hubs: each destination has a client of its own, so that none waits for another."""

import asyncio
from typing import TypeAlias

from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.lanes import Hub
from shared.domain.configuration.model import Authentication, Destination
from shared.domain.exports.export import Export

_Key: TypeAlias = tuple[str, Authentication | str, str]


class EventHubsSender:
    """`send_timeout` in seconds, and so is `outdated_after`, after which an unused hub of an earlier key is closed."""

    def __init__(self, connections: HubConnections, send_timeout: float, outdated_after: float = 60.0) -> None:
        self._connections = connections
        self._send_timeout = send_timeout
        self._outdated_after = outdated_after
        self._hubs: dict[_Key, Hub] = {}
        self._closing_outdated: asyncio.Future[None] | None = None

    def enqueue(self, export: Export) -> "asyncio.Future[None]":
        return self._hub_of(export.destination).enqueue(export)

    def _hub_of(self, destination: Destination) -> Hub:
        key = (destination.id, destination.authentication or destination.connection, destination.event_hub_name)
        hub = self._hubs.get(key)
        if hub is None:
            hub = self._hubs[key] = Hub(
                destination.id, lambda: self._connections.client(destination), self._send_timeout
            )
            if self._closing_outdated is None or self._closing_outdated.done():
                self._closing_outdated = asyncio.ensure_future(self._close_outdated())
        return hub

    async def _close_outdated(self) -> None:
        """Until each destination has one hub, close those unused for a while, but for the one that was used last.

        Which of them is the outdated one shows only then: for as long as a configuration is cached, a worker may still
        send what it decided by the one before.
        """
        while True:
            of_destination: dict[str, list[_Key]] = {}
            for key in sorted(self._hubs, key=lambda each: self._hubs[each].used_at):
                of_destination.setdefault(key[0], []).append(key)
            outdated = [key for keys in of_destination.values() for key in keys[:-1]]
            if not outdated:
                return
            unused_since = asyncio.get_running_loop().time() - self._outdated_after
            for key in outdated:
                if self._hubs[key].idle and self._hubs[key].used_at <= unused_since:
                    await self._hubs.pop(key).close()
            await asyncio.sleep(self._outdated_after)

    async def close(self) -> None:
        """Close all connections; what is still enqueued fails."""
        if self._closing_outdated is not None:
            self._closing_outdated.cancel()
            await asyncio.wait({self._closing_outdated})
        await asyncio.gather(*(hub.close() for hub in self._hubs.values()))
