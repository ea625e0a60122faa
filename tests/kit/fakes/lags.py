"""What consumers have read, in memory."""

import asyncio
from copy import deepcopy

from shared.domain.configuration.model import Destination
from shared.domain.exports.lag import Checkpoint, HubEnds, host_of
from shared.domain.exports.lag_look import LagLook
from shared.errors import (
    ConsumerLagError,
)


class MemoryCheckpoints:
    """The blobs of each container, by its URL; `failures` are raised in place of an answer."""

    def __init__(self) -> None:
        self.containers: dict[str, list[Checkpoint]] = {}
        self.failures: dict[str, ConsumerLagError] = {}
        self.asked: list[str] = []

    async def read(self, container_url: str, namespace: str, hub: str) -> list[Checkpoint]:
        await asyncio.sleep(0)
        self.asked.append(container_url)
        if container_url in self.failures:
            raise self.failures[container_url]
        if container_url not in self.containers:
            raise ConsumerLagError("not-found", f"{container_url}: there is no container of this name in the account")
        checkpoints = self.containers[container_url]
        wanted = host_of(namespace), hub.lower()
        return [each for each in checkpoints if (host_of(each.namespace), each.hub) == wanted] or checkpoints


class ScriptedHubProperties:
    """Finds each hub as `hubs` says, by its name."""

    def __init__(self) -> None:
        self.hubs: dict[str, HubEnds] = {}

    async def ends(self, destination: Destination) -> HubEnds:
        await asyncio.sleep(0)
        hub = destination.event_hub_name
        if hub not in self.hubs:
            raise ConsumerLagError("hub", f"hub {hub}: its partitions could not be looked at: there is none")
        return self.hubs[hub]


class MemoryConsumerLags:
    def __init__(self) -> None:
        self.looks: dict[str, LagLook] = {}
        self.requests = 0

    async def all(self) -> dict[str, LagLook]:
        await self._answer()
        return deepcopy(self.looks)

    async def load(self, destination_id: str) -> LagLook | None:
        await self._answer()
        return deepcopy(self.looks.get(destination_id))

    async def put(self, destination_id: str, look: LagLook) -> None:
        await self._answer()
        self.looks[destination_id] = deepcopy(look)

    async def delete(self, destination_id: str) -> None:
        await self._answer()
        self.looks.pop(destination_id, None)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        self.requests += 1
