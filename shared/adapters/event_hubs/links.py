"""Links to several partitions of one hub over one connection, of which the SDK opens one for each partition.

A namespace takes a limited number of connections. All that the SDK does not promise and that is used all the same is
used in this module; tests/integration/test_hub_connection.py holds it to the version that is installed.
"""

import asyncio
from typing import Any

from azure.eventhub import EventDataBatch
from azure.eventhub.aio import EventHubProducerClient

from shared.domain.exports.lag import PartitionEnds
from shared.domain.instants import SECOND


class Links:
    """The connection is opened by the first request. After an error the whole of it is of no use any more.

    The links may be opened side by side; events are to be sent one batch after the other.
    """

    def __init__(self, client: EventHubProducerClient) -> None:
        sdk: Any = client
        sdk._conn_manager_async = self
        self._client = sdk
        self._owner: Any = None
        self._opening = asyncio.Lock()
        self._producers: dict[str, Any] = {}

    @property
    def connected(self) -> bool:
        return self._owner is not None

    def is_open(self, partition: str) -> bool:
        return partition in self._producers

    async def partition_ids(self) -> tuple[str, ...]:
        return tuple(await self._client.get_partition_ids())

    async def properties(self) -> tuple[int, tuple[str, ...]]:
        """When the hub was made (microseconds), and the ids of its partitions."""
        found = await self._client.get_eventhub_properties()
        return int(found["created_at"].timestamp() * SECOND), tuple(found["partition_ids"])

    async def partition_ends(self, partition: str) -> PartitionEnds:
        found = await self._client.get_partition_properties(partition)
        last = found["last_enqueued_sequence_number"]
        if found["is_empty"]:  # it says -1 of where it begins, also where it had events that have expired
            return PartitionEnds(last + 1, last)
        enqueued_at = int(found["last_enqueued_time_utc"].timestamp() * SECOND)
        return PartitionEnds(found["beginning_sequence_number"], last, enqueued_at)

    async def open(self, partition: str) -> None:
        if partition in self._producers:
            return
        producer = self._client._create_producer(partition_id=partition)
        await producer._open_with_retry()
        self._producers[partition] = producer

    def new_batch(self, partition: str) -> EventDataBatch:
        """An empty batch for a partition whose link is open, as large as the link says that it may be."""
        producer = self._producers[partition]
        return EventDataBatch(max_size_in_bytes=producer._max_message_size_on_link, partition_id=partition)

    async def send(self, partition: str, batch: EventDataBatch) -> None:
        await self._producers[partition].send(batch)

    async def close(self) -> None:
        if self._owner is not None:
            await self._owner.close_async()
        await self._client.close()

    async def get_connection(self, *, endpoint: str, auth: Any) -> Any:
        """The SDK's links ask for the connection that they are to share."""
        async with self._opening:
            if self._owner is None:
                transport = self._client._amqp_transport
                owner = transport.create_mgmt_client(self._client._address, mgmt_auth=auth, config=self._client._config)
                await owner.open_async()
                self._owner = owner
        return self._owner._connection

    async def close_connection(self) -> None:
        """The SDK's client asks for this when it is closed: by then its connection is."""

    async def reset_connection_if_broken(self) -> None:
        """The SDK asks for this after an error, after which nothing here is used again."""
