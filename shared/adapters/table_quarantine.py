"""The Quarantine table: inbound items that could not be taken, with their bytes and the reason."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.chunks import from_chunks, to_chunks
from shared.adapters.tables import Row, Table
from shared.domain.instants import SECOND, format_instant
from shared.domain.profile_key import bucket_of, profile_key
from shared.services.ports import QuarantinedItem, StoredQuarantinedItem

BUCKETS = 16
_READ_TOGETHER = 16
_ROW_KEY = re.compile(r"(?P<received>\d{8}T\d{6}Z)-(?P<message>[\w-]{0,200})-(?:message|\d{1,9})", re.ASCII)


class TableQuarantine:
    """Rows are spread over 16 partitions, in each sorted by the time when the message came.

    A row's id is its row key, from which the partition follows.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, item: QuarantinedItem) -> None:
        received = format_instant(item.received_at // SECOND * SECOND).replace(":", "").replace("-", "")
        properties: dict[str, Any] = {
            "PartitionKey": _partition(item.message_id),
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

    async def get(self, row_id: str) -> StoredQuarantinedItem | None:
        if (match := _ROW_KEY.fullmatch(row_id)) is None:
            return None
        row = await self._table.get(_partition(match["message"]), row_id)
        return None if row is None else _stored(row)

    async def delete(self, row_id: str) -> None:
        if match := _ROW_KEY.fullmatch(row_id):
            await self._table.delete(_partition(match["message"]), row_id)

    async def forget_profile(self, key: str, until: int) -> None:
        for bucket in range(BUCKETS):
            rows = self._table.partition(f"{bucket:02}", select=["RowKey"], equal={"profileKey": key})
            for row_key in [row.properties["RowKey"] async for row in rows]:
                if _received_at(row_key) <= until:
                    await self._table.delete(f"{bucket:02}", row_key)

    async def newest_first(self) -> AsyncIterator[StoredQuarantinedItem]:
        """A table sorts upwards only: all row keys are read first, a thousand in a request, then row by row."""
        partitions = await asyncio.gather(*(self._row_keys(f"{bucket:02}") for bucket in range(BUCKETS)))
        row_keys = sorted((row_key for partition in partitions for row_key in partition), reverse=True)
        for start in range(0, len(row_keys), _READ_TOGETHER):
            together = row_keys[start : start + _READ_TOGETHER]
            for stored in await asyncio.gather(*(self.get(row_key) for row_key in together)):
                if stored is not None:
                    yield stored

    async def _row_keys(self, partition: str) -> list[str]:
        return [row.properties["RowKey"] async for row in self._table.partition(partition, select=["RowKey"])]


def _partition(message_id: str) -> str:
    return f"{bucket_of(message_id, BUCKETS):02}"


def _stored(row: Row) -> StoredQuarantinedItem:
    properties = row.properties
    return StoredQuarantinedItem(
        row_id=properties["RowKey"],
        message_id=properties["messageId"],
        item=properties.get("item"),
        received_at=_received_at(properties["RowKey"]),
        reason=properties["reason"],
        raw=from_chunks("body", properties),
        profile_key=properties.get("profileKey"),
    )


def _received_at(row_key: str) -> int:
    received = datetime.strptime(row_key.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return int(received.timestamp()) * SECOND
