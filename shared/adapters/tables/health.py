"""Rows beside the configuration: one for each destination that is not healthy, one for each redrive asked for, and one
for how far a redrive is.
"""

from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.table import Table
from shared.domain.exports.recovery import Recovery
from shared.ports.health import DestinationTrouble, RedriveRequest

_PARTITION = "health"
_REDRIVES = "redrives"
_RECOVERIES = "recoveries"
_ERROR_LENGTH = 1_000


class TableHealth:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def load(self) -> dict[str, DestinationTrouble]:
        troubles = {}
        async for row in self._table.partition(_PARTITION):
            destination_id = str(row.properties["RowKey"])
            half_open = row.properties.get("halfOpenSince")  # rows of an earlier version have none
            troubles[destination_id] = DestinationTrouble(
                destination_id,
                recovering=row.properties["recovering"],
                since=row.properties["since"].value,
                error=row.properties["error"],
                half_open_since=half_open.value if half_open else 0,
                code=row.properties.get("code") or None,
                etag=row.etag,
            )
        return troubles

    async def put(self, trouble: DestinationTrouble) -> None:
        await self._table.put(_properties(trouble))

    async def replace(self, trouble: DestinationTrouble) -> None:
        await self._table.replace(_properties(trouble), trouble.etag or "")

    async def clear(self, trouble: DestinationTrouble) -> None:
        await self._table.delete(_PARTITION, trouble.destination_id, trouble.etag)

    async def requests(self) -> dict[str, RedriveRequest]:
        requests = {}
        async for row in self._table.partition(_REDRIVES):
            destination_id = str(row.properties["RowKey"])
            requested_at = row.properties["requestedAt"].value
            requests[destination_id] = RedriveRequest(destination_id, requested_at, row.etag)
        return requests

    async def request(self, redrive: RedriveRequest) -> None:
        requested_at = EntityProperty(redrive.requested_at, EdmType.INT64)
        keys = {"PartitionKey": _REDRIVES, "RowKey": redrive.destination_id}
        await self._table.put({**keys, "requestedAt": requested_at})

    async def fulfil(self, redrive: RedriveRequest) -> None:
        await self._table.delete(_REDRIVES, redrive.destination_id, redrive.etag)

    async def recoveries(self) -> dict[str, Recovery]:
        recoveries = {}
        async for row in self._table.partition(_RECOVERIES):
            destination_id, properties = str(row.properties["RowKey"]), row.properties
            since, at, settled = (properties[name].value for name in ("since", "at", "settled"))
            recoveries[destination_id] = Recovery(destination_id, since, at, settled)
        return recoveries

    async def note_recovery(self, recovery: Recovery) -> None:
        numbers = {"since": recovery.since, "at": recovery.at, "settled": recovery.settled}
        properties = {name: EntityProperty(value, EdmType.INT64) for name, value in numbers.items()}
        await self._table.put({"PartitionKey": _RECOVERIES, "RowKey": recovery.destination_id, **properties})

    async def end_recovery(self, destination_id: str) -> None:
        await self._table.delete(_RECOVERIES, destination_id)


def _properties(trouble: DestinationTrouble) -> dict[str, Any]:
    return {
        "PartitionKey": _PARTITION,
        "RowKey": trouble.destination_id,
        "recovering": trouble.recovering,
        "since": EntityProperty(trouble.since, EdmType.INT64),
        "error": trouble.error[:_ERROR_LENGTH],
        "halfOpenSince": EntityProperty(trouble.half_open_since, EdmType.INT64),
        "code": trouble.code or "",
    }
