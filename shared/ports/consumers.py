"""What telling how far a hub's consumers are behind needs of the outside."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.configuration.model import Destination
from shared.domain.exports.lag import Checkpoint, HubEnds
from shared.domain.exports.lag_look import LagLook


class CheckpointReader(Protocol):
    async def read(self, container_url: str, namespace: str, hub: str) -> list[Checkpoint]:
        """The checkpoints of the hub in the container; where there are none, some of others, to tell of.

        In a bounded number of requests. Raises ConsumerLagError.
        """


class HubProperties(Protocol):
    async def ends(self, destination: Destination) -> HubEnds:
        """Where the partitions of the destination's hub begin and end, by a request for each and no event.

        Raises ConsumerLagError.
        """


class LagStore(Protocol):
    """What was seen last of the consumers of each destination's hub. Whoever looked last is right."""

    async def all(self) -> Mapping[str, LagLook]:
        """By destination. Raises StorageError."""

    async def load(self, destination_id: str) -> LagLook | None:
        """None where nobody has looked yet. Raises StorageError."""

    async def put(self, destination_id: str, look: LagLook) -> None:
        """Keep it, in place of what is there. Raises StorageError."""

    async def delete(self, destination_id: str) -> None:
        """Forget it; none there is no error. Raises StorageError."""
