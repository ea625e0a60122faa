"""The ExportSender on Event Hubs: each destination has connections of its own, so that none waits for another."""

import asyncio
from typing import TypeAlias

from shared.adapters.event_hubs.connections import HubConnections
from shared.adapters.event_hubs.hub import Hub
from shared.adapters.event_hubs.hub_connection import KeptAccess
from shared.adapters.event_hubs.partition_queue import Patience
from shared.concurrency import all_of
from shared.domain.configuration.model import Authentication, Destination
from shared.domain.exports.export import Export
from shared.places import Places
from shared.ports.exports import Acknowledgement
from shared.ports.tracing import PassOn, Tracing

_Key: TypeAlias = tuple[str, Authentication | str, str]
CONNECTIONS = 4
OPENED_AT_ONCE = 8
"""To open a connection takes many milliseconds of CPU; a hundred at once would take longer than any is waited for."""
OPENING_WAITED_FOR = 1.0
"""Seconds for which a hub that does not answer keeps others from being opened."""
PATIENCE = Patience()


class EventHubsSender:
    """Durations in seconds. `connections_per_hub`: how many each destination may have at most.

    `partitions_known_for`: how long the number of a hub's partitions may be taken for granted. `outdated_after`: when
    an unused hub of an earlier key is closed. `unused_after`: when any is, or up to a minute later, for so often it is
    looked. Event Hubs would close its connections after 240 seconds without a word, and the next event would find a
    dead one.
    """

    def __init__(
        self,
        connections: HubConnections,
        send_timeout: float,
        *,
        connections_per_hub: int = CONNECTIONS,
        partitions_known_for: float = 300.0,
        outdated_after: float = 60.0,
        unused_after: float = 170.0,
        patience: Patience = PATIENCE,
        tracing: Tracing | None = None,
    ) -> None:
        self._connections = connections
        self._send_timeout = send_timeout
        self._connections_per_hub = connections_per_hub
        self._partitions_known_for = partitions_known_for
        self._outdated_after = outdated_after
        self._unused_after = unused_after
        self._patience = patience
        self._tracing = tracing or PassOn()
        self._openings = Places(OPENED_AT_ONCE, OPENING_WAITED_FOR)
        self._hubs: dict[_Key, Hub] = {}
        self._to_flush: set[Hub] = set()
        self._tidying: asyncio.Future[None] | None = None

    def enqueue(self, export: Export, *, more_follow: bool = False) -> "asyncio.Future[Acknowledgement]":
        hub = self._hub_of(export.destination)
        if more_follow:
            self._to_flush.add(hub)
        return hub.enqueue(export, more_follow=more_follow)

    def flush(self) -> None:
        while self._to_flush:
            self._to_flush.pop().flush()

    def partitions(self, destination: Destination) -> tuple[str, ...]:
        hub = self._hubs.get(_key_of(destination))
        return () if hub is None else hub.partitions

    def _hub_of(self, destination: Destination) -> Hub:
        key = _key_of(destination)
        hub = self._hubs.get(key)
        if hub is None:
            hub = self._hubs[key] = Hub(
                destination.id,
                KeptAccess(lambda: self._connections.access(destination)),
                self._send_timeout,
                connections=self._connections_per_hub,
                partitions_known_for=self._partitions_known_for,
                patience=self._patience,
                openings=self._openings,
                tracing=self._tracing,
            )
            if self._tidying is None or self._tidying.done():
                self._tidying = asyncio.ensure_future(self._tidy_up())
        return hub

    async def _tidy_up(self) -> None:
        """While there are hubs, close what is unused: sooner where its destination has another one that is used.

        Which of several is the outdated one shows only then: for as long as a configuration is cached, a worker may
        still send what it decided by the one before.
        """
        while self._hubs:
            await asyncio.sleep(min(self._outdated_after, self._unused_after))
            now = asyncio.get_running_loop().time()
            latest = {key[0]: key for key in sorted(self._hubs, key=lambda each: self._hubs[each].used_at)}
            for key, hub in list(self._hubs.items()):
                after = self._unused_after if latest[key[0]] == key else self._outdated_after
                if hub.idle and hub.used_at <= now - after:
                    await self._hubs.pop(key).close()
                else:
                    await hub.disconnect_unused_since(now - self._unused_after)

    async def close(self) -> None:
        """Close all connections; what is still enqueued fails."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.wait({self._tidying})
        await all_of(hub.close() for hub in self._hubs.values())
        self._hubs.clear()


def _key_of(destination: Destination) -> _Key:
    return destination.id, destination.authentication or destination.connection, destination.event_hub_name
