"""The Quarantine table: inbound items that could not be taken, with their bytes and the reason."""

from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.chunks import to_chunks
from shared.adapters.tables import Table
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile_key import bucket_of, profile_key
from shared.services.ports import QuarantinedItem

BUCKETS = 16


class TableQuarantine:
    """Rows are spread over 16 partitions, in each sorted by the time when the message came."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, item: QuarantinedItem) -> None:
        received = format_instant(item.received_at // SECOND * SECOND).replace(":", "").replace("-", "")
        properties: dict[str, Any] = {
            "PartitionKey": f"{bucket_of(item.message_id, BUCKETS):02}",
            "RowKey": f"{received}-{item.message_id}-{'message' if item.item is None else item.item}",
            "messageId": item.message_id,
            "reason": item.reason,
            **to_chunks("body", item.raw),
        }
        if item.item is not None:
            properties["item"] = EntityProperty(item.item, EdmType.INT32)
        if item.profile_id is not None:
            properties["profileKey"] = profile_key(item.profile_id)
        await self._table.put(properties)
