"""The Audit table: who changed what, when. One partition is enough for what people do, and sorts the newest first."""

import json
from typing import Any
from uuid import uuid4

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.table import Row, Table
from shared.ports.audit import AuditEntry

_PARTITION = "audit"
_END_OF_TIME = 10**17
_LONGEST = 1_000
_MOST_DETAILS = 20


class TableAudit:
    """An entry's id is its row key: a table sorts upwards only, so it counts down with the time."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def begin(self, entry: AuditEntry) -> None:
        entry.id = f"{_END_OF_TIME - entry.at:018}-{uuid4().hex[:8]}"
        await self._table.insert(_properties(entry))

    async def end(self, entry: AuditEntry) -> None:
        await self._table.put(_properties(entry))

    async def newest_first(self, limit: int, before: str = "") -> list[AuditEntry]:
        found = []
        async for row in self._table.partition(_PARTITION, after=before, most=limit):
            found.append(_entry(row))
            if len(found) == limit:
                break
        return found


def _properties(entry: AuditEntry) -> dict[str, Any]:
    details = [detail[:_LONGEST] for detail in entry.details[:_MOST_DETAILS]]
    if len(entry.details) > _MOST_DETAILS:
        details.append(f"and {len(entry.details) - _MOST_DETAILS:,} more")
    return {
        "PartitionKey": _PARTITION,
        "RowKey": entry.id,
        "at": EntityProperty(entry.at, EdmType.INT64),
        "who": entry.who,
        "what": entry.what[:_LONGEST],
        "status": entry.status,
        "details": json.dumps(details),
    }


def _entry(row: Row) -> AuditEntry:
    properties = row.properties
    return AuditEntry(
        at=properties["at"].value,
        who=properties["who"],
        what=properties["what"],
        id=properties["RowKey"],
        status=properties["status"],
        details=json.loads(properties["details"]),
    )
