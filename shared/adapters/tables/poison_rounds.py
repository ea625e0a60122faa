"""Rows beside the quarantine: how often each message has failed at every delivery."""

from azure.data.tables import EdmType, EntityProperty

from shared.adapters.tables.service.table import Table
from shared.ports.poison import PoisonRounds

_PARTITION = "rounds"
_MOST = 1_000
_KEYS = ["RowKey"]


class TablePoisonRounds:
    """In a partition of their own of the table Quarantine. Nothing of a message is in them but a hash."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def load(self, key: str) -> PoisonRounds | None:
        row = await self._table.get(_PARTITION, key)
        if row is None:
            return None
        return PoisonRounds(key, row.properties["rounds"], row.properties["endedAt"].value, row.etag)

    async def save(self, rounds: PoisonRounds) -> None:
        properties = {
            "PartitionKey": _PARTITION,
            "RowKey": rounds.key,
            "rounds": rounds.rounds,
            "endedAt": EntityProperty(rounds.ended_at, EdmType.INT64),
        }
        if rounds.etag is None:
            rounds.etag = await self._table.insert(properties)
        else:
            rounds.etag = await self._table.replace(properties, rounds.etag)

    async def ended_since(self, since: int) -> int:
        found, token = 0, None
        while True:
            rows, token = await self._table.page(
                "PartitionKey eq @partition and endedAt ge @since",
                {"partition": _PARTITION, "since": since},
                most=_MOST,
                token=token,
                select=_KEYS,
            )
            found += len(rows)
            if token is None or found >= _MOST:
                return min(found, _MOST)

    async def forget(self, before: int) -> None:
        query = "PartitionKey eq @partition and endedAt lt @before"
        token = None
        while True:
            rows, token = await self._table.page(
                query, {"partition": _PARTITION, "before": before}, most=_MOST, token=token, select=_KEYS
            )
            await self._table.delete_all(_PARTITION, [str(row.properties["RowKey"]) for row in rows])
            if token is None:
                return
