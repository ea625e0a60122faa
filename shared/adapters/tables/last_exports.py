"""The LastExports table: what each instance last sent to a destination, without bodies and profile ids.

A partition is a destination, a row an instance.
"""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from shared.adapters.tables.service.table import Row, Table
from shared.domain.exports.sent_export import SentExport
from shared.ports.last_exports import InstanceExports

_PAGE = 1_000


class TableLastExports:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, destination_id: str, instance: str, exports: Sequence[SentExport]) -> None:
        await self._table.put(_properties(destination_id, instance, exports))

    async def of(self, destination_id: str) -> list[InstanceExports]:
        return [_row(row) async for row in self._table.partition(destination_id)]

    async def with_profile(self, profile_key: str) -> list[InstanceExports]:
        everything = self._matching("oldest ge @since", {"since": _instant(0)})
        return [_row(row) async for row in everything if profile_key in row.properties["exports"]]

    async def with_older(self, before: int) -> list[InstanceExports]:
        return [_row(row) async for row in self._matching("oldest lt @before", {"before": _instant(before)})]

    async def _matching(self, query: str, parameters: dict[str, str]) -> AsyncIterator[Row]:
        token = None
        while True:
            rows, token = await self._table.page(query, parameters, most=_PAGE, token=token)
            for row in rows:
                yield row
            if token is None:
                return

    async def replace(self, row: InstanceExports) -> None:
        if row.exports:
            await self._table.replace(_properties(row.destination_id, row.instance, row.exports), row.etag)
        else:
            await self._table.delete(row.destination_id, row.instance, row.etag)


def _properties(destination_id: str, instance: str, exports: Sequence[SentExport]) -> dict[str, Any]:
    return {
        "PartitionKey": destination_id,
        "RowKey": instance,
        "oldest": _instant(min(sent.at for sent in exports)),
        "exports": json.dumps([sent.to_document() for sent in exports], separators=(",", ":")),
    }


def _instant(microseconds: int) -> str:
    """As text that sorts by time: the service's own 64-bit integers take a type of the SDK's to be written."""
    return f"{microseconds:016}"


def _row(row: Row) -> InstanceExports:
    properties = row.properties
    exports = [SentExport.from_document(document) for document in json.loads(properties["exports"])]
    return InstanceExports(properties["PartitionKey"], properties["RowKey"], exports, row.etag)
