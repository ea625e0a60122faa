"""Reads what tells how far consumers are: their checkpoints from blobs, and from the hub where its partitions end."""

import asyncio
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.eventhub import parse_connection_string
from azure.eventhub.aio import EventHubConsumerClient
from azure.eventhub.exceptions import EventHubError
from azure.storage.blob.aio import ContainerClient

from local.errors import LocalError
from local.exports import DEFAULT_CONSUMER_GROUP
from shared.domain.exports.lag import (
    Checkpoint,
    GroupLag,
    NoCheckpointsError,
    PartitionEnds,
    checkpoint_of,
    group_lags,
)

_PATIENCE = 30.0


async def consumer_lags(event_hubs: str, hub: str, storage: str, container: str) -> list[GroupLag]:
    """The lag of each group that has checkpoints of the hub; `event_hubs` and `storage` are connection strings.

    Raises LocalError.
    """
    (namespace, ends), checkpoints = await asyncio.gather(_ends(event_hubs, hub), _checkpoints(storage, container))
    try:
        return group_lags(checkpoints, namespace, hub, ends)
    except NoCheckpointsError as error:
        raise LocalError(f"container {container}: {error}") from None


async def _ends(connection_string: str, hub: str) -> tuple[str, dict[str, PartitionEnds]]:
    try:
        client = EventHubConsumerClient.from_connection_string(
            connection_string, DEFAULT_CONSUMER_GROUP, eventhub_name=hub, retry_total=0
        )
        async with client, asyncio.timeout(_PATIENCE):
            ids = await client.get_partition_ids()
            found = [await client.get_partition_properties(each) for each in ids]
    except (EventHubError, ValueError, TimeoutError) as error:
        raise LocalError(f"hub {hub}: its partitions could not be looked at: {error or 'no answer in time'}") from error
    namespace = parse_connection_string(connection_string).fully_qualified_namespace
    return namespace, {each["id"]: _ends_of(each) for each in found}


def _ends_of(properties: dict[str, Any]) -> PartitionEnds:
    """A partition that never got an event says -1 of both."""
    return PartitionEnds(max(0, properties["beginning_sequence_number"]), properties["last_enqueued_sequence_number"])


async def _checkpoints(connection_string: str, container: str) -> list[Checkpoint]:
    try:
        async with ContainerClient.from_connection_string(connection_string, container, retry_total=2) as client:
            blobs = [blob async for blob in client.list_blobs(include=["metadata"])]
    except ResourceNotFoundError:
        raise LocalError(f"container {container}: there is none of this name in the storage account") from None
    except (AzureError, ValueError) as error:
        raise LocalError(f"container {container}: its blobs could not be listed: {error}") from error
    found = (
        checkpoint_of(blob.name, blob.metadata or {}, int(blob.last_modified.timestamp() * 1_000_000)) for blob in blobs
    )
    return [each for each in found if each is not None]
