"""The Quarantine table: inbound items that could not be taken, with their bytes and the reason."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.chunks import from_chunks, to_chunks
from shared.adapters.tables.service.continuation import decode_token, encode_token
from shared.adapters.tables.service.table import Row, Table
from shared.concurrency import all_of
from shared.domain.instants import SECOND
from shared.domain.profile_key import bucket_of, profile_key
from shared.errors import BadContinuationError
from shared.ports.quarantine import QuarantinedEntry, QuarantinedItem, QuarantinePage, StoredQuarantinedItem

BUCKETS = 16
_READ_TOGETHER = 16
_COLUMNS = ["RowKey", "messageId", "item", "reason", "code", "profileKey"]
_SEARCHED = 200
# Rows of earlier releases begin with the time itself, so they sort behind all others.
_ROW_KEY = re.compile(r"(?:\d{11}|\d{8}T\d{6}Z)-(?P<message>[\w-]{0,200})-(?:message|\d{1,9})", re.ASCII)
_LATEST = 19_999_999_999
"""Greater than any time in seconds. A table sorts upwards only, so keys count the seconds down from here."""


class TableQuarantine:
    """Rows are spread over 16 partitions, in each sorted by the time when the message came, the latest first.

    A row's id is its row key, from which the partition follows.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, item: QuarantinedItem) -> None:
        place = "message" if item.item is None else item.item
        properties: dict[str, Any] = {
            "PartitionKey": _partition(item.message_id),
            "RowKey": f"{_LATEST - item.received_at // SECOND:011}-{item.message_id}-{place}",
            "messageId": item.message_id,
            "reason": item.reason,
            "code": item.code,
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
        """What is put later is left out, so all row keys are read first, a thousand in a request, then row by row."""
        partitions = await all_of(self._row_keys(f"{bucket:02}") for bucket in range(BUCKETS))
        row_keys = sorted((row_key for partition in partitions for row_key in partition), key=_newest_first)
        for start in range(0, len(row_keys), _READ_TOGETHER):
            together = row_keys[start : start + _READ_TOGETHER]
            for stored in await all_of(self.get(row_key) for row_key in together):
                if stored is not None:
                    yield stored

    async def of_profile(self, key: str, most: int) -> Sequence[QuarantinedEntry]:
        return [_entry(row) for row in (await self._first({"profileKey": key}, "", most))[:most]]

    async def page(self, reason: str | None, token: str | None, most: int, code: str | None = None) -> QuarantinePage:
        """The first rows of each partition hold the first of all; of those searched for a reason there may be more."""
        after = _place(token)
        searched = most if reason is None else max(most, _SEARCHED)
        rows = await self._first({} if code is None else {"code": code}, after, searched)
        entries: list[QuarantinedEntry] = []
        for number, row in enumerate(rows[:searched], start=1):
            if reason is None or reason in row.properties["reason"]:
                entries.append(_entry(row))
            if len(entries) == most or number == searched:
                following = encode_token(row.properties["RowKey"]) if number < len(rows) else None
                return QuarantinePage(entries, following)
        return QuarantinePage(entries, None)

    async def _first(self, equal: Mapping[str, str], after: str, most: int) -> list[Row]:
        """The first rows of all partitions, in order; among them are the first `most` and one more, if there is one."""
        partitions = await all_of(self._first_of(bucket, equal, after, most) for bucket in range(BUCKETS))
        return sorted((row for partition in partitions for row in partition), key=lambda row: row.properties["RowKey"])

    async def _first_of(self, bucket: int, equal: Mapping[str, str], after: str, most: int) -> list[Row]:
        rows: list[Row] = []
        # One more than asked for, by which it is known whether there are more.
        async for row in self._table.partition(f"{bucket:02}", _COLUMNS, after=after, most=most + 1, equal=equal):
            rows.append(row)
            if len(rows) > most:
                break
        return rows

    async def _row_keys(self, partition: str) -> list[str]:
        return [row.properties["RowKey"] async for row in self._table.partition(partition, select=["RowKey"])]


def _partition(message_id: str) -> str:
    return f"{bucket_of(message_id, BUCKETS):02}"


def _stored(row: Row) -> StoredQuarantinedItem:
    return StoredQuarantinedItem(**_listed(row), raw=from_chunks("body", row.properties))


def _entry(row: Row) -> QuarantinedEntry:
    return QuarantinedEntry(**_listed(row))


def _listed(row: Row) -> dict[str, Any]:
    properties = row.properties
    return {
        "row_id": properties["RowKey"],
        "message_id": properties["messageId"],
        "item": properties.get("item"),
        "received_at": _received_at(properties["RowKey"]),
        "reason": properties["reason"],
        "profile_key": properties.get("profileKey"),
        "code": properties.get("code") or None,
    }


def _place(token: str | None) -> str:
    """The row key behind which a page begins."""
    if token is None:
        return ""
    (row_key,) = decode_token(token, 1)
    if row_key is None or not _ROW_KEY.fullmatch(row_key):
        raise BadContinuationError
    return row_key


def _newest_first(row_key: str) -> tuple[int, str]:
    return -_received_at(row_key), row_key


def _received_at(row_key: str) -> int:
    received = row_key.partition("-")[0]
    if received.isdecimal():
        return (_LATEST - int(received)) * SECOND
    return int(datetime.strptime(received, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()) * SECOND
