"""Reads what tells how far consumers are: their checkpoints from blobs, and from the hub where its partitions end."""

from azure.core.exceptions import AzureError

from local.errors import LocalError
from shared.adapters.blobs import connect
from shared.adapters.checkpoints import checkpoints_in
from shared.adapters.event_hubs.connections import HubAccess, access_to
from shared.adapters.event_hubs.hub_connection import KeptAccess
from shared.adapters.event_hubs.properties import ends_of
from shared.domain.configuration.credentials import parse_connection_string
from shared.domain.exports.lag import group_lags
from shared.domain.exports.lag_look import LagLook, enqueued, name_of
from shared.errors import ConsumerLagError
from shared.settings import Connection

_PATIENCE = 30.0


async def consumer_lags(event_hubs: str, hub: str, storage: str, container: str, at: int) -> LagLook:
    """How far each group is that has checkpoints of the hub; `event_hubs` and `storage` are connection strings, `at` is
    the time in microseconds.

    Raises LocalError.
    """

    async def access() -> HubAccess:
        return access_to(parse_connection_string(event_hubs, local_allowed=True).credentials, hub)

    try:
        ends = await ends_of(KeptAccess(access), hub, _PATIENCE)
        async with connect(Connection("STORAGE", storage)) as account:
            blobs = account.get_container_client(container)
            groups = group_lags(await checkpoints_in(blobs, ends.namespace, hub), ends)
            return LagLook(at, blobs.url, name_of(ends), enqueued_at=enqueued(ends), groups=groups)
    except (ConsumerLagError, AzureError, ValueError) as error:
        raise LocalError(str(error)) from None
