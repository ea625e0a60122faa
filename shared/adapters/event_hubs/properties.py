"""The HubProperties on Event Hubs: where the partitions of a destination's hub begin and end, by its management node.

Whoever may send to a hub may ask for that, so the app needs no right to read events.
"""

from shared.adapters.event_hubs.connections import HubAccess, HubConnections
from shared.adapters.event_hubs.hub_connection import HubConnection, KeptAccess
from shared.domain.configuration.model import Destination
from shared.domain.exports.lag import HubEnds
from shared.errors import ConsumerLagError, SendError


class EventHubsProperties:
    """`timeout` in seconds, of each request. One connection does for all partitions."""

    def __init__(self, connections: HubConnections, timeout: float = 10.0) -> None:
        self._connections = connections
        self._timeout = timeout

    async def ends(self, destination: Destination) -> HubEnds:
        kept = KeptAccess(lambda: self._connections.access(destination))
        return await ends_of(kept, destination.event_hub_name, self._timeout)


async def ends_of(kept: KeptAccess, hub: str, timeout: float) -> HubEnds:  # noqa: ASYNC109
    """Where the hub's partitions end. Raises ConsumerLagError."""
    connection = HubConnection(hub, kept, timeout)
    try:
        created_at, partitions = await connection.properties()
        ends = {each: await connection.partition_ends(each) for each in partitions}
        access: HubAccess = await kept.get()
        return HubEnds(access.credentials.namespace, hub, created_at, ends)
    except SendError as error:
        raise ConsumerLagError("hub", f"hub {hub}: its partitions could not be looked at: {error.reason}") from error
    finally:
        await connection.close()
