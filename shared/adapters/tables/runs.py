"""The Runs table: what each instance counted for a destination in a slot of ten minutes.

A partition is a day of a destination, the day first, so that what is outdated lies together. Who entered and left which
audiences is a column of its own, for there may be more of them than one column takes as text; so is what shadows count,
of which there is another whenever somebody begins one.
"""

import json
from itertools import groupby
from typing import Any

from shared.adapters.tables.service.chunks import from_chunks, packed, to_chunks, unpacked
from shared.adapters.tables.service.table import Row, Table
from shared.concurrency import all_of
from shared.domain.instants import DAY, format_instant, parse_instant
from shared.domain.runs import RunCounts, RunSlot

_DAY = slice(0, 10)
_TIME = slice(11, 16)
_OF_THEIR_OWN = ("audiences", "shadows")
_PAGE = 1_000
_PAGES_TO_FORGET = 100


class TableRuns:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, destination_id: str, slot: RunSlot, instance: str) -> None:
        text = format_instant(slot.start)
        document = slot.counts.to_document()
        row: dict[str, Any] = {
            "PartitionKey": f"{text[_DAY]}-{destination_id}",
            "RowKey": f"{text[_TIME]}-{instance}",
        }
        for name in _OF_THEIR_OWN:
            if part := document.pop(name, None):
                row |= to_chunks(name, packed(part))
        await self._table.put(row | {"counts": json.dumps(document, separators=(",", ":"))})

    async def read(self, destination_id: str, since: int, until: int) -> list[RunSlot]:
        days = range(since - since % DAY, until, DAY)
        of_days = await all_of(self._of_day(destination_id, day, since) for day in days)
        return [slot for slots in of_days for slot in slots if since <= slot.start < until]

    async def _of_day(self, destination_id: str, day: int, since: int) -> list[RunSlot]:
        partition_key = f"{format_instant(day)[_DAY]}-{destination_id}"
        after = format_instant(since)[_TIME] if since > day else ""
        return [_slot(row) async for row in self._table.partition(partition_key, after=after)]

    async def forget(self, before: int) -> int:
        today = format_instant(before)[_DAY]
        gone = 0
        for _ in range(_PAGES_TO_FORGET):
            rows, _following = await self._table.page(
                "PartitionKey lt @today", {"today": today}, most=_PAGE, select=["PartitionKey", "RowKey"]
            )
            if not rows:
                break
            for partition_key, of_partition in groupby(rows, lambda row: str(row.properties["PartitionKey"])):
                await self._table.delete_all(partition_key, [str(row.properties["RowKey"]) for row in of_partition])
            gone += len(rows)
        return gone


def _slot(row: Row) -> RunSlot:
    properties = row.properties
    start = parse_instant(f"{properties['PartitionKey'][_DAY]}T{properties['RowKey'][:5]}:00Z")
    document = json.loads(properties["counts"])
    for name in _OF_THEIR_OWN:
        if part := from_chunks(name, properties):
            document[name] = unpacked(part)
    return RunSlot(start, RunCounts.from_document(document))
