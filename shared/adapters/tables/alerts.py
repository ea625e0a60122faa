"""The Alerts table: a partition for subscriptions, one for alerts, one for deliveries; each row is one document."""

import json
from collections.abc import Callable
from typing import Generic
from urllib.parse import quote

from shared.adapters.tables.previous_release import alert_for_previous, subscription_for_previous
from shared.adapters.tables.service.table import Row, Table
from shared.domain.alerts.alert import Alert
from shared.domain.alerts.delivery import AlertDelivery
from shared.domain.alerts.subscription import AlertSubscription
from shared.ports.alerts import Item, Stored

_WHOLE = "whole"


class TableAlertRows(Generic[Item]):
    """`for_previous` makes the document that the release before this one reads: as text, the whole one where it can."""

    def __init__(self, table: Table, partition: str, kind: type[Item], for_previous: Callable[[Item], str]) -> None:
        self._table = table
        self._partition = partition
        self._kind: type[Item] = kind
        self._for_previous: Callable[[Item], str] = for_previous

    async def all(self) -> list[Stored[Item]]:
        return [self._stored(row) async for row in self._table.partition(self._partition)]

    async def load(self, key: str) -> Stored[Item] | None:
        row = await self._table.get(self._partition, _row_key(key))
        return self._stored(row) if row else None

    async def save(self, stored: Stored[Item]) -> None:
        whole, for_previous = _text(stored.item), self._for_previous(stored.item)
        properties = {
            "PartitionKey": self._partition,
            "RowKey": _row_key(stored.item.key),
            "document": for_previous,
            **({_WHOLE: whole} if whole != for_previous else {}),
        }
        if stored.etag is None:
            stored.etag = await self._table.insert(properties)
        else:
            stored.etag = await self._table.replace(properties, stored.etag)

    async def delete(self, stored: Stored[Item]) -> None:
        await self._table.delete(self._partition, _row_key(stored.item.key), stored.etag)

    def _stored(self, row: Row) -> Stored[Item]:
        document = row.properties.get(_WHOLE) or row.properties["document"]
        return Stored(self._kind.model_validate_json(document), row.etag)


class TableAlerts:
    def __init__(self, table: Table) -> None:
        self.subscriptions = TableAlertRows(
            table, "subscriptions", AlertSubscription, lambda item: json.dumps(subscription_for_previous(item))
        )
        self.alerts = TableAlertRows(table, "alerts", Alert, lambda item: _text(alert_for_previous(item)))
        self.deliveries = TableAlertRows(table, "deliveries", AlertDelivery, _text)


def _text(item: Item) -> str:
    return item.model_dump_json(by_alias=True)


def _row_key(key: str) -> str:
    """Whatever the key holds; a slash, say, breaks a row's address."""
    return quote(key, safe="").replace("%", "~")
