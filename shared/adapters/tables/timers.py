"""Rows beside the configuration, one for each timer: when it ran last."""

from typing import Any

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.table import Table
from shared.domain.timers import TimerRun

_PARTITION = "timers"


class TableTimers:
    def __init__(self, table: Table) -> None:
        self._table = table

    async def load(self) -> dict[str, TimerRun]:
        runs = {}
        async for row in self._table.partition(_PARTITION):
            name = str(row.properties["RowKey"])
            runs[name] = TimerRun(
                name,
                row.properties["schedule"],
                since=row.properties["since"].value,
                ran_at=row.properties["ranAt"].value,
                covered_at=row.properties["coveredAt"].value,
                etag=row.etag,
            )
        return runs

    async def put(self, run: TimerRun) -> None:
        await self._table.put(_properties(run))

    async def save(self, run: TimerRun) -> None:
        if run.etag is None:
            await self._table.insert(_properties(run))
        else:
            await self._table.replace(_properties(run), run.etag)


def _properties(run: TimerRun) -> dict[str, Any]:
    times = {"since": run.since, "ranAt": run.ran_at, "coveredAt": run.covered_at}
    return {
        "PartitionKey": _PARTITION,
        "RowKey": run.name,
        "schedule": run.schedule,
        **{name: EntityProperty(at, EdmType.INT64) for name, at in times.items()},
    }
