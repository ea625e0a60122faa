"""The members of audiences as sweeps counted them: one partition of the table Runs, behind those of its days."""

from shared.adapters.tables.service.chunks import from_chunks, packed, to_chunks, unpacked
from shared.adapters.tables.service.table import Row, Table
from shared.domain.audiences.counts import CountedAudiences
from shared.domain.instants import format_instant, parse_instant
from shared.domain.runs import flat, nested

_PARTITION = "audiences"
"""After every day in the order of keys, so that nothing of it is forgotten with the days."""


class TableAudienceCounts:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def put(self, counted: CountedAudiences) -> None:
        """Each audience's name is there once: names are most of the row, which holds MOST_AUDIENCES of them."""
        names = {*counted.members, *counted.crossings}
        figures = {name: [counted.members.get(name), *counted.crossings.get(name, (0, 0))] for name in sorted(names)}
        document = {"since": format_instant(counted.since), "audiences": nested(figures)}
        keys = {"PartitionKey": _PARTITION, "RowKey": format_instant(counted.at)}
        await self._table.put(keys | to_chunks("counted", packed(document)))

    async def since(self, at: int) -> list[CountedAudiences]:
        rows = self._table.partition(_PARTITION, after=format_instant(at - 1))
        return [_counted(row) async for row in rows]

    async def forget(self, before: int) -> None:
        last = format_instant(before)
        keys = [str(row.properties["RowKey"]) async for row in self._table.partition(_PARTITION, ["RowKey"])]
        for key in keys:
            if key < last:
                await self._table.delete(_PARTITION, key)


def _counted(row: Row) -> CountedAudiences:
    document = unpacked(from_chunks("counted", row.properties))
    figures = flat(document["audiences"])
    return CountedAudiences(
        at=parse_instant(str(row.properties["RowKey"])),
        since=parse_instant(document["since"]),
        members={name: members for name, (members, _, _) in figures.items() if members is not None},
        crossings={name: [entered, left] for name, (_, entered, left) in figures.items() if entered or left},
    )
