"""What was seen last of the consumers of destinations' hubs: one partition of the table Runs, behind its days."""

from collections.abc import Mapping

from shared.adapters.tables.service.chunks import from_chunks, packed, to_chunks, unpacked
from shared.adapters.tables.service.table import Row, Table
from shared.domain.exports.lag_look import LagLook

_PARTITION = "consumers"
"""After every day in the order of keys, so that nothing of it is forgotten with the days."""


class TableConsumerLags:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def all(self) -> Mapping[str, LagLook]:
        return {str(row.properties["RowKey"]): _look(row) async for row in self._table.partition(_PARTITION)}

    async def load(self, destination_id: str) -> LagLook | None:
        row = await self._table.get(_PARTITION, destination_id)
        return None if row is None else _look(row)

    async def put(self, destination_id: str, look: LagLook) -> None:
        keys = {"PartitionKey": _PARTITION, "RowKey": destination_id}
        await self._table.put(keys | to_chunks("look", packed(look.to_document())))

    async def delete(self, destination_id: str) -> None:
        await self._table.delete(_PARTITION, destination_id)


def _look(row: Row) -> LagLook:
    return LagLook.from_document(unpacked(from_chunks("look", row.properties)))
